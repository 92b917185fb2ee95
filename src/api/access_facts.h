// SPDX-License-Identifier: Apache-2.0
// What a request says that policies see beside the resources which it names (IAM-27, IAM-35): what
// a change would make of a resource, whom a permission is given to, and from which launch template
// a launch comes. Thread model: immutable data and pure functions.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "api/codec/operation.h"
#include "control/policy.h"

namespace kiln::api {

// Completes what a call touches, and adds what it would make of that: a call must be allowed on
// each of them.
void add_request_facts(const OperationInfo& operation, const void* request,
                       std::vector<control::PolicyResource>& resources);

// A member of a request whose value is one of the resource after the change.
struct Changed {
    std::string_view operation;
    std::string_view member;
    std::string_view key;
    std::string_view attribute{};  // the value of the member Attribute that goes with it
};
// A member of a request that names somebody who is given a permission, or loses it.
struct Shared {
    std::string_view operation;
    std::string_view member;
    std::string_view key;  // empty: of those whom no key names
    // The value of the member OperationType that goes with it, by which the key begins; empty:
    // none.
    std::string_view operation_type{};
};
// For tests.
std::span<const Changed> changed_members();
std::span<const Shared> shared_members();

}  // namespace kiln::api
