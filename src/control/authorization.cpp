// SPDX-License-Identifier: Apache-2.0
#include "control/authorization.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/resource_facts.h"

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

// What a refusal says of a resource: no more than who asked knew.
std::string shown(const PolicyResource* resource) {
    if (resource == nullptr) {
        return {};
    }
    const auto* asked = resource->facts.find(kAskedAs);
    return " on resource: " + (asked == nullptr ? resource->arns : *asked).front();
}

Status authorize_one(const Caller& caller, std::string_view action, const PolicyResource* resource,
                     ResourceView view) {
    const std::string principal = principal_arn_of(caller);
    PolicyRequest request{action, caller.region, caller.account.str(), principal};
    request.resource = resource;
    request.view = view;
    const Decision decision = decide(caller, request);
    if (decision.outcome == PolicyDecision::allowed) {
        return ok();
    }
    return Error::api(Code::permission_denied, "AccessDenied",
                      fmt::format("User: {} is not authorized to perform: {}{} {}", arn_of(caller),
                                  action, shown(resource), reason(decision, action)));
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

bool looks_at_resources(const Caller& caller) {
    if (!caller.identity) {
        return false;
    }
    const auto looks = [](const Policy& policy) { return control::looks_at_resources(policy); };
    const Identity& identity = *caller.identity;
    return std::any_of(identity.policies.begin(), identity.policies.end(), looks) ||
           (identity.limit && looks(*identity.limit));
}

Status authorize(const Caller& caller, std::string_view action, ResourceView view) {
    return authorize_one(caller, action, nullptr, view);
}

Status authorize(const Caller& caller, std::string_view action,
                 const std::vector<PolicyResource>& resources) {
    if (resources.empty() || !looks_at_resources(caller)) {
        return authorize(caller, action);
    }
    for (const PolicyResource& resource : resources) {
        TRY(authorize_one(caller, action, &resource, ResourceView::exact));
    }
    return ok();
}

}  // namespace kiln::control
