// SPDX-License-Identifier: Apache-2.0
// Authorization: what a caller may do (IAM-5). The keys of an account may do everything in it; a
// role's may do what the role's policies allow. Every operation is asked about once, before its
// handler; a use case asks about what it does besides (iam:PassRole). Thread model: plain values
// and pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "control/caller.h"
#include "control/policy.h"
#include "util/result.h"

namespace kiln::control {

// Who a caller with a role's keys is.
struct RoleSession {
    model::RoleId role_id;
    std::string role_name;
    std::string name;              // of the session: the instance's id
    std::vector<Policy> policies;  // of the role, as they were when the call came

    std::string user_id() const { return role_id.str() + ":" + name; }
    std::string arn(const model::AccountId& account) const {
        return "arn:aws:sts::" + account.str() + ":assumed-role/" + role_name + "/" + name;
    }
};

std::string arn_of(const Caller& caller);

// AccessDenied, with the text clients show, unless the caller may do `action` ("ec2:RunInstances").
Status authorize(const Caller& caller, std::string_view action);

}  // namespace kiln::control
