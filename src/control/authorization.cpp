// SPDX-License-Identifier: Apache-2.0
#include "control/authorization.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/authorization_messages.h"
#include "control/refusal_document.h"
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

// IAM-36
std::string sealed_reason(const Caller& caller, const PolicyRequest& request,
                          const Decision& decision) {
    const AuthorizationMessages* messages = caller.arrival.messages;
    return messages == nullptr
               ? std::string()
               : ". Encoded authorization failure message: " +
                     messages->seal(caller.account, refusal_document(caller, request, decision));
}

Status authorize_one(const Caller& caller, const PolicyRequest& request) {
    const Decision decision = decide(caller, request);
    if (decision.outcome == PolicyDecision::allowed) {
        return ok();
    }
    return Error::api(
        Code::permission_denied, "AccessDenied",
        fmt::format("User: {} is not authorized to perform: {}{} {}{}", arn_of(caller),
                    request.action, shown(request.resource), reason(decision, request.action),
                    sealed_reason(caller, request, decision)));
}

std::string_view type_of(const Caller& caller) {
    if (!caller.identity) {
        return "Account";
    }
    switch (caller.identity->kind) {
        case Identity::Kind::account:
            return "Account";
        case Identity::Kind::user:
            return "User";
        case Identity::Kind::role:
            return "AssumedRole";
    }
    return "Account";
}

}  // namespace

std::string arn_of(const Caller& caller) {
    return caller.identity ? caller.identity->arn : root_arn(caller);
}

std::string principal_arn_of(const Caller& caller) {
    return caller.identity ? caller.identity->principal_arn : root_arn(caller);
}

PolicyFacts call_facts(const Caller& caller) {
    PolicyFacts facts;
    facts.add("aws:RequestedRegion", caller.region);
    facts.add("ec2:Region", caller.region);
    facts.add("aws:PrincipalAccount", caller.account.str());
    facts.add("aws:PrincipalArn", principal_arn_of(caller));
    facts.add("aws:PrincipalType", std::string(type_of(caller)));
    facts.add("aws:userid", caller.identity ? caller.identity->user_id : caller.account.str());
    if (caller.identity) {
        const Identity& identity = *caller.identity;
        if (!identity.user_name.empty()) {
            facts.add("aws:username", identity.user_name);
        }
        if (identity.issued) {
            facts.add("aws:TokenIssueTime", policy_seconds(*identity.issued));
        }
        for (const model::Tag& tag : identity.tags) {
            facts.add("aws:PrincipalTag/" + tag.key, tag.value);
        }
    }
    const Arrival& arrival = caller.arrival;
    if (arrival.time) {
        add_time(facts, *arrival.time);
    }
    if (!arrival.address.empty()) {
        facts.add("aws:SourceIp", arrival.address);
    }
    if (arrival.tls) {
        facts.add("aws:SecureTransport", *arrival.tls ? "true" : "false");
    }
    return facts;
}

Decision decide(const Caller& caller, const PolicyRequest& request) {
    if (!caller.identity) {
        return {};
    }
    const Identity& identity = *caller.identity;
    Decision decision;
    const auto ask = [&](std::span<const Policy> policies) {
        decision.outcome = decide(policies, request);
        if (decision.outcome == PolicyDecision::denied) {
            decision.denial = find_denial(policies, request);
        }
    };
    if (identity.kind != Identity::Kind::account) {
        ask(identity.policies);
    }
    if (decision.outcome == PolicyDecision::allowed && identity.limit) {
        ask({&*identity.limit, 1});
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
    return authorize_one(caller, {action, call_facts(caller), nullptr, view});
}

Status authorize(const Caller& caller, std::string_view action,
                 const std::vector<PolicyResource>& resources) {
    if (resources.empty() || !looks_at_resources(caller)) {
        return authorize(caller, action);
    }
    PolicyRequest request{action, call_facts(caller)};
    for (const PolicyResource& resource : resources) {
        request.resource = &resource;
        TRY(authorize_one(caller, request));
    }
    return ok();
}

}  // namespace kiln::control
