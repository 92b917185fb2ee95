// SPDX-License-Identifier: Apache-2.0
// Authorization: what a caller may do (IAM-5). The keys of an account may do everything in it; a
// user's or a role's may do what the policies of that allow. Every operation is asked about once,
// before its handler; a use case asks about what it does besides (iam:PassRole). Thread model:
// plain values and pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "control/caller.h"
#include "control/policy.h"
#include "control/session_tags.h"
#include "util/result.h"

namespace kiln::control {

// Who a caller is that is not the account itself: a user, a role, or a session of the account.
struct Identity {
    enum class Kind { account, user, role };
    Kind kind = Kind::role;
    std::optional<UnixMillis> issued;  // of the keys of a session, which end
    std::string arn;                   // "arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION"
    std::string user_id;               // "ROLE-ID:SESSION"
    std::string principal_arn;         // of the role, the user or the account: as policies name it
    std::string user_name;             // of a user
    // Of the user; of the role and the session (IAM-34).
    std::vector<model::Tag> tags;
    SessionTags session_tags;  // of the session alone
    // Of the user or the role, as they were when the call came; an account needs none.
    std::vector<Policy> policies;
    std::optional<Policy> limit;  // what the session was limited to when it was made (IAM-21)

    bool temporary() const { return issued.has_value(); }
};

std::string arn_of(const Caller& caller);
// The same, of the role or the user behind a session.
std::string principal_arn_of(const Caller& caller);

// What policies know of every call: who asks, where, when and from where (IAM-8).
PolicyFacts call_facts(const Caller& caller);

// What the policies of the caller come to; denied or not_allowed say why. Everything is allowed to
// the account.
struct Decision {
    PolicyDecision outcome = PolicyDecision::allowed;
    bool by_limit = false;                    // of the session, not by the policies
    const PolicyStatement* denial = nullptr;  // what denied it; of the caller's policies
};
Decision decide(const Caller& caller, const PolicyRequest& request);

// Whether what a call touches makes a difference for this caller.
bool looks_at_resources(const Caller& caller);

// AccessDenied, with the text clients show, unless the caller may do `action` ("ec2:RunInstances").
// Without resources: on nothing that has an ARN, or as `view` says.
Status authorize(const Caller& caller, std::string_view action,
                 ResourceView view = ResourceView::exact);
// The same on each of these; none of them is the same as no resource.
Status authorize(const Caller& caller, std::string_view action,
                 const std::vector<PolicyResource>& resources);

}  // namespace kiln::control
