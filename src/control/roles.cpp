// SPDX-License-Identifier: Apache-2.0
#include "control/roles.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/inline_policies.h"
#include "control/policy.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMaxRoles = 1'000;  // IAM-2
constexpr std::size_t kMaxDescription = 1'000;
constexpr std::size_t kMaxTrustCharacters = 4'096;    // IAM-4
constexpr std::size_t kMaxPolicyCharacters = 10'240;  // IAM-4: of all policies of a role
constexpr std::int32_t kLongestSession = 43'200;

Status check_trust(const std::string& document) {
    TRY(parse_trust_policy(document));
    if (policy_size(document) > kMaxTrustCharacters) {
        return errors::limit_exceeded("Cannot exceed quota for ACLSizePerRole: 4096");
    }
    return ok();
}

Status check_description(const std::string& description) {
    if (character_count(description) > kMaxDescription) {
        return errors::validation("The description has up to 1000 characters.");
    }
    return ok();
}

Status check_max_session(std::int32_t seconds) {
    if (seconds < kShortestRoleSession || seconds > kLongestSession) {
        return errors::validation("MaxSessionDuration is a number from 3600 to 43200.");
    }
    return ok();
}

Status check(const CreateRoleInput& input) {
    TRY(check_identity_name(input.name, "roleName", kMaxRoleName));
    TRY(check_identity_path(input.path));
    TRY(check_identity_tags(input.tags));
    TRY(check_description(input.description));
    TRY(check_max_session(input.max_session_s));
    return check_trust(input.trust_policy);
}

catalog::RoleQuery of_caller(const Caller& caller) {
    catalog::RoleQuery query;
    query.owners = {caller.account};
    return query;
}

}  // namespace

Result<model::Role> find_role(catalog::Transaction& tx, const Caller& caller,
                              const std::string& name) {
    catalog::RoleQuery query = of_caller(caller);
    query.names = {name};
    TRY_ASSIGN(auto found, tx.roles().list(query));
    if (found.empty()) {
        return errors::no_such_entity("role", name);
    }
    return std::move(found.front());
}

Result<model::Role> Roles::create(const Caller& caller, const CreateRoleInput& input) {
    TRY(check(input));
    std::array<std::uint8_t, model::kIdentityRandomBytes> random{};
    rng_.fill(random);
    model::Role role;
    role.id = model::make_role_id(random);
    role.owner_id = caller.account;
    role.name = input.name;
    role.path = input.path;
    role.description = input.description;
    role.max_session_s = input.max_session_s;
    role.trust_policy = input.trust_policy;
    role.tags = input.tags;
    role.created = clock_.now();
    const Status inserted = store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto present, tx.roles().list(of_caller(caller)));
        if (present.size() >= kMaxRoles) {
            return errors::limit_exceeded("Cannot exceed quota for RolesPerAccount: 1000");
        }
        return tx.roles().insert(role);
    });
    if (!inserted && inserted.error().code() == Code::already_exists) {
        return errors::entity_exists("Role", input.name);
    }
    TRY(inserted);
    return role;
}

Result<model::Role> Roles::get(const Caller& caller, const std::string& name) {
    return store_.read([&](catalog::Transaction& tx) { return find_role(tx, caller, name); });
}

Result<RolePage> Roles::list(const Caller& caller, const IdentityPage& page) {
    TRY(check_identity_page(page));
    RolePage out;
    TRY_ASSIGN(out.roles, store_.read([&](catalog::Transaction& tx) {
        return tx.roles().list(of_caller(caller));
    }));
    std::erase_if(out.roles, [&](const model::Role& role) {
        return !role.path.starts_with(page.path_prefix);
    });
    out.marker = cut_identity_page(out.roles, page, [](const model::Role& r) { return r.name; });
    return out;
}

Status Roles::remove(const Caller& caller, const std::string& name) {
    return store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const model::Role role, find_role(tx, caller, name));
        catalog::InstanceProfileQuery with;
        with.role = role.id;
        TRY_ASSIGN(const auto profiles, tx.instance_profiles().list(with));
        if (!profiles.empty()) {
            return errors::delete_conflict(
                "Cannot delete entity, must remove roles from instance profile first.");
        }
        if (!role.policies.empty()) {
            return errors::delete_conflict("Cannot delete entity, must delete policies first.");
        }
        return tx.roles().erase(role.id);
    });
}

template <class F>
Status Roles::change(const Caller& caller, const std::string& name, F change) {
    return store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::Role role, find_role(tx, caller, name));
        TRY(change(role));
        return tx.roles().update(role);
    });
}

Result<model::Role> Roles::update(const Caller& caller, const UpdateRoleInput& input) {
    if (input.description) {
        TRY(check_description(*input.description));
    }
    if (input.max_session_s) {
        TRY(check_max_session(*input.max_session_s));
    }
    model::Role updated;
    TRY(change(caller, input.name, [&](model::Role& role) {
        role.description = input.description.value_or(role.description);
        role.max_session_s = input.max_session_s.value_or(role.max_session_s);
        updated = role;
        return ok();
    }));
    return updated;
}

Status Roles::set_trust(const Caller& caller, const std::string& name,
                        const std::string& document) {
    TRY(check_trust(document));
    return change(caller, name, [&](model::Role& role) {
        role.trust_policy = document;
        return ok();
    });
}

Status Roles::tag(const Caller& caller, const std::string& name,
                  const std::vector<model::Tag>& tags) {
    return change(caller, name,
                  [&](model::Role& role) { return put_identity_tags(role.tags, tags); });
}

Status Roles::untag(const Caller& caller, const std::string& name,
                    const std::vector<std::string>& keys) {
    return change(caller, name,
                  [&](model::Role& role) { return erase_identity_tags(role.tags, keys); });
}

Result<TagPage> Roles::list_tags(const Caller& caller, const std::string& name,
                                 const IdentityPage& page) {
    TRY_ASSIGN(model::Role role, get(caller, name));
    return list_identity_tags(std::move(role.tags), page);
}

Status Roles::put_policy(const Caller& caller, const std::string& role,
                         model::InlinePolicy policy) {
    TRY(check_inline_policy(policy));
    return change(caller, role, [&](model::Role& into) {
        return put_inline_policy(into.policies, policy, {"role", role, kMaxPolicyCharacters});
    });
}

Result<model::InlinePolicy> Roles::get_policy(const Caller& caller, const std::string& role,
                                              const std::string& policy) {
    TRY_ASSIGN(const model::Role found, get(caller, role));
    return find_inline_policy(found.policies, policy, "role");
}

Status Roles::remove_policy(const Caller& caller, const std::string& role,
                            const std::string& policy) {
    return change(caller, role, [&](model::Role& from) {
        return erase_inline_policy(from.policies, policy, "role");
    });
}

Result<NamePage> Roles::list_policies(const Caller& caller, const std::string& role,
                                      const IdentityPage& page) {
    TRY(check_identity_page(page));
    TRY_ASSIGN(const model::Role found, get(caller, role));
    return inline_policy_names(found.policies, page);
}

}  // namespace kiln::control
