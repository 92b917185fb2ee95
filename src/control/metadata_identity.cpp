// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_identity.h"

#include <fmt/format.h>

#include <vector>

namespace kiln::control {
namespace {

constexpr std::string_view kEc2 = "ec2.amazonaws.com";

std::string seconds(UnixMillis time) {
    return format_iso8601(time).substr(0, 19) + "Z";
}

// Laid out as EC2 lays it out. No value has a character that JSON escapes: names, ARNs, Base64.
std::string object(const std::vector<std::pair<std::string_view, std::string>>& members) {
    std::string text;
    for (const auto& [name, value] : members) {
        text += fmt::format("{}\n  \"{}\" : \"{}\"", text.empty() ? "{" : ",", name, value);
    }
    return text + "\n}";
}

std::string info(const IdentityFacts& facts) {
    if (!facts.profile_exists) {
        return object(
            {{"Code", "InstanceProfileNotFound"},
             {"Message", fmt::format("Instance Profile {} cannot be found.", facts.profile.arn)},
             {"LastUpdated", seconds(facts.now)}});
    }
    return object({{"Code", "Success"},
                   {"LastUpdated", seconds(facts.keys ? facts.keys->issued : facts.now)},
                   {"InstanceProfileArn", facts.profile.arn},
                   {"InstanceProfileId", facts.profile.id.str()}});
}

std::string keys(const IdentityFacts& facts) {
    if (!facts.keys) {
        return object({{"Code", "AssumeRoleUnauthorizedAccess"},
                       {"Message", fmt::format("EC2 cannot assume the role {}.", facts.role)},
                       {"LastUpdated", seconds(facts.now)}});
    }
    return object({{"Code", "Success"},
                   {"LastUpdated", seconds(facts.keys->issued)},
                   {"Type", "AWS-HMAC"},
                   {"AccessKeyId", facts.keys->id.str()},
                   {"SecretAccessKey", facts.keys->secret},
                   {"Token", facts.keys->token},
                   {"Expiration", seconds(facts.keys->expires)}});
}

}  // namespace

Result<std::optional<IdentityFacts>> load_identity(catalog::Store& store, Sessions& sessions,
                                                   const model::Instance& instance,
                                                   UnixMillis now) {
    using Facts = std::optional<IdentityFacts>;
    if (!instance.profile) {
        return Facts();
    }
    IdentityFacts facts;
    facts.profile = *instance.profile;
    facts.now = now;
    std::optional<model::Role> role;
    TRY(store.read([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto profile, tx.instance_profiles().find(instance.profile->id));
        facts.profile_exists = profile.has_value();
        if (profile && !profile->role_id.empty()) {
            TRY_ASSIGN(role, tx.roles().find(profile->role_id));
        }
        return ok();
    }));
    if (role) {
        facts.role = role->name;
        TRY_ASSIGN(const Policy trust, parse_trust_policy(role->trust_policy));
        PolicyFacts call;
        add_time(call, now);
        call.add("aws:RequestedRegion", instance.region);
        call.add("ec2:Region", instance.region);
        if (trusts_service(trust, kEc2, call)) {  // IAM-9
            facts.keys = sessions.keys_for(instance, *role);
        }
    }
    return Facts(std::move(facts));
}

void put_identity(MetadataTree& tree, const IdentityFacts& facts) {
    tree.put("meta-data/iam/info", info(facts));
    if (!facts.role.empty()) {
        tree.put("meta-data/iam/security-credentials/" + facts.role, keys(facts));
    }
}

}  // namespace kiln::control
