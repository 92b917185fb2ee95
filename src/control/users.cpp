// SPDX-License-Identifier: Apache-2.0
#include "control/users.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "control/authorization.h"
#include "control/inline_policies.h"
#include "control/policy.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMaxUsers = 5'000;  // IAM-23
constexpr std::size_t kMaxUserName = 64;
constexpr std::size_t kMaxPolicyCharacters = 2'048;  // of all policies of a user
constexpr std::size_t kMaxKeys = 2;

catalog::UserQuery of_caller(const Caller& caller) {
    catalog::UserQuery query;
    query.owners = {caller.account};
    return query;
}

Result<model::User> find_user(catalog::Transaction& tx, const Caller& caller,
                              const std::string& name) {
    catalog::UserQuery query = of_caller(caller);
    query.names = {name};
    TRY_ASSIGN(auto found, tx.users().list(query));
    if (found.empty()) {
        return errors::no_such_entity("user", name);
    }
    return std::move(found.front());
}

// IAM-24: nobody but a user is meant by leaving the name out, and the account.
Result<std::optional<model::User>> find_subject(catalog::Transaction& tx, const Caller& caller,
                                                const std::string& name) {
    std::string wanted = name;
    if (wanted.empty() && caller.identity) {
        if (caller.identity->kind == Identity::Kind::role) {
            return errors::validation(
                "Must specify userName when calling with non-User credentials");
        }
        wanted = caller.identity->user_name;
    }
    if (wanted.empty()) {
        return std::optional<model::User>();
    }
    TRY_ASSIGN(auto user, find_user(tx, caller, wanted));
    return std::optional<model::User>(std::move(user));
}

Result<std::vector<model::AccessKey>> keys_of(catalog::Transaction& tx, const Caller& caller,
                                              const model::UserId& user) {
    TRY_ASSIGN(auto keys, tx.access_keys().list({.account = caller.account}));
    std::erase_if(keys, [&](const model::AccessKey& key) { return key.user != user; });
    return keys;
}

model::UserId id_of(const std::optional<model::User>& user) {
    return user ? user->id : model::UserId();
}

}  // namespace

Result<model::User> Users::create(const Caller& caller, const CreateUserInput& input) {
    TRY(check_identity_name(input.name, "userName", kMaxUserName));
    TRY(check_identity_path(input.path));
    TRY(check_identity_tags(input.tags));
    std::array<std::uint8_t, model::kIdentityRandomBytes> random{};
    rng_.fill(random);
    model::User user;
    user.id = model::make_user_id(random);
    user.owner_id = caller.account;
    user.name = input.name;
    user.path = input.path;
    user.tags = input.tags;
    user.created = clock_.now();
    const Status inserted = store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto present, tx.users().list(of_caller(caller)));
        if (present.size() >= kMaxUsers) {
            return errors::limit_exceeded("Cannot exceed quota for UsersPerAccount: 5000");
        }
        return tx.users().insert(user);
    });
    if (!inserted && inserted.error().code() == Code::already_exists) {
        return errors::entity_exists("User", input.name);
    }
    TRY(inserted);
    return user;
}

Result<std::optional<model::User>> Users::get(const Caller& caller, const std::string& name) {
    return store_.read([&](catalog::Transaction& tx) { return find_subject(tx, caller, name); });
}

Result<model::Account> Users::account(const Caller& caller) {
    return store_.read([&](catalog::Transaction& tx) { return tx.accounts().get(caller.account); });
}

Result<UserPage> Users::list(const Caller& caller, const IdentityPage& page) {
    TRY(check_identity_page(page));
    UserPage out;
    TRY_ASSIGN(out.users, store_.read([&](catalog::Transaction& tx) {
        return tx.users().list(of_caller(caller));
    }));
    std::erase_if(out.users, [&](const model::User& user) {
        return !user.path.starts_with(page.path_prefix);
    });
    out.marker = cut_identity_page(out.users, page, [](const model::User& u) { return u.name; });
    return out;
}

Status Users::remove(const Caller& caller, const std::string& name) {
    return store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const model::User user, find_user(tx, caller, name));
        TRY_ASSIGN(const auto keys, keys_of(tx, caller, user.id));
        if (!keys.empty()) {
            return errors::delete_conflict("Cannot delete entity, must delete access keys first.");
        }
        if (!user.policies.empty()) {
            return errors::delete_conflict("Cannot delete entity, must delete policies first.");
        }
        return tx.users().erase(user.id);
    });
}

