// SPDX-License-Identifier: Apache-2.0
// InstanceProfiles: what gives an instance its role (IAM-3), for the API, for launches, and for the
// metadata service. Thread-safe, blocking; the free functions belong to the thread that runs the
// transaction.
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

struct CreateInstanceProfileInput {
    std::string name;
    std::string path = "/";
    std::vector<model::Tag> tags;
};

struct InstanceProfileView {
    model::InstanceProfile profile;
    std::optional<model::Role> role;
};

struct InstanceProfilePage {
    std::vector<InstanceProfileView> profiles;
    std::string marker;  // of the next page; empty: this was the last
};

class InstanceProfiles {
  public:
    InstanceProfiles(catalog::Store& store, io::Clock& clock, io::Rng& rng)
        : store_(store), clock_(clock), rng_(rng) {}

    Result<InstanceProfileView> create(const Caller& caller,
                                       const CreateInstanceProfileInput& input);
    Result<InstanceProfileView> get(const Caller& caller, const std::string& name);
    // Of one role, where one is named.
    Result<InstanceProfilePage> list(const Caller& caller, const std::string& role,
                                     const IdentityPage& page);
    // DeleteConflict while it has a role.
    Status remove(const Caller& caller, const std::string& name);
    // LimitExceeded when it has one: a profile takes one role. A caller with a role's keys must be
    // allowed iam:PassRole.
    Status add_role(const Caller& caller, const std::string& name, const std::string& role);
    Status remove_role(const Caller& caller, const std::string& name, const std::string& role);

    Status tag(const Caller& caller, const std::string& name, const std::vector<model::Tag>& tags);
    Status untag(const Caller& caller, const std::string& name,
                 const std::vector<std::string>& keys);
    Result<TagPage> list_tags(const Caller& caller, const std::string& name,
                              const IdentityPage& page);

  private:
    // Reads the profile, lets `change` change it, writes it.
    template <class F>
    Status change(const Caller& caller, const std::string& name, F change);

    catalog::Store& store_;
    io::Clock& clock_;
    io::Rng& rng_;
};

// How a launch names a profile: at most one of them.
struct InstanceProfileSpec {
    std::string arn;
    std::string name;
    bool given() const { return !arn.empty() || !name.empty(); }
};

// RUN-7: the profile a launch asks for, which must have a role; the caller must be allowed to pass
// it.
Result<std::optional<model::InstanceProfileRef>> find_launch_profile(
    catalog::Transaction& tx, const Caller& caller, const InstanceProfileSpec& spec);

}  // namespace kiln::control
