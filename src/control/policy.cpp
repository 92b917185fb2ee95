// SPDX-License-Identifier: Apache-2.0
// What policies come to. policy_parser.cpp reads them.
#include "control/policy.h"

#include <algorithm>

namespace kiln::control {
namespace {

constexpr std::string_view kAssumeRole = "sts:AssumeRole";

bool names_action(const PolicyStatement& statement, std::string_view action) {
    const bool named =
        std::any_of(statement.actions.begin(), statement.actions.end(),
                    [&](const std::string& p) { return wildcard_match(p, action, true); });
    return named != statement.all_but;
}

FindFact facts_of(const PolicyRequest& request) {
    return [&request](std::string_view key) {
        const auto* values = request.call.find(key);
        return values == nullptr && request.resource != nullptr ? request.resource->facts.find(key)
                                                                : values;
    };
}

std::string first_of(const PolicyFacts& facts, std::string_view key) {
    const auto* values = facts.find(key);
    return values == nullptr ? std::string() : values->front();
}

bool holds(const PolicyStatement& statement, const PolicyCondition& condition,
           const PolicyRequest& request) {
    if (condition.of_resource && request.view != ResourceView::exact) {
        return statement.allow == (request.view == ResourceView::later);
    }
    return control::holds(condition, facts_of(request));
}

bool is_everything(const PolicyText& resource) {
    return resource.text() == "*";
}

bool is_narrow(const PolicyStatement& statement) {
    const auto& patterns = statement.resources;
    return statement.all_but_resources ||
           (!patterns.empty() && std::none_of(patterns.begin(), patterns.end(), is_everything));
}

// IAM-7
bool names_resource(const PolicyStatement& statement, const PolicyRequest& request) {
    const bool narrow = is_narrow(statement);
    if (narrow && request.view != ResourceView::exact) {
        return statement.allow == (request.view == ResourceView::later);
    }
    if (!narrow) {
        return true;
    }
    bool named = false;
    bool all_known = true;
    for (const PolicyText& resource : statement.resources) {
        const auto pattern = resource.resolve(facts_of(request));
        all_known = all_known && pattern;
        named = named || is_everything(resource) ||
                (pattern && request.resource != nullptr &&
                 std::any_of(request.resource->arns.begin(), request.resource->arns.end(),
                             [&](const std::string& arn) { return arn_match(*pattern, arn); }));
    }
    if (!statement.all_but_resources) {
        return named;
    }
    // IAM-33: an exception whose name is not known might be this one. That allows nothing.
    return !named && (all_known || !statement.allow);
}

bool matches(const PolicyStatement& statement, const PolicyRequest& request) {
    return !statement.elsewhere && names_action(statement, request.action) &&
           names_resource(statement, request) &&
           std::all_of(statement.conditions.begin(), statement.conditions.end(),
                       [&](const PolicyCondition& condition) {
                           return holds(statement, condition, request);
                       });
}

}  // namespace

bool looks_at_resources(const Policy& policy) {
    return std::any_of(policy.begin(), policy.end(), [](const PolicyStatement& statement) {
        return !statement.elsewhere &&
               (is_narrow(statement) ||
                std::any_of(statement.conditions.begin(), statement.conditions.end(),
                            [](const PolicyCondition& c) { return c.of_resource; }));
    });
}

const PolicyStatement* find_denial(std::span<const Policy> policies, const PolicyRequest& request) {
    for (const Policy& policy : policies) {
        for (const PolicyStatement& statement : policy) {
            if (!statement.allow && matches(statement, request)) {
                return &statement;
            }
        }
    }
    return nullptr;
}

PolicyDecision decide(std::span<const Policy> policies, const PolicyRequest& request) {
    if (find_denial(policies, request) != nullptr) {
        return PolicyDecision::denied;
    }
    const bool allowed = std::any_of(policies.begin(), policies.end(), [&](const Policy& policy) {
        return std::any_of(policy.begin(), policy.end(), [&](const PolicyStatement& statement) {
            return statement.allow && matches(statement, request);
        });
    });
    return allowed ? PolicyDecision::allowed : PolicyDecision::not_allowed;
}

Trust trust_of(const Policy& trust, const PolicyRequest& request, std::string_view session_arn) {
    const std::string account = first_of(request.call, "aws:principalaccount");
    const std::string principal = first_of(request.call, "aws:principalarn");
    const std::string root = "arn:aws:iam::" + account + ":root";
    Trust found = Trust::none;
    for (const PolicyStatement& statement : trust) {
        const auto names = [&](std::string_view text) {
            return std::find(statement.principals.begin(), statement.principals.end(), text) !=
                   statement.principals.end();
        };
        const auto means = [&](std::string_view arn) {
            return !arn.empty() && arn != root && names(arn);
        };
        const bool named = means(session_arn) || means(principal);
        const bool of_account = statement.anybody || names(account) || names(root);
        if ((!named && !of_account) || !matches(statement, request)) {
            continue;
        }
        if (!statement.allow) {
            return Trust::denied;
        }
        found = std::max(found, named ? Trust::principal : Trust::caller_account);
    }
    return found;
}

bool trusts_service(const Policy& trust, std::string_view service, const PolicyFacts& call) {
    bool trusted = false;
    const PolicyRequest request{kAssumeRole, call};
    for (const PolicyStatement& statement : trust) {
        const bool named = std::find(statement.services.begin(), statement.services.end(),
                                     service) != statement.services.end();
        if (!matches(statement, request)) {
            continue;
        }
        if (!statement.allow && (named || statement.anybody)) {
            return false;
        }
        // "Anybody" means principals with keys: a service is trusted by its name alone.
        trusted = trusted || (statement.allow && named);
    }
    return trusted;
}

}  // namespace kiln::control
