// SPDX-License-Identifier: Apache-2.0
// Permissions come in two forms: a structure with what to add and to remove, and flat lists that go
// with OperationType. Clients send both at once (Packer does), without OperationType, where the
// lists say what the structure says (LP-3, SS-1). Thread model: pure functions.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "control/api_errors.h"

namespace kiln::api::ec2 {

// Puts `listed` into `change` by the operation; without one they must repeat what is there.
template <class Permission, class Change>
Status take_listed(const std::vector<Permission>& listed,
                   const std::optional<std::string>& operation, Change& change) {
    if (operation && !operation->empty()) {
        auto& list = *operation == "remove" ? change.remove : change.add;
        list.insert(list.end(), listed.begin(), listed.end());
        return ok();
    }
    const bool repeated = std::all_of(listed.begin(), listed.end(), [&](const Permission& entry) {
        const auto in = [&](const std::vector<Permission>& list) {
            return std::find(list.begin(), list.end(), entry) != list.end();
        };
        return in(change.add) || in(change.remove);
    });
    return repeated ? ok() : Status(control::errors::missing_parameter("OperationType"));
}

}  // namespace kiln::api::ec2
