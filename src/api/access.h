// SPDX-License-Identifier: Apache-2.0
// What a caller must be allowed for a call: the operation's own action, and what the parameters ask
// for besides (IAM-6). Asked once, before the handler, DryRun or not. Thread model: pure functions.
#pragma once

#include "api/codec/operation.h"
#include "api/codec/query_params.h"
#include "control/authorization.h"

namespace kiln::api {

// AccessDenied, in the words of no service yet. `params` is null for services of the JSON protocol.
Status check_access(const control::Caller& caller, const OperationInfo& operation,
                    const QueryParams* params);

}  // namespace kiln::api
