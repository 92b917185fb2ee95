// SPDX-License-Identifier: Apache-2.0
// Users: making, reading and deleting the users of an account, their policies and their keys
// (IAM-23 .. IAM-25). The account's own keys are listed, made and deleted here too: those of no
// user. Thread-safe, blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/identity_rules.h"
#include "control/identity_tags.h"
#include "control/roles.h"
#include "io/clock.h"
#include "model/user.h"

namespace kiln::control {

struct CreateUserInput {
    std::string name;
    std::string path = "/";
    std::vector<model::Tag> tags;
};

struct UserPage {
    std::vector<model::User> users;
    std::string marker;
};

struct KeyPage {
    std::string user_name;  // empty: the account's own
    std::vector<model::AccessKey> keys;
    std::string marker;
};

class Users {
  public:
    Users(catalog::Store& store, io::Clock& clock, io::Rng& rng)
        : store_(store), clock_(clock), rng_(rng) {}

    Result<model::User> create(const Caller& caller, const CreateUserInput& input);
    // An empty name is whoever asks; nothing for the account itself.
    Result<std::optional<model::User>> get(const Caller& caller, const std::string& name);
    // When the account was made, for GetUser of the account.
    Result<model::Account> account(const Caller& caller);
    Result<UserPage> list(const Caller& caller, const IdentityPage& page);
    // DeleteConflict while it has policies or keys.
    Status remove(const Caller& caller, const std::string& name);

    Status tag(const Caller& caller, const std::string& name, const std::vector<model::Tag>& tags);
    Status untag(const Caller& caller, const std::string& name,
                 const std::vector<std::string>& keys);
    Result<TagPage> list_tags(const Caller& caller, const std::string& name,
                              const IdentityPage& page);

    Status put_policy(const Caller& caller, const std::string& user, model::InlinePolicy policy);
    Result<model::InlinePolicy> get_policy(const Caller& caller, const std::string& user,
                                           const std::string& policy);
    Status remove_policy(const Caller& caller, const std::string& user, const std::string& policy);
    Result<NamePage> list_policies(const Caller& caller, const std::string& user,
                                   const IdentityPage& page);

    // `user`: empty for whoever asks. The secret is shown here and nowhere else.
    Result<model::AccessKey> create_key(const Caller& caller, const std::string& user,
                                        std::string& user_name);
    Result<KeyPage> list_keys(const Caller& caller, const std::string& user,
                              const IdentityPage& page);
    Status remove_key(const Caller& caller, const std::string& user, const std::string& key);

  private:
    template <class F>
    Status change(const Caller& caller, const std::string& name, F change);

    catalog::Store& store_;
    io::Clock& clock_;
    io::Rng& rng_;
};

}  // namespace kiln::control