template <class F>
Status Users::change(const Caller& caller, const std::string& name, F change) {
    return store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::User user, find_user(tx, caller, name));
        TRY(change(user));
        return tx.users().update(user);
    });
}

Status Users::tag(const Caller& caller, const std::string& name,
                  const std::vector<model::Tag>& tags) {
    return change(caller, name,
                  [&](model::User& user) { return put_identity_tags(user.tags, tags); });
}

Status Users::untag(const Caller& caller, const std::string& name,
                    const std::vector<std::string>& keys) {
    return change(caller, name,
                  [&](model::User& user) { return erase_identity_tags(user.tags, keys); });
}

Result<TagPage> Users::list_tags(const Caller& caller, const std::string& name,
                                 const IdentityPage& page) {
    TRY_ASSIGN(model::User user,
               store_.read([&](catalog::Transaction& tx) { return find_user(tx, caller, name); }));
    return list_identity_tags(std::move(user.tags), page);
}

Status Users::put_policy(const Caller& caller, const std::string& user,
                         model::InlinePolicy policy) {
    TRY(check_inline_policy(policy));
    return change(caller, user, [&](model::User& into) {
        return put_inline_policy(into.policies, policy, {"user", user, kMaxPolicyCharacters});
    });
}

Result<model::InlinePolicy> Users::get_policy(const Caller& caller, const std::string& user,
                                              const std::string& policy) {
    TRY_ASSIGN(const model::User found,
               store_.read([&](catalog::Transaction& tx) { return find_user(tx, caller, user); }));
    return find_inline_policy(found.policies, policy, "user");
}

Status Users::remove_policy(const Caller& caller, const std::string& user,
                            const std::string& policy) {
    return change(caller, user, [&](model::User& from) {
        return erase_inline_policy(from.policies, policy, "user");
    });
}

Result<NamePage> Users::list_policies(const Caller& caller, const std::string& user,
                                      const IdentityPage& page) {
    TRY(check_identity_page(page));
    TRY_ASSIGN(const model::User found,
               store_.read([&](catalog::Transaction& tx) { return find_user(tx, caller, user); }));
    return inline_policy_names(found.policies, page);
}

Result<model::AccessKey> Users::create_key(const Caller& caller, const std::string& user,
                                           std::string& user_name) {
    std::array<std::uint8_t, 10> key_random{};
    std::array<std::uint8_t, 30> secret_random{};
    rng_.fill(key_random);
    rng_.fill(secret_random);
    model::AccessKey key;
    key.id = model::make_access_key_id(key_random);
    key.secret = model::make_secret_key(secret_random);
    key.account = caller.account;
    key.created = clock_.now();
    TRY(store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto subject, find_subject(tx, caller, user));
        key.user = id_of(subject);
        user_name = subject ? subject->name : std::string();
        TRY_ASSIGN(const auto present, keys_of(tx, caller, key.user));
        if (present.size() >= kMaxKeys) {
            return errors::limit_exceeded("Cannot exceed quota for AccessKeysPerUser: 2");
        }
        return tx.access_keys().insert(key);
    }));
    return key;
}

Result<KeyPage> Users::list_keys(const Caller& caller, const std::string& user,
                                 const IdentityPage& page) {
    TRY(check_identity_page(page));
    KeyPage out;
    TRY_ASSIGN(out.keys,
               store_.read([&](catalog::Transaction& tx) -> Result<std::vector<model::AccessKey>> {
                   TRY_ASSIGN(const auto subject, find_subject(tx, caller, user));
                   out.user_name = subject ? subject->name : std::string();
                   return keys_of(tx, caller, id_of(subject));
               }));
    out.marker =
        cut_identity_page(out.keys, page, [](const model::AccessKey& k) { return k.id.str(); });
    return out;
}

// IAM-25: there is no other way into an account than its own keys, so the last of them stays.
Status Users::remove_key(const Caller& caller, const std::string& user, const std::string& key) {
    return store_.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto subject, find_subject(tx, caller, user));
        TRY_ASSIGN(const auto found, tx.access_keys().find(model::AccessKeyId(key)));
        if (!found || found->account != caller.account || found->user != id_of(subject)) {
            return Error::api(Code::not_found, "NoSuchEntity",
                              fmt::format("The Access Key with id {} cannot be found.", key));
        }
        if (!subject) {
            TRY_ASSIGN(const auto own, keys_of(tx, caller, {}));
            if (own.size() == 1) {
                return errors::delete_conflict(
                    "Cannot delete the last access key of an account itself: nobody could sign as "
                    "the account any more.");
            }
        }
        return tx.access_keys().erase(found->id);
    });
}

}  // namespace kiln::control
