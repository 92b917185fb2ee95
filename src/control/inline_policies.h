// SPDX-License-Identifier: Apache-2.0
// The inline policies of a role or a user (IAM-4, IAM-23): a list in order of names, of limited
// size together. Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/identity_rules.h"
#include "model/role.h"
#include "util/result.h"

namespace kiln::control {

// Whose policies they are, for errors and limits.
struct PolicyHolder {
    std::string_view kind;  // "role", "user"
    std::string_view name;
    std::size_t most = 0;  // characters of all policies together
};

// A name that may be, and a document that can be read.
Status check_inline_policy(const model::InlinePolicy& policy);

// Adds it, or replaces the one of its name. LimitExceeded.
Status put_inline_policy(std::vector<model::InlinePolicy>& policies,
                         const model::InlinePolicy& policy, const PolicyHolder& holder);
// NoSuchEntity
Result<model::InlinePolicy> find_inline_policy(const std::vector<model::InlinePolicy>& policies,
                                               std::string_view name, std::string_view kind);
Status erase_inline_policy(std::vector<model::InlinePolicy>& policies, std::string_view name,
                           std::string_view kind);

NamePage inline_policy_names(const std::vector<model::InlinePolicy>& policies,
                             const IdentityPage& page);

}  // namespace kiln::control
