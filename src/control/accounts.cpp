// SPDX-License-Identifier: Apache-2.0
#include "control/accounts.h"

#include <array>

#include "control/api_errors.h"

namespace kiln::control {
namespace {

Status check_name(const std::string& name) {
    if (name.size() > kMaxAccountName) {
        return errors::invalid_parameter_value("The name of an account has at most " +
                                               std::to_string(kMaxAccountName) + " bytes.");
    }
    return ok();
}

// An organization has one management account: ARNs with another would name nobody.
Status check_membership(catalog::Transaction& tx, const model::Account& account) {
    if (!account.membership) {
        return ok();
    }
    const model::Membership& wanted = *account.membership;
    TRY_ASSIGN(const auto accounts, tx.accounts().list({}));
    for (const model::Account& other : accounts) {
        if (other.id != account.id && other.membership &&
            other.membership->organization == wanted.organization &&
            other.membership->management != wanted.management) {
            return errors::invalid_parameter_value("The management account of the organization " +
                                                   wanted.organization + " is " +
                                                   other.membership->management.str() +
                                                   ", as the account " + other.id.str() + " says.");
        }
    }
    return ok();
}

}  // namespace

Result<NewAccount> Accounts::draft(const NewAccountInput& input) {
    NewAccount made;
    if (input.id.empty()) {
        // Not below 10^11, so that no tool that reads it as a number loses a leading zero.
        made.account.id =
            model::make_account_id(100'000'000'000ULL + rng_.next_u64() % 900'000'000'000ULL);
    } else {
        TRY_ASSIGN(made.account.id, model::parse_account_id(input.id));
    }
    made.account.name = input.name;
    made.account.administrator = input.administrator;
    made.account.membership = input.membership;
    made.account.created = clock_.now();
    std::array<std::uint8_t, 10> key_random{};
    std::array<std::uint8_t, 30> secret_random{};
    rng_.fill(key_random);
    rng_.fill(secret_random);
    made.key.id = model::make_access_key_id(key_random);
    made.key.secret = model::make_secret_key(secret_random);
    made.key.account = made.account.id;
    made.key.created = made.account.created;
    return made;
}

Status Accounts::insert(catalog::Transaction& tx, const NewAccount& made) {
    TRY(check_membership(tx, made.account));
    TRY(tx.accounts().insert(made.account));
    return tx.access_keys().insert(made.key);
}

Result<NewAccount> Accounts::create(const NewAccountInput& input) {
    TRY(check_name(input.name));
    TRY_ASSIGN(const NewAccount made, draft(input));
    const Status inserted = store_.run([&](catalog::Transaction& tx) { return insert(tx, made); });
    if (!inserted && inserted.error().code() == Code::already_exists) {
        return Error::api(Code::already_exists, "EntityAlreadyExists",
                          "The account " + made.account.id.str() + " exists already.");
    }
    TRY(inserted);
    return made;
}

Result<model::Account> Accounts::update(const std::string& id, const AccountChange& change) {
    TRY_ASSIGN(const model::AccountId known, model::parse_account_id(id));
    TRY(check_name(change.name.value_or("")));
    return store_.run([&](catalog::Transaction& tx) -> Result<model::Account> {
        TRY_ASSIGN(auto account, tx.accounts().find(known));
        if (!account) {
            return Error::api(Code::not_found, "NoSuchEntity",
                              "The account " + id + " does not exist.");
        }
        account->name = change.name.value_or(account->name);
        if (change.leave || change.membership) {
            account->membership = change.membership;
        }
        TRY(check_membership(tx, *account));
        TRY(tx.accounts().update(*account));
        return std::move(*account);
    });
}

Result<std::optional<NewAccount>> Accounts::create_first() {
    TRY_ASSIGN(const NewAccount made, draft({.name = "first account", .administrator = true}));
    TRY_ASSIGN(const bool inserted, store_.run([&](catalog::Transaction& tx) -> Result<bool> {
        catalog::AccountQuery query;
        query.administrator = true;
        query.page.limit = 1;
        TRY_ASSIGN(const auto existing, tx.accounts().list(query));
        if (!existing.empty()) {
            return false;
        }
        TRY(insert(tx, made));
        return true;
    }));
    if (!inserted) {
        return std::optional<NewAccount>();
    }
    return std::optional<NewAccount>(made);
}

Result<std::optional<model::AccessKey>> Accounts::administrator_key() {
    return store_.read([&](catalog::Transaction& tx) -> Result<std::optional<model::AccessKey>> {
        catalog::AccountQuery administrators;
        administrators.administrator = true;
        TRY_ASSIGN(const auto accounts, tx.accounts().list(administrators));
        for (const model::Account& account : accounts) {
            TRY_ASSIGN(const auto keys, tx.access_keys().list({.account = account.id}));
            for (const model::AccessKey& key : keys) {
                if (key.state == model::AccessKeyState::active && key.user.empty()) {
                    return std::optional<model::AccessKey>(key);
                }
            }
        }
        return std::optional<model::AccessKey>();
    });
}

Result<std::optional<KeyOwner>> Accounts::find_key(const std::string& access_key_id) {
    return store_.read([&](catalog::Transaction& tx) -> Result<std::optional<KeyOwner>> {
        TRY_ASSIGN(const auto key, tx.access_keys().find(model::AccessKeyId(access_key_id)));
        if (!key || key->state != model::AccessKeyState::active) {
            return std::optional<KeyOwner>();
        }
        TRY_ASSIGN(const model::Account account, tx.accounts().get(key->account));
        KeyOwner owner{account, *key, {}};
        if (!key->user.empty()) {
            TRY_ASSIGN(const auto user, tx.users().find(key->user));
            if (!user) {
                return std::optional<KeyOwner>();
            }
            TRY_ASSIGN(owner.identity, identity_of(*user, std::nullopt));
        }
        return std::optional<KeyOwner>(std::move(owner));
    });
}

}  // namespace kiln::control
