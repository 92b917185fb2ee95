// SPDX-License-Identifier: Apache-2.0
// What an instance is told about its profile and role: `iam/` (IMDS-15), the keys of its role
// included. Thread model: plain values and pure functions, but for load_identity().
#pragma once

#include <optional>
#include <string>

#include "control/metadata_tree.h"
#include "control/sessions.h"

namespace kiln::control {

struct IdentityFacts {
    model::InstanceProfileRef profile;
    bool profile_exists = false;
    std::string role;                 // empty: the profile has none
    std::optional<SessionKeys> keys;  // nothing when EC2 may not take the role
    UnixMillis now;
};

// Nothing for an instance without a profile.
Result<std::optional<IdentityFacts>> load_identity(catalog::Store& store, Sessions& sessions,
                                                   const model::Instance& instance, UnixMillis now);

void put_identity(MetadataTree& tree, const IdentityFacts& facts);

}  // namespace kiln::control
