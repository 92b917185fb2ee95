// SPDX-License-Identifier: Apache-2.0
// Sharing: who may use an image or a snapshot besides its owner (LP-1, SS-1). Snapshots are shared
// with accounts and groups alone (SS-5). Thread model: plain values and pure functions.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "model/ids.h"

namespace kiln::model {

struct Sharing {
    bool everybody = false;  // group "all"
    std::vector<AccountId> accounts{};
    std::vector<std::string> organizations{};  // ARNs of organizations and of their units

    bool names(const AccountId& account) const {
        return std::find(accounts.begin(), accounts.end(), account) != accounts.end();
    }
    // `arns`: what an account is in (model/organization.h).
    bool names_any(const std::vector<std::string>& arns) const {
        return std::any_of(arns.begin(), arns.end(), [&](const std::string& arn) {
            return std::find(organizations.begin(), organizations.end(), arn) !=
                   organizations.end();
        });
    }
    friend bool operator==(const Sharing&, const Sharing&) = default;
};

}  // namespace kiln::model
