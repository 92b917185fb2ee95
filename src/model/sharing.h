// SPDX-License-Identifier: Apache-2.0
// Sharing: who may use an image or a snapshot besides its owner (LP-1, SS-1). Thread model: plain
// values and pure functions.
#pragma once

#include <algorithm>
#include <vector>

#include "model/ids.h"

namespace kiln::model {

struct Sharing {
    bool everybody = false;  // group "all"
    std::vector<AccountId> accounts{};

    bool names(const AccountId& account) const {
        return std::find(accounts.begin(), accounts.end(), account) != accounts.end();
    }
    friend bool operator==(const Sharing&, const Sharing&) = default;
};

}  // namespace kiln::model
