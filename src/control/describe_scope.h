// SPDX-License-Identifier: Apache-2.0
// DescribeScope: of the images or snapshots there are, those of certain owners, and those that are
// shared with somebody, as describe requests name them (DI-2, DI-3, SNP-13). Thread model: plain
// values and pure functions.
#pragma once

#include <string>
#include <vector>

#include "control/caller.h"
#include "model/ids.h"
#include "util/result.h"

namespace kiln::control {

struct OwnerScope {
    bool any = true;  // no owner is named
    std::vector<model::AccountId> accounts{};
    std::vector<std::string> aliases{};

    bool has(const model::AccountId& owner, const std::string& alias) const;
};
// Account ids, `self`, and the aliases there may be.
Result<OwnerScope> parse_owners(const Caller& caller, const std::vector<std::string>& texts);

struct SharedScope {
    bool any = true;         // nobody is named
    bool everybody = false;  // what is public
    std::vector<model::AccountId> accounts{};
};
// Account ids, `self` and `all`.
Result<SharedScope> parse_shared_with(const Caller& caller, const std::vector<std::string>& texts);

}  // namespace kiln::control
