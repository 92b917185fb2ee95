// SPDX-License-Identifier: Apache-2.0
// Policies: JSON documents that say what a role may do (identity policies) and who may take it
// (trust policies), read into statements, and the decision they come to (IAM-5 .. IAM-9).
//
// What a document says is either understood here or refused when it is given: nothing in an
// accepted document is passed over. Understood: Effect, Action and NotAction with wildcards,
// Resource "*", and conditions over texts that every request has. A statement all of whose actions
// are of services that are not served here may name any resource and condition: it matches no call.
//
// Errors: MalformedPolicyDocument, with what is wrong. Thread model: plain values, pure functions.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "util/result.h"

namespace kiln::control {

// Of a document as it is sent; what a role may hold is less (IAM-4).
inline constexpr std::size_t kMaxPolicyBytes = 131'072;

enum class ConditionKey {
    requested_region,
    principal_account,
    principal_arn,
    external_id,   // trust policies
    session_name,  // trust policies
};

struct PolicyCondition {
    ConditionKey key = ConditionKey::requested_region;
    bool negated = false;      // StringNot...
    bool ignore_case = false;  // String...IgnoreCase
    bool wildcards = false;    // StringLike
    std::vector<std::string> values;
};

struct PolicyStatement {
    bool allow = false;
    bool all_but = false;              // NotAction
    std::vector<std::string> actions;  // "*", "ec2:Describe*"
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

// A call, as policies see it.
struct PolicyRequest {
    std::string_view action;  // "ec2:RunInstances"
    std::string_view region;
    std::string_view account;  // of the caller
    // What trust policies look at besides. Absent is not empty: no value equals it.
    std::optional<std::string_view> principal_arn{};  // of the user or role that calls
    std::optional<std::string_view> external_id{};
    std::optional<std::string_view> session_name{};
};

enum class PolicyDecision { allowed, denied, not_allowed };  // denied: by a Deny

// A Deny that matches wins; without an Allow that matches nothing is allowed.
PolicyDecision decide(std::span<const Policy> policies, const PolicyRequest& request);

// IAM-9: whether `service` ("ec2.amazonaws.com") may take a role with this trust policy.
bool trusts_service(const Policy& trust, std::string_view service);

// IAM-17: whether a trust policy lets somebody take the role. `caller`: the account is trusted, and
// says itself who of it may; `principal`: the user, role or session is named.
enum class Trust { none, caller_account, principal, denied };
// `session_arn`: of the caller, as GetCallerIdentity says.
Trust trust_of(const Policy& trust, const PolicyRequest& request, std::string_view session_arn);

// '*' is any run of characters, '?' any one.
bool wildcard_match(std::string_view pattern, std::string_view text, bool ignore_case);

}  // namespace kiln::control
