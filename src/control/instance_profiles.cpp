// SPDX-License-Identifier: Apache-2.0
#include "control/instance_profiles.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/authorization.h"
#include "control/resource_facts.h"
#include "control/resource_lookup.h"
#include "control/roles.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMaxProfiles = 1'000;  // IAM-2
constexpr std::string_view kPassRole = "iam:PassRole";

catalog::InstanceProfileQuery of_caller(const Caller& caller) {
    catalog::InstanceProfileQuery query;
    query.owners = {caller.account};
    return query;
}

Result<model::InstanceProfile> find_profile(catalog::Transaction& tx, const Caller& caller,
                                            const std::string& name) {
    catalog::InstanceProfileQuery query = of_caller(caller);
    query.names = {name};
    TRY_ASSIGN(auto found, tx.instance_profiles().list(query));
    if (found.empty()) {
        return errors::no_such_entity("instance profile", name);
    }
    return std::move(found.front());
}

Result<InstanceProfileView> view_of(catalog::Transaction& tx, model::InstanceProfile profile) {
    InstanceProfileView view{std::move(profile), {}};
    if (!view.profile.role_id.empty()) {
        TRY_ASSIGN(view.role, tx.roles().find(view.profile.role_id));
    }
    return view;
}

Status authorize_pass(const Caller& caller, PolicyResource role) {
    role.facts.add("iam:PassedToService", "ec2.amazonaws.com");
    return authorize(caller, kPassRole, {std::move(role)});
}

}  // namespace

Result<InstanceProfileView> InstanceProfiles::create(const Caller& caller,
                                                     const CreateInstanceProfileInput& input) {
    TRY(check_identity_name(input.name, "instanceProfileName", kMaxIdentityName));
    TRY(check_identity_path(input.path));
    TRY(check_identity_tags(input.tags));
    std::array<std::uint8_t, model::kIdentityRandomBytes> random{};
    rng_.fill(random);
    model::InstanceProfile profile;
    profile.id = model::make_instance_profile_id(random);
    profile.owner_id = caller.account;
    profile.name = input.name;
    profile.path = input.path;
    profile.tags = input.tags;
    profile.created = clock_.now();
    const Status inserted = store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto present, tx.instance_profiles().list(of_caller(caller)));
        if (present.size() >= kMaxProfiles) {
            return errors::limit_exceeded(
                "Cannot exceed quota for InstanceProfilesPerAccount: 1000");
        }
        return tx.instance_profiles().insert(profile);
    });
    if (!inserted && inserted.error().code() == Code::already_exists) {
        return errors::entity_exists("Instance Profile", input.name);
    }
    TRY(inserted);
    return InstanceProfileView{std::move(profile), {}};
}

Result<InstanceProfileView> InstanceProfiles::get(const Caller& caller, const std::string& name) {
    return store_.read([&](catalog::Transaction& tx) -> Result<InstanceProfileView> {
        TRY_ASSIGN(auto profile, find_profile(tx, caller, name));
        return view_of(tx, std::move(profile));
    });
}

Result<InstanceProfilePage> InstanceProfiles::list(const Caller& caller, const std::string& role,
                                                   const IdentityPage& page) {
    TRY(check_identity_page(page));
    return store_.read([&](catalog::Transaction& tx) -> Result<InstanceProfilePage> {
        catalog::InstanceProfileQuery query = of_caller(caller);
        if (!role.empty()) {
            TRY_ASSIGN(const model::Role found, find_role(tx, caller, role));
            query.role = found.id;
        }
        TRY_ASSIGN(auto profiles, tx.instance_profiles().list(query));
        std::erase_if(profiles, [&](const model::InstanceProfile& profile) {
            return !profile.path.starts_with(page.path_prefix);
        });
        InstanceProfilePage out;
        out.marker = cut_identity_page(profiles, page,
                                       [](const model::InstanceProfile& p) { return p.name; });
        for (model::InstanceProfile& profile : profiles) {
            TRY_ASSIGN(auto view, view_of(tx, std::move(profile)));
            out.profiles.push_back(std::move(view));
        }
        return out;
    });
}

