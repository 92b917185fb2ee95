// SPDX-License-Identifier: Apache-2.0
// Tags given at creation (TAG-1, TAG-2, TAG-5, TAG-6, TAG-11).
// Thread model: pure functions; put_tags() within its transaction.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "model/tag.h"
#include "util/result.h"

namespace kiln::control {

// One TagSpecification.N of a request.
struct TagSpecification {
    std::string resource_type;
    std::vector<model::Tag> tags;
};

inline constexpr std::size_t kMaxTagsPerResource = 50;  // TAG-1

// TAG-2: keys that begin with `aws:`, in any case.
bool is_reserved_tag(std::string_view key);
Status check_tag_key(std::string_view key);
// Every tag well-formed, each key once, and no more of them than one resource takes.
Status check_tags(const std::vector<model::Tag>& tags);

// `allowed`: the resource types this operation creates.
Status check_tag_specifications(const std::vector<TagSpecification>& specifications,
                                const std::vector<std::string_view>& allowed);
// Those for one type; empty when there are none.
std::vector<model::Tag> tags_for(const std::vector<TagSpecification>& specifications,
                                 std::string_view resource_type);

// In the transaction that creates the resource (TAG-6).
Status put_tags(catalog::Transaction& tx, const Caller& caller, std::string_view resource_type,
                const std::string& resource_id, const std::vector<model::Tag>& tags);

}  // namespace kiln::control
