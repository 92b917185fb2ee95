// SPDX-License-Identifier: Apache-2.0
#include "control/authorization.h"

#include <fmt/format.h>

namespace kiln::control {
namespace {

std::string root_arn(const Caller& caller) {
    return "arn:aws:iam::" + caller.account.str() + ":root";
}

std::string reason(const Decision& decision, std::string_view action) {
    const std::string_view kind = decision.by_limit ? "session" : "identity-based";
    return decision.outcome == PolicyDecision::denied
               ? fmt::format("with an explicit deny in {} {} policy",
                             decision.by_limit ? "a" : "an", kind)
               : fmt::format("because no {} policy allows the {} action", kind, action);
}

}  // namespace

std::string arn_of(const Caller& caller) {
    return caller.identity ? caller.identity->arn : root_arn(caller);
}

std::string principal_arn_of(const Caller& caller) {
    return caller.identity ? caller.identity->principal_arn : root_arn(caller);
}

Decision decide(const Caller& caller, const PolicyRequest& request) {
    if (!caller.identity) {
        return {};
    }
    const Identity& identity = *caller.identity;
    Decision decision;
    if (identity.kind != Identity::Kind::account) {
        decision.outcome = decide(identity.policies, request);
    }
    if (decision.outcome == PolicyDecision::allowed && identity.limit) {
        decision.outcome = decide({&*identity.limit, 1}, request);
        decision.by_limit = decision.outcome != PolicyDecision::allowed;
    }
    return decision;
}

Status authorize(const Caller& caller, std::string_view action) {
    const std::string principal = principal_arn_of(caller);
    const Decision decision =
        decide(caller, {action, caller.region, caller.account.str(), principal});
    if (decision.outcome == PolicyDecision::allowed) {
        return ok();
    }
    return Error::api(Code::permission_denied, "AccessDenied",
                      fmt::format("User: {} is not authorized to perform: {} {}", arn_of(caller),
                                  action, reason(decision, action)));
}

}  // namespace kiln::control
