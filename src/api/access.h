// SPDX-License-Identifier: Apache-2.0
// What a caller must be allowed for a call: the operation's own action on all that it touches, and
// what the parameters ask for besides (IAM-6, IAM-7). Asked once, between the parameters and the
// handler, DryRun or not.
//
// What the request names is looked up for callers whose policies look at it, and for nobody else.
// Thread-safe, blocking.
#pragma once

#include "api/codec/operation.h"
#include "control/authorization.h"
#include "control/resource_lookup.h"

namespace kiln::api {

// AccessDenied, in the words of no service yet. `request`: as decoded for the operation.
Status check_access(control::ResourceLookup& lookup, const control::Caller& caller,
                    const OperationInfo& operation, const void* request);

// The part of it that is about tags for what is made, and about an image that a parameter names:
// for a request that was completed from a launch template since.
Status check_besides(const control::Caller& caller, const OperationInfo& operation,
                     const void* request);

// Of a parameter that names an image: "resolve:ssm:/name:version".
Status check_parameter_access(const control::Caller& caller, std::string_view alias);

}  // namespace kiln::api
