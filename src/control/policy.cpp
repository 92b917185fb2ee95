// SPDX-License-Identifier: Apache-2.0
// What policies come to. policy_parser.cpp reads them.
#include "control/policy.h"

#include <algorithm>

namespace kiln::control {
namespace {

constexpr std::string_view kAssumeRole = "sts:AssumeRole";

char lower(char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool same(char a, char b, bool ignore_case) {
    return a == b || (ignore_case && lower(a) == lower(b));
}

bool names_action(const PolicyStatement& statement, std::string_view action) {
    const bool named =
        std::any_of(statement.actions.begin(), statement.actions.end(),
                    [&](const std::string& p) { return wildcard_match(p, action, true); });
    return named != statement.all_but;
}

// What every call has, and what trust policies look at besides. Nothing for keys of resources.
std::optional<std::string_view> value_of(std::string_view key, const PolicyRequest& request) {
    if (key == "aws:requestedregion" || key == "ec2:region") {
        return request.region;
    }
    if (key == "aws:principalaccount") {
        return request.account;
    }
    if (key == "aws:principalarn") {
        return request.principal_arn;
    }
    if (key == "sts:externalid") {
        return request.external_id;
    }
    return key == "sts:rolesessionname" ? request.session_name : std::nullopt;
}

bool holds(const PolicyStatement& statement, const PolicyCondition& condition,
           const PolicyRequest& request) {
    if (condition.of_resource) {
        if (request.view != ResourceView::exact) {
            return statement.allow == (request.view == ResourceView::later);
        }
        return control::holds(condition, request.resource == nullptr
                                             ? nullptr
                                             : request.resource->facts.find(condition.key));
    }
    const auto value = value_of(condition.key, request);
    const std::vector<std::string> values{std::string(value.value_or(""))};
    return control::holds(condition, value ? &values : nullptr);
}

bool is_narrow(const PolicyStatement& statement) {
    const auto& patterns = statement.resources;
    return statement.all_but_resources ||
           (!patterns.empty() &&
            std::find(patterns.begin(), patterns.end(), "*") == patterns.end());
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
    const auto names = [&](const std::string& pattern) {
        if (pattern == "*") {
            return true;
        }
        return request.resource != nullptr &&
               std::any_of(request.resource->arns.begin(), request.resource->arns.end(),
                           [&](const std::string& arn) { return arn_match(pattern, arn); });
    };
    const bool named = std::any_of(statement.resources.begin(), statement.resources.end(), names);
    return named != statement.all_but_resources;
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

// One mark to come back to is enough: what an earlier '*' could still take, a later one can.
bool wildcard_match(std::string_view pattern, std::string_view text, bool ignore_case) {
    std::size_t p = 0;
    std::size_t t = 0;
    std::size_t star = pattern.npos;
    std::size_t taken = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern.size() &&
                   (pattern[p] == '?' || same(pattern[p], text[t], ignore_case))) {
            ++p;
            ++t;
        } else if (star != pattern.npos) {
            p = star + 1;
            t = ++taken;
        } else {
            return false;
        }
    }
    return pattern.find_first_not_of('*', p) == pattern.npos;
}

bool looks_at_resources(const Policy& policy) {
    return std::any_of(policy.begin(), policy.end(), [](const PolicyStatement& statement) {
        return !statement.elsewhere &&
               (is_narrow(statement) ||
                std::any_of(statement.conditions.begin(), statement.conditions.end(),
                            [](const PolicyCondition& c) { return c.of_resource; }));
    });
}

PolicyDecision decide(std::span<const Policy> policies, const PolicyRequest& request) {
    PolicyDecision decision = PolicyDecision::not_allowed;
    for (const Policy& policy : policies) {
        for (const PolicyStatement& statement : policy) {
            if (!matches(statement, request)) {
                continue;
            }
            if (!statement.allow) {
                return PolicyDecision::denied;
            }
            decision = PolicyDecision::allowed;
        }
    }
    return decision;
}

Trust trust_of(const Policy& trust, const PolicyRequest& request, std::string_view session_arn) {
    const std::string account(request.account);
    const std::string root = "arn:aws:iam::" + account + ":root";
    Trust found = Trust::none;
    for (const PolicyStatement& statement : trust) {
        const auto names = [&](std::string_view text) {
            return std::find(statement.principals.begin(), statement.principals.end(), text) !=
                   statement.principals.end();
        };
        const auto means = [&](std::string_view arn) { return arn != root && names(arn); };
        const bool named =
            means(session_arn) || (request.principal_arn && means(*request.principal_arn));
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

// A service says nothing of itself that conditions look at: none holds but those that say "not".
bool trusts_service(const Policy& trust, std::string_view service) {
    bool trusted = false;
    for (const PolicyStatement& statement : trust) {
        const bool named = std::find(statement.services.begin(), statement.services.end(),
                                     service) != statement.services.end();
        if (!matches(statement, {kAssumeRole, {}, {}})) {
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
