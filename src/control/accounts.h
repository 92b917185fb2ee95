// SPDX-License-Identifier: Apache-2.0
// Accounts: making accounts with keys, and finding the secret behind an access key.
// Thread-safe.
#pragma once

#include <optional>
#include <string>

#include "catalog/store.h"
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
};

inline constexpr std::size_t kMaxAccountName = 256;

class Accounts {
  public:
    Accounts(catalog::Store& store, io::Clock& clock, io::Rng& rng)
        : store_(store), clock_(clock), rng_(rng) {}

    // `id`: 12 digits, or empty for a random one. EntityAlreadyExists when it is taken (ACC-2).
    Result<NewAccount> create(const std::string& id, const std::string& name, bool administrator);
    // The account made at first start; nothing when the store has one already.
    Result<std::optional<NewAccount>> create_first();
    // An active key of the first administrator that has one; nothing when none has.
    Result<std::optional<model::AccessKey>> administrator_key();
    // Nothing for an unknown or inactive key.
    Result<std::optional<KeyOwner>> find_key(const std::string& access_key_id);

  private:
    Result<NewAccount> draft(const std::string& id, const std::string& name, bool administrator);
    static Status insert(catalog::Transaction& tx, const NewAccount& made);

    catalog::Store& store_;
    io::Clock& clock_;
    io::Rng& rng_;
};

}  // namespace kiln::control
