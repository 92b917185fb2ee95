// SPDX-License-Identifier: Apache-2.0
#include "control/identities.h"

namespace kiln::control {
namespace {

Result<std::vector<Policy>> read_policies(const std::vector<model::InlinePolicy>& stored,
                                          const std::string& whose) {
    std::vector<Policy> policies;
    for (const model::InlinePolicy& policy : stored) {
        auto parsed = parse_identity_policy(policy.document);
        if (!parsed) {
            return Error(Code::data_loss, "the stored policy " + policy.name + " of " + whose +
                                              ": " + parsed.error().to_string());
        }
        policies.push_back(std::move(*parsed));
    }
    return policies;
}

}  // namespace

Result<IdentityPtr> identity_of(const model::User& user, std::optional<UnixMillis> issued) {
    auto identity = std::make_shared<Identity>();
    identity->kind = Identity::Kind::user;
    identity->issued = issued;
    identity->arn = identity->principal_arn = model::arn_of(user);
    identity->user_id = user.id.str();
    identity->user_name = user.name;
    identity->tags = user.tags;
    TRY_ASSIGN(identity->policies, read_policies(user.policies, user.id.str()));
    return IdentityPtr(std::move(identity));
}

Result<IdentityPtr> identity_of(const model::Role& role, const RoleSession& session) {
    auto identity = std::make_shared<Identity>();
    identity->issued = session.issued;
    identity->arn =
        "arn:aws:sts::" + role.owner_id.str() + ":assumed-role/" + role.name + "/" + session.name;
    identity->user_id = role.id.str() + ":" + session.name;
    identity->tags = principal_tags(role.tags, session.tags);
    identity->session_tags = session.tags;
    identity->principal_arn = model::arn_of(role);
    TRY_ASSIGN(identity->policies, read_policies(role.policies, role.id.str()));
    if (!session.policy.empty()) {
        TRY_ASSIGN(identity->limit, parse_identity_policy(session.policy));
    }
    return IdentityPtr(std::move(identity));
}

IdentityPtr identity_of(const model::AccountId& account, UnixMillis issued) {
    auto identity = std::make_shared<Identity>();
    identity->kind = Identity::Kind::account;
    identity->issued = issued;
    identity->arn = identity->principal_arn = "arn:aws:iam::" + account.str() + ":root";
    identity->user_id = account.str();
    return identity;
}

}  // namespace kiln::control
