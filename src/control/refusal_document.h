// SPDX-License-Identifier: Apache-2.0
// What a refusal comes from, as DecodeAuthorizationMessage tells it (IAM-36): a JSON object in
// EC2's form, with who asked for what, the conditions' keys and values, and the statement that
// denied it.
//
// It holds nothing but what policies see, which is no more than the caller's account may see of a
// resource. It is never longer than kMaxRefusalDocument: what does not fit is left out, the
// conditions first. Thread model: pure functions.
#pragma once

#include <string>

#include "control/authorization.h"

namespace kiln::control {

std::string refusal_document(const Caller& caller, const PolicyRequest& request,
                             const Decision& decision);

}  // namespace kiln::control
