// SPDX-License-Identifier: Apache-2.0
#include "control/key_pairs.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/quotas.h"
#include "crypto/ssh_key.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMaxName = 255;  // KP-1

// KP-1. The name stands in a listing and in a line of authorized_keys, so nothing that could end
// either may be in it.
Status check_name(const std::string& name) {
    if (name.empty()) {
        return errors::missing_parameter("KeyName");
    }
    const bool plain =
        std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; });
    if (!plain || name.size() > kMaxName || name.front() == ' ' || name.back() == ' ') {
        return errors::invalid_parameter_value(
            "Value for parameter KeyName is invalid. Key pair names have up to 255 printable ASCII "
            "characters, the first and the last no spaces.");
    }
    return ok();
}

Error not_found(const std::string& name) {
    return Error::api(Code::not_found, "InvalidKeyPair.NotFound",
                      fmt::format("The key pair '{}' does not exist", name));
}

Error duplicate(const std::string& name) {
    return Error::api(Code::already_exists, "InvalidKeyPair.Duplicate",
                      fmt::format("The keypair '{}' already exists.", name));
}

catalog::KeyPairQuery of_caller(const Caller& caller) {
    catalog::KeyPairQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    return query;
}

model::KeyType type_of(const crypto::SshPublicKey& key) {
    return key.type == crypto::SshKeyType::rsa ? model::KeyType::rsa : model::KeyType::ed25519;
}

Status check(const std::string& name, const std::vector<TagSpecification>& tags) {
    TRY(check_name(name));
    return check_tag_specifications(tags, {"key-pair"});
}

Result<std::vector<KeyPairView>> load_views(catalog::Transaction& tx, const Caller& caller,
                                            std::vector<model::KeyPair> pairs) {
    std::vector<std::string> ids;
    for (const model::KeyPair& pair : pairs) {
        ids.push_back(pair.id.str());
    }
    TRY_ASSIGN(const auto tags, tx.tags().of(caller.account, ids));
    std::vector<KeyPairView> views;
    for (model::KeyPair& pair : pairs) {
        const auto found = tags.find(pair.id.str());
        views.push_back(
            {std::move(pair), found == tags.end() ? std::vector<model::Tag>() : found->second});
    }
    return views;
}

// IDL-2: the first name or id that is not among the pairs.
Status check_all_found(const std::vector<KeyPairView>& all, const DescribeKeyPairsInput& input) {
    for (const std::string& name : input.names) {
        if (std::none_of(all.begin(), all.end(),
                         [&](const KeyPairView& view) { return view.pair.name == name; })) {
            return not_found(name);
        }
    }
    for (const model::KeyPairId& id : input.ids) {
        if (std::none_of(all.begin(), all.end(),
                         [&](const KeyPairView& view) { return view.pair.id == id; })) {
            return not_found(id.str());
        }
    }
    return ok();
}

bool is_asked_for(const DescribeKeyPairsInput& input, const model::KeyPair& pair) {
    if (input.names.empty() && input.ids.empty()) {
        return true;
    }
    return std::find(input.names.begin(), input.names.end(), pair.name) != input.names.end() ||
           std::find(input.ids.begin(), input.ids.end(), pair.id) != input.ids.end();
}

}  // namespace

const FilterTable<KeyPairView>& key_pair_filters() {
    using Values = FilterTable<KeyPairView>::Values;
    static const FilterTable<KeyPairView> table(
        [](const KeyPairView& view) -> const std::vector<model::Tag>& { return view.tags; },
        {
            {"fingerprint", [](const KeyPairView& view) { return Values{view.pair.fingerprint}; }},
            {"key-name", [](const KeyPairView& view) { return Values{view.pair.name}; }},
            {"key-pair-id", [](const KeyPairView& view) { return Values{view.pair.id.str()}; }},
        });
    return table;
}

Status KeyPairs::insert(catalog::Transaction& tx, const Caller& caller, const model::KeyPair& pair,
                        const std::vector<TagSpecification>& tags) const {
    TRY(check_key_pair_quota(tx, quotas_, caller));  // KP-5
    Status inserted = tx.key_pairs().insert(pair);
    if (!inserted) {
        return inserted.error().code() == Code::already_exists ? duplicate(pair.name) : inserted;
    }
    return put_tags(tx, caller, "key-pair", pair.id.str(), tags_for(tags, "key-pair"));
}

