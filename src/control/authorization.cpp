// SPDX-License-Identifier: Apache-2.0
#include "control/authorization.h"

#include <fmt/format.h>

namespace kiln::control {

std::string arn_of(const Caller& caller) {
    return caller.session ? caller.session->arn(caller.account)
                          : "arn:aws:iam::" + caller.account.str() + ":root";
}

Status authorize(const Caller& caller, std::string_view action) {
    if (!caller.session) {
        return ok();
    }
    const PolicyDecision decision =
        decide(caller.session->policies, {action, caller.region, caller.account.str()});
    if (decision == PolicyDecision::allowed) {
        return ok();
    }
    const std::string why =
        decision == PolicyDecision::denied
            ? std::string("with an explicit deny in an identity-based policy")
            : fmt::format("because no identity-based policy allows the {} action", action);
    return Error::api(
        Code::permission_denied, "AccessDenied",
        fmt::format("User: {} is not authorized to perform: {} {}", arn_of(caller), action, why));
}

}  // namespace kiln::control