Status InstanceProfiles::remove(const Caller& caller, const std::string& name) {
    return store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto profile, find_profile(tx, caller, name));
        if (!profile.role_id.empty()) {
            return errors::delete_conflict(
                "Cannot delete entity, must remove roles from instance profile first.");
        }
        return tx.instance_profiles().erase(profile.id);
    });
}

Status InstanceProfiles::add_role(const Caller& caller, const std::string& name,
                                  const std::string& role) {
    return store_.run([&](catalog::Transaction& tx) -> Status {
        // Whether there is such a role or not.
        TRY_ASSIGN(PolicyResource passed, find_resource(tx, caller, {"role", role}));
        TRY(authorize_pass(caller, std::move(passed)));
        TRY_ASSIGN(auto profile, find_profile(tx, caller, name));
        TRY_ASSIGN(const model::Role found, find_role(tx, caller, role));
        if (!profile.role_id.empty()) {
            return errors::limit_exceeded(
                "Cannot exceed quota for InstanceSessionsPerInstanceProfile: 1");
        }
        profile.role_id = found.id;
        return tx.instance_profiles().update(profile);
    });
}

template <class F>
Status InstanceProfiles::change(const Caller& caller, const std::string& name, F change) {
    return store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto profile, find_profile(tx, caller, name));
        TRY(change(profile));
        return tx.instance_profiles().update(profile);
    });
}

Status InstanceProfiles::tag(const Caller& caller, const std::string& name,
                             const std::vector<model::Tag>& tags) {
    return change(caller, name, [&](model::InstanceProfile& profile) {
        return put_identity_tags(profile.tags, tags);
    });
}

Status InstanceProfiles::untag(const Caller& caller, const std::string& name,
                               const std::vector<std::string>& keys) {
    return change(caller, name, [&](model::InstanceProfile& profile) {
        return erase_identity_tags(profile.tags, keys);
    });
}

Result<TagPage> InstanceProfiles::list_tags(const Caller& caller, const std::string& name,
                                            const IdentityPage& page) {
    TRY_ASSIGN(auto view, get(caller, name));
    return list_identity_tags(std::move(view.profile.tags), page);
}

Status InstanceProfiles::remove_role(const Caller& caller, const std::string& name,
                                     const std::string& role) {
    return store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto profile, find_profile(tx, caller, name));
        TRY_ASSIGN(const model::Role found, find_role(tx, caller, role));
        if (profile.role_id != found.id) {
            return errors::no_such_entity("role", role);
        }
        profile.role_id = {};
        return tx.instance_profiles().update(profile);
    });
}

Result<std::optional<model::InstanceProfileRef>> find_launch_profile(
    catalog::Transaction& tx, const Caller& caller, const InstanceProfileSpec& spec) {
    using Found = std::optional<model::InstanceProfileRef>;
    if (!spec.given()) {
        return Found();
    }
    if (!spec.arn.empty() && !spec.name.empty()) {
        return errors::invalid_parameter_combination(
            "The parameter 'iamInstanceProfile.name' may not be used in combination with "
            "'iamInstanceProfile.arn'");
    }
    const bool by_name = spec.arn.empty();
    const std::string name = by_name ? spec.name : spec.arn.substr(spec.arn.rfind('/') + 1);
    const auto profile = find_profile(tx, caller, name);
    const bool unknown = profile ? !by_name && model::arn_of(*profile) != spec.arn
                                 : profile.error().code() == Code::not_found;
    if (unknown) {
        return errors::invalid_parameter_value(fmt::format(
            "Value ({}) for parameter iamInstanceProfile.{} is invalid. Invalid IAM Instance "
            "Profile {}",
            by_name ? spec.name : spec.arn, by_name ? "name" : "arn", by_name ? "name" : "ARN"));
    }
    TRY(profile);
    const std::string arn = model::arn_of(*profile);
    if (profile->role_id.empty()) {
        return errors::invalid_parameter_value(
            fmt::format("IAM Instance Profile \"{}\" has no associated IAM Roles", arn));
    }
    TRY_ASSIGN(const auto role, tx.roles().find(profile->role_id));
    PolicyResource passed = resource_by_arn(role ? model::arn_of(*role) : arn);
    add_tags(passed.facts, role ? role->tags : std::vector<model::Tag>());
    TRY(authorize_pass(caller, std::move(passed)));
    return Found(model::InstanceProfileRef{profile->id, arn});
}

}  // namespace kiln::control
