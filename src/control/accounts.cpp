// SPDX-License-Identifier: Apache-2.0
#include "control/accounts.h"

#include <array>

#include "control/api_errors.h"

namespace kiln::control {

Result<NewAccount> Accounts::draft(const std::string& id, const std::string& name,
                                   bool administrator) {
    NewAccount made;
    if (id.empty()) {
        // Not below 10^11, so that no tool that reads it as a number loses a leading zero.
        made.account.id =
            model::make_account_id(100'000'000'000ULL + rng_.next_u64() % 900'000'000'000ULL);
    } else {
        TRY_ASSIGN(made.account.id, model::parse_account_id(id));
    }
    made.account.name = name;
    made.account.administrator = administrator;
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
    TRY(tx.accounts().insert(made.account));
    return tx.access_keys().insert(made.key);
}

Result<NewAccount> Accounts::create(const std::string& id, const std::string& name,
                                    bool administrator) {
    if (name.size() > kMaxAccountName) {
        return errors::invalid_parameter_value("The name of an account has at most " +
                                               std::to_string(kMaxAccountName) + " bytes.");
    }
    TRY_ASSIGN(const NewAccount made, draft(id, name, administrator));
    const Status inserted = store_.run([&](catalog::Transaction& tx) { return insert(tx, made); });
    if (!inserted && inserted.error().code() == Code::already_exists) {
        return Error::api(Code::already_exists, "EntityAlreadyExists",
                          "The account " + made.account.id.str() + " exists already.");
    }
    TRY(inserted);
    return made;
}

Result<std::optional<NewAccount>> Accounts::create_first() {
    TRY_ASSIGN(const NewAccount made, draft("", "first account", true));
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
                if (key.state == model::AccessKeyState::active) {
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
        return std::optional<KeyOwner>(KeyOwner{account, *key});
    });
}

}  // namespace kiln::control
