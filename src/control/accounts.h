// SPDX-License-Identifier: Apache-2.0
// Accounts: making accounts with keys, saying which organization they are in (ACC-3), and finding
// the secret behind an access key.
// Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "catalog/store.h"
#include "control/identities.h"
#include "io/clock.h"
#include "model/account.h"

namespace kiln::control {

// What a new account gets once; the secret is shown nowhere else.
struct NewAccount {
    model::Account account;
    model::AccessKey key;
};

struct KeyOwner {
    model::Account account;
    model::AccessKey key;
    IdentityPtr identity;  // of a user whose key it is; none: it is the account's
};

inline constexpr std::size_t kMaxAccountName = 256;

struct NewAccountInput {
    std::string id{};  // 12 digits, or empty for a random one
    std::string name{};
    bool administrator = false;
    std::optional<model::Membership> membership{};
};

// ACC-3: what stands here is changed.
struct AccountChange {
    std::optional<std::string> name{};
    bool leave = false;  // its organization
    std::optional<model::Membership> membership{};
};

class Accounts {
  public:
    Accounts(catalog::Store& store, io::Clock& clock, io::Rng& rng)
        : store_(store), clock_(clock), rng_(rng) {}

    // EntityAlreadyExists when the id is taken (ACC-2).
    Result<NewAccount> create(const NewAccountInput& input);
    // NoSuchEntity; InvalidParameterValue for another management account than the organization has.
    Result<model::Account> update(const std::string& id, const AccountChange& change);
    // The account made at first start; nothing when the store has one already.
    Result<std::optional<NewAccount>> create_first();
    // An active key of the first administrator that has one; nothing when none has.
    Result<std::optional<model::AccessKey>> administrator_key();
    // Nothing for an unknown or inactive key.
    Result<std::optional<KeyOwner>> find_key(const std::string& access_key_id);

  private:
    Result<NewAccount> draft(const NewAccountInput& input);
    static Status insert(catalog::Transaction& tx, const NewAccount& made);

    catalog::Store& store_;
    io::Clock& clock_;
    io::Rng& rng_;
};

}  // namespace kiln::control
