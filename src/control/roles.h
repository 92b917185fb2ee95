// SPDX-License-Identifier: Apache-2.0
// Roles: making, reading and deleting roles and their policies (IAM-1 .. IAM-8).
// Thread-safe, blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/identity_rules.h"
#include "control/identity_tags.h"
#include "io/clock.h"

namespace kiln::control {

// IAM-1: seconds; also what a role has that is told none.
inline constexpr std::int32_t kShortestRoleSession = 3600;

struct CreateRoleInput {
    std::string name;
    std::string path = "/";
    std::string description;
    std::int32_t max_session_s = kShortestRoleSession;
    std::string trust_policy;
    std::vector<model::Tag> tags;
};

// What is not given stays.
struct UpdateRoleInput {
    std::string name;
    std::optional<std::string> description;
    std::optional<std::int32_t> max_session_s;
};

struct RolePage {
    std::vector<model::Role> roles;
    std::string marker;  // of the next page; empty: this was the last
};

class Roles {
  public:
    Roles(catalog::Store& store, io::Clock& clock, io::Rng& rng)
        : store_(store), clock_(clock), rng_(rng) {}

    Result<model::Role> create(const Caller& caller, const CreateRoleInput& input);
    Result<model::Role> get(const Caller& caller, const std::string& name);
    Result<RolePage> list(const Caller& caller, const IdentityPage& page);
    // DeleteConflict while it has policies, or is in an instance profile.
    Status remove(const Caller& caller, const std::string& name);
    Status set_trust(const Caller& caller, const std::string& name, const std::string& document);
    Result<model::Role> update(const Caller& caller, const UpdateRoleInput& input);

    Status tag(const Caller& caller, const std::string& name, const std::vector<model::Tag>& tags);
    Status untag(const Caller& caller, const std::string& name,
                 const std::vector<std::string>& keys);
    Result<TagPage> list_tags(const Caller& caller, const std::string& name,
                              const IdentityPage& page);

    // Replaces one of the same name.
    Status put_policy(const Caller& caller, const std::string& role, model::InlinePolicy policy);
    Result<model::InlinePolicy> get_policy(const Caller& caller, const std::string& role,
                                           const std::string& policy);
    Status remove_policy(const Caller& caller, const std::string& role, const std::string& policy);
    Result<NamePage> list_policies(const Caller& caller, const std::string& role,
                                   const IdentityPage& page);

  private:
    // Reads the role, lets `change` change it, writes it.
    template <class F>
    Status change(const Caller& caller, const std::string& name, F change);

    catalog::Store& store_;
    io::Clock& clock_;
    io::Rng& rng_;
};

// The caller's role of that name; NoSuchEntity.
Result<model::Role> find_role(catalog::Transaction& tx, const Caller& caller,
                              const std::string& name);

}  // namespace kiln::control
