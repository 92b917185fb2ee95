// SPDX-License-Identifier: Apache-2.0
#include "control/temporary_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/identity_rules.h"
#include "control/resource_facts.h"
#include "control/roles.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::string_view kAssumeRole = "sts:AssumeRole";
constexpr std::string_view kTagSession = "sts:TagSession";
constexpr std::int32_t kShortest = 900;
constexpr std::int32_t kLongest = 43'200;  // of a role's keys
constexpr std::int32_t kOneHour = 3'600;
constexpr std::int32_t kLongestOfUser = 129'600;
// Bytes of a session's policy, and of that and its tags together.
constexpr std::size_t kMaxSessionPolicy = 2'048;
constexpr std::size_t kMaxExternalId = 1'224;

bool is_word(std::string_view text, std::string_view marks) {
    return std::all_of(text.begin(), text.end(), [&](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               marks.find(c) != marks.npos;
    });
}

struct RoleName {
    model::AccountId account;
    std::string path;
    std::string name;
};

// arn:aws:iam::ACCOUNT:role/path/name
Result<RoleName> parse_role_arn(const std::string& arn) {
    constexpr std::string_view kStart = "arn:aws:iam::";
    constexpr std::string_view kRole = ":role/";
    constexpr std::size_t kAccount = 12;
    const std::string_view text = arn;
    const auto role = kStart.size() + kAccount;
    if (!text.starts_with(kStart) || text.size() <= role + kRole.size() ||
        !model::is_well_formed_account(text.substr(kStart.size(), kAccount)) ||
        text.substr(role, kRole.size()) != kRole || text.ends_with('/')) {
        return errors::validation(fmt::format("{} is invalid", arn));
    }
    const std::string_view path = text.substr(role + kRole.size() - 1);
    const auto slash = path.rfind('/');
    return RoleName{model::AccountId(std::string(text.substr(kStart.size(), kAccount))),
                    std::string(path.substr(0, slash + 1)), std::string(path.substr(slash + 1))};
}

Status check(const AssumeRoleInput& input) {
    if (input.session_name.size() < 2 || input.session_name.size() > 64 ||
        !is_word(input.session_name, "_+=,.@-")) {
        return errors::validation(
            "RoleSessionName has 2 to 64 characters: letters, digits and _+=,.@-");
    }
    if (input.external_id &&
        (input.external_id->size() < 2 || input.external_id->size() > kMaxExternalId ||
         !is_word(*input.external_id, "_+=,.@:/-"))) {
        return errors::validation(
            "ExternalId has 2 to 1224 characters: letters, digits and _+=,.@:/-");
    }
    if (input.seconds && (*input.seconds < kShortest || *input.seconds > kLongest)) {
        return errors::validation(
            fmt::format("DurationSeconds is a number from {} to {}.", kShortest, kLongest));
    }
    if (!input.policy.empty()) {
        if (input.policy.size() > kMaxSessionPolicy) {
            return Error::api(
                Code::invalid_argument, "PackedPolicyTooLarge",
                fmt::format("The policy of a session has up to {} bytes.", kMaxSessionPolicy));
        }
        TRY(parse_identity_policy(input.policy));
    }
    return ok();
}

Error not_authorized(const Caller& caller, std::string_view action, const AssumeRoleInput& input) {
    return Error::api(Code::permission_denied, "AccessDenied",
                      fmt::format("User: {} is not authorized to perform: {} on resource: {}",
                                  arn_of(caller), action, input.role_arn));
}

// IAM-17. In the role's own account, whom its trust names needs no other permission; whom it trusts
// as one of an account does, and so does everybody of another account. A Deny always counts.
bool may(const Caller& caller, const PolicyRequest& request, const Policy& trust,
         const model::Role& role) {
    const Decision own = decide(caller, request);
    const Trust trusted = trust_of(trust, request, arn_of(caller));
    if (trusted == Trust::none || trusted == Trust::denied ||
        own.outcome == PolicyDecision::denied) {
        return false;
    }
    const bool limited = caller.identity && caller.identity->limit &&
                         decide({&*caller.identity->limit, 1}, request) != PolicyDecision::allowed;
    const bool named = trusted == Trust::principal && role.owner_id == caller.account;
    return own.outcome == PolicyDecision::allowed || (named && !limited);
}

// What policies see of the request besides the role.
PolicyFacts request_facts(const Caller& caller, const AssumeRoleInput& input) {
    PolicyFacts facts = call_facts(caller);
    if (input.external_id) {
        facts.add("sts:ExternalId", *input.external_id);
    }
    facts.add("sts:RoleSessionName", input.session_name);
    add_request_tags(facts, input.tags);
    for (const std::string& key : input.transitive_tag_keys) {
        facts.add("sts:TransitiveTagKeys", key);
    }
    return facts;
}

Status check_may_assume(const Caller& caller, const AssumeRoleInput& input, const SessionTags& tags,
                        const model::Role& role) {
    const auto trust = parse_trust_policy(role.trust_policy);
    if (!trust) {
        return Error(Code::data_loss,
                     "the trust policy of " + role.id.str() + ": " + trust.error().to_string());
    }
    PolicyResource target = resource_by_arn(model::arn_of(role));
    add_tags(target.facts, role.tags);
    PolicyRequest request{kAssumeRole, request_facts(caller, input), &target};
    if (!may(caller, request, *trust, role)) {
        return not_authorized(caller, kAssumeRole, input);
    }
    request.action = kTagSession;  // IAM-34
    return tags.empty() || may(caller, request, *trust, role)
               ? ok()
               : Status(not_authorized(caller, kTagSession, input));
}

