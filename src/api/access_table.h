// SPDX-License-Identifier: Apache-2.0
// What the operations touch, as policies see it (IAM-7): per operation, which members of the
// request name resources, and which resources it makes. An operation that is not in the table is
// decided as if it might touch anything: a narrower Allow does not hold for it, a narrower Deny
// does. Thread model: immutable data.
#pragma once

#include <span>
#include <string_view>

#include "api/codec/operation.h"

namespace kiln::api {

struct Touch {
    enum class Use {
        present,    // named by the member
        own,        // the same; where it is absent, the user that asks
        made,       // a new one; of a name that the member tells, or of none yet
        copied,     // a new one, which is like the one before it in the row
        or_default  // the same as `present`; where it is absent, the account's default
    };
    // As tags name it (control/resource_lookup.h), or "taggable": as its id says.
    std::string_view type{};
    // Of the request: "InstanceIds", "BlockDeviceMappings.Ebs.SnapshotId"; for all items of lists.
    std::string_view member{};
    Use use = Use::present;
    std::string_view only_with{};  // a boolean of the request that must be true
};

inline constexpr std::size_t kMaxTouches = 10;

struct Access {
    std::string_view operation;
    Touch touches[kMaxTouches]{};  // none: there is nothing with an ARN
    // The use case asks again, about what only it knows: what is made, and defaults.
    bool later = false;

    std::span<const Touch> all() const;
};

// Null for an operation that is not in the table.
const Access* find_access(const OperationInfo& operation);
// Of one service; for tests.
std::span<const Access> accesses(std::string_view service);

}  // namespace kiln::api
