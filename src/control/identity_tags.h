// SPDX-License-Identifier: Apache-2.0
// The tags of roles, users and instance profiles, which change after these were made (IAM-29). Keys
// that differ in the case of their letters alone are one. Thread model: pure functions.
#pragma once

#include <string>
#include <vector>

#include "control/identity_rules.h"
#include "model/tag.h"

namespace kiln::control {

struct TagPage {
    std::vector<model::Tag> tags;  // in order of their keys
    std::string marker;            // of the next page; empty: this was the last
};

// A tag that is there is replaced. InvalidInput and LimitExceeded as when something is made.
Status put_identity_tags(std::vector<model::Tag>& into, const std::vector<model::Tag>& tags);
// Keys that are not there are passed over.
Status erase_identity_tags(std::vector<model::Tag>& from, const std::vector<std::string>& keys);
Result<TagPage> list_identity_tags(std::vector<model::Tag> tags, const IdentityPage& page);

}  // namespace kiln::control