Result<SessionTags> session_tags(const Caller& caller, const AssumeRoleInput& input) {
    TRY_ASSIGN(auto given, read_session_tags(input.tags, input.transitive_tag_keys));
    TRY_ASSIGN(auto tags,
               inherit_tags(caller.identity ? caller.identity->session_tags : SessionTags(),
                            std::move(given)));
    if (bytes_of(tags) + input.policy.size() > kMaxSessionPolicy) {
        return Error::api(
            Code::invalid_argument, "PackedPolicyTooLarge",
            fmt::format("The policy and the tags of a session have up to {} bytes together.",
                        kMaxSessionPolicy));
    }
    return tags;
}

// IAM-18.
Result<std::int32_t> session_seconds(const Caller& caller, const AssumeRoleInput& input,
                                     const model::Role& role) {
    const std::int32_t seconds = input.seconds.value_or(kOneHour);
    if (seconds > role.max_session_s) {
        return errors::validation(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
    }
    const bool chained = caller.identity && caller.identity->kind == Identity::Kind::role;
    if (chained && seconds > kOneHour) {
        return errors::validation(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by "
            "role chaining.");
    }
    return seconds;
}

}  // namespace

Result<AssumedRole> TemporaryKeys::assume_role(const Caller& caller, const AssumeRoleInput& input) {
    TRY(check(input));
    TRY_ASSIGN(const SessionTags tags, session_tags(caller, input));
    TRY_ASSIGN(const RoleName wanted, parse_role_arn(input.role_arn));
    TRY_ASSIGN(const auto role,
               store_.read([&](catalog::Transaction& tx) -> Result<std::optional<model::Role>> {
                   catalog::RoleQuery query;
                   query.owners = {wanted.account};
                   query.names = {wanted.name};
                   TRY_ASSIGN(auto found, tx.roles().list(query));
                   if (found.empty() || found.front().path != wanted.path) {
                       return std::optional<model::Role>();
                   }
                   return std::optional<model::Role>(std::move(found.front()));
               }));
    if (!role) {
        return not_authorized(caller, kAssumeRole, input);
    }
    TRY(check_may_assume(caller, input, tags, *role));
    TRY_ASSIGN(const std::int32_t seconds, session_seconds(caller, input, *role));
    AssumedRole assumed;
    assumed.keys = sessions_.assume(
        *role, {input.session_name, input.policy, std::chrono::seconds(seconds), tags});
    TRY_ASSIGN(const IdentityPtr identity,
               identity_of(*role, {input.session_name, assumed.keys.issued}));
    assumed.arn = identity->arn;
    assumed.id = identity->user_id;
    if (const std::size_t used = input.policy.size() + bytes_of(tags); used > 0) {
        assumed.policy_percent =
            static_cast<std::int32_t>((used * 100 + kMaxSessionPolicy - 1) / kMaxSessionPolicy);
    }
    return assumed;
}

Result<SessionKeys> TemporaryKeys::session_token(const Caller& caller,
                                                 std::optional<std::int32_t> seconds) {
    if (caller.identity && caller.identity->temporary()) {
        return Error::api(Code::permission_denied, "AccessDenied",
                          "Cannot call GetSessionToken with session credentials");
    }
    if (seconds && (*seconds < kShortest || *seconds > kLongestOfUser)) {
        return errors::validation(
            fmt::format("DurationSeconds is a number from {} to {}.", kShortest, kLongestOfUser));
    }
    if (!caller.identity) {
        // As AWS does: what is longer for an account is cut, not refused.
        return sessions_.session_of(
            caller.account, {},
            std::chrono::seconds(std::min(seconds.value_or(kOneHour), kOneHour)));
    }
    TRY_ASSIGN(const auto user,
               store_.read([&](catalog::Transaction& tx) -> Result<std::optional<model::User>> {
                   return tx.users().find(model::UserId(caller.identity->user_id));
               }));
    if (!user) {
        return Error::api(Code::unauthenticated, "InvalidClientTokenId",
                          "The security token included in the request is invalid.");
    }
    return sessions_.session_of(caller.account, user->id,
                                std::chrono::seconds(seconds.value_or(kLongest)));
}

Result<model::AccountId> TemporaryKeys::account_of(const std::string& access_key_id) {
    if (access_key_id.size() < 16 || access_key_id.size() > 128 || !is_word(access_key_id, "_")) {
        return errors::validation("AccessKeyId has 16 to 128 letters, digits and underscores.");
    }
    TRY_ASSIGN(const auto key, store_.read([&](catalog::Transaction& tx) {
        return tx.access_keys().find(model::AccessKeyId(access_key_id));
    }));
    if (!key) {
        return Error::api(Code::permission_denied, "AccessDenied",
                          "The access key is not known: it is none of this service, or one of a "
                          "session, which the service does not keep.");
    }
    return key->account;
}

}  // namespace kiln::control
