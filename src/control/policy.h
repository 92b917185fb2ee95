// SPDX-License-Identifier: Apache-2.0
// Policies: JSON documents that say what a role may do (identity policies) and who may take it
// (trust policies), read into statements, and the decision they come to (IAM-5 .. IAM-9).
//
// What a document says is either understood here or refused when it is given: nothing in an
// accepted document is passed over. Understood: Effect, Action and NotAction with wildcards,
// Resource and NotResource, the conditions of control/policy_conditions.h and the variables of
// control/policy_text.h. A statement all of whose actions are of services that are not served here
// may name any condition: it matches no call.
//
// A call that touches several resources is decided for each of them; control/authorization.h does
// that.
//
// Errors: MalformedPolicyDocument, with what is wrong. Thread model: plain values, pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "control/policy_conditions.h"
#include "control/policy_facts.h"
#include "control/policy_text.h"
#include "util/result.h"

namespace kiln::control {

// Of a document as it is sent; what a role may hold is less (IAM-4).
inline constexpr std::size_t kMaxPolicyBytes = 131'072;

struct PolicyStatement {
    std::string sid;
    bool allow = false;
    bool all_but = false;              // NotAction
    std::vector<std::string> actions;  // "*", "ec2:Describe*"
    // IAM-7. Of identity policies; a trust policy is about its role.
    bool all_but_resources = false;     // NotResource
    std::vector<PolicyText> resources;  // ARNs with wildcards; none: all
    std::vector<PolicyCondition> conditions;
    bool elsewhere = false;  // of services that are not served here alone
    // Of trust policies:
    std::vector<std::string> services;    // "ec2.amazonaws.com"
    std::vector<std::string> principals;  // account numbers and ARNs, as given
    bool anybody = false;                 // Principal "*"
};

using Policy = std::vector<PolicyStatement>;

Result<Policy> parse_identity_policy(std::string_view text);
Result<Policy> parse_trust_policy(std::string_view text);

// Something a call touches, or makes, as policies see it.
struct PolicyResource {
    // Its ARN, in each form in which a policy may name it. What does not exist yet ends in "/*".
    std::vector<std::string> arns;
    PolicyFacts facts;  // of it, and of what the request says about it
};

// How far it is known what a call touches.
enum class ResourceView {
    exact,
    // Not: what is narrower than everything holds when it denies, and does not when it allows.
    unknown,
    // Not yet: the other way round. What is refused so is refused whatever it touches.
    later,
};

// A call, as policies see it.
struct PolicyRequest {
    std::string_view action;  // "ec2:RunInstances"
    // Of who calls, when and how; for trust policies also of the AssumeRole. The caller's account
    // is aws:PrincipalAccount, the user or role that calls aws:PrincipalArn.
    PolicyFacts call{};
    // Null: it touches nothing that has an ARN, and is about "*".
    const PolicyResource* resource = nullptr;
    ResourceView view = ResourceView::exact;
};

enum class PolicyDecision { allowed, denied, not_allowed };  // denied: by a Deny

// A Deny that matches wins; without an Allow that matches nothing is allowed.
PolicyDecision decide(std::span<const Policy> policies, const PolicyRequest& request);
// The first Deny that matches; null where none does.
const PolicyStatement* find_denial(std::span<const Policy> policies, const PolicyRequest& request);

// IAM-9: whether `service` ("ec2.amazonaws.com") may take a role with this trust policy. `call`: of
// the moment and the place, since a service says nothing of itself.
bool trusts_service(const Policy& trust, std::string_view service, const PolicyFacts& call);

// IAM-17: whether a trust policy lets somebody take the role. `caller`: the account is trusted, and
// says itself who of it may; `principal`: the user, role or session is named.
enum class Trust { none, caller_account, principal, denied };
// `session_arn`: of the caller, as GetCallerIdentity says.
Trust trust_of(const Policy& trust, const PolicyRequest& request, std::string_view session_arn);

// Whether some statement looks at more of a call than its action, its region and who calls: else
// what it touches need not be found out.
bool looks_at_resources(const Policy& policy);

}  // namespace kiln::control