Result<CreatedKeyPair> KeyPairs::create(const Caller& caller, const CreateKeyPairInput& input) {
    TRY(check(input.name, input.tags));
    if (input.dry_run) {
        return errors::dry_run();
    }
    // Before the transaction, which must be short.
    const auto key = crypto::SshPrivateKey::generate(
        input.type == model::KeyType::rsa ? crypto::SshKeyType::rsa : crypto::SshKeyType::ed25519);
    const crypto::SshPublicKey public_key = key.public_key();
    model::KeyPair pair;
    pair.owner_id = caller.account;
    pair.region = caller.region;
    pair.name = input.name;
    pair.type = input.type;
    pair.fingerprint = input.type == model::KeyType::rsa ? key.sha1_der_fingerprint()
                                                         : crypto::sha256_fingerprint(public_key);
    pair.public_key = crypto::openssh_line(public_key);
    pair.created = clock_.now();
    pair.id = model::make_id<model::KeyPairId>(rng_);
    TRY(store_.run([&](catalog::Transaction& tx) { return insert(tx, caller, pair, input.tags); }));
    CreatedKeyPair created;
    created.view = {std::move(pair), tags_for(input.tags, "key-pair")};
    created.private_key =
        input.format == KeyFormat::pem ? key.pem(input.name) : key.ppk(input.name);
    return created;
}

Result<KeyPairView> KeyPairs::import(const Caller& caller, const ImportKeyPairInput& input) {
    TRY(check(input.name, input.tags));
    const auto key = crypto::parse_ssh_public_key(input.material);
    if (!key) {  // KP-4
        return Error::api(Code::invalid_argument, "InvalidKey.Format",
                          "Key is not in valid OpenSSH public key format");
    }
    if (input.dry_run) {
        return errors::dry_run();
    }
    model::KeyPair pair;
    pair.owner_id = caller.account;
    pair.region = caller.region;
    pair.name = input.name;
    pair.type = type_of(*key);
    pair.fingerprint = pair.type == model::KeyType::rsa ? crypto::md5_der_fingerprint(*key)
                                                        : crypto::sha256_fingerprint(*key);
    pair.public_key = crypto::openssh_line(*key);
    pair.created = clock_.now();
    pair.id = model::make_id<model::KeyPairId>(rng_);
    TRY(store_.run([&](catalog::Transaction& tx) { return insert(tx, caller, pair, input.tags); }));
    return KeyPairView{std::move(pair), tags_for(input.tags, "key-pair")};
}

Result<std::vector<KeyPairView>> KeyPairs::describe(const Caller& caller,
                                                    const DescribeKeyPairsInput& input) {
    TRY(key_pair_filters().check(input.filters));
    TRY_ASSIGN(auto views,
               store_.read([&](catalog::Transaction& tx) -> Result<std::vector<KeyPairView>> {
                   TRY_ASSIGN(auto pairs, tx.key_pairs().list(of_caller(caller)));
                   return load_views(tx, caller, std::move(pairs));
               }));
    TRY(check_all_found(views, input));
    std::erase_if(views, [&](const KeyPairView& view) {
        return !is_asked_for(input, view.pair) || !key_pair_filters().matches(input.filters, view);
    });
    return views;
}

Result<model::KeyPairId> KeyPairs::remove(const Caller& caller, const DeleteKeyPairInput& input) {
    if (input.name.empty() && input.id.empty()) {
        return errors::missing_parameter("KeyName or KeyPairId");
    }
    return store_.run([&](catalog::Transaction& tx) -> Result<model::KeyPairId> {
        catalog::KeyPairQuery query = of_caller(caller);
        if (!input.id.empty()) {
            query.ids = {input.id};
        }
        if (!input.name.empty()) {
            query.names = {input.name};
        }
        TRY_ASSIGN(const auto found, tx.key_pairs().list(query));
        if (input.dry_run) {
            return errors::dry_run();
        }
        if (found.empty()) {
            return model::KeyPairId();
        }
        TRY(tx.tags().erase_resource(found.front().id.str()));  // TAG-8
        TRY(tx.key_pairs().erase(found.front().id));
        return found.front().id;
    });
}

Result<model::KeyPair> find_key_pair(catalog::Transaction& tx, const Caller& caller,
                                     const std::string& name) {
    catalog::KeyPairQuery query = of_caller(caller);
    query.names = {name};
    TRY_ASSIGN(auto found, tx.key_pairs().list(query));
    if (found.empty()) {
        return not_found(name);
    }
    return std::move(found.front());
}

}  // namespace kiln::control
