// SPDX-License-Identifier: Apache-2.0
// KeyPairs: making, importing, describing and deleting SSH key pairs (KP-1 .. KP-8). A private key
// exists only in the answer of create(): nothing stores or logs it. Thread-safe, blocking; create()
// of an RSA pair computes for some hundred milliseconds.
#pragma once

#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/filter.h"
#include "control/limits.h"
#include "control/tagging.h"
#include "io/clock.h"
#include "model/key_pair.h"

namespace kiln::control {

enum class KeyFormat { pem, ppk };
constexpr auto enum_names(KeyFormat) {
    return std::to_array<model::EnumName<KeyFormat>>(
        {{KeyFormat::pem, "pem"}, {KeyFormat::ppk, "ppk"}});
}

struct CreateKeyPairInput {
    std::string name;
    model::KeyType type = model::KeyType::rsa;
    KeyFormat format = KeyFormat::pem;
    std::vector<TagSpecification> tags;
    bool dry_run = false;
};

struct ImportKeyPairInput {
    std::string name;
    std::string material;  // as decoded from the request: a text in one of the formats of KP-4
    std::vector<TagSpecification> tags;
    bool dry_run = false;
};

struct DescribeKeyPairsInput {
    std::vector<std::string> names;
    std::vector<model::KeyPairId> ids;
    std::vector<Filter> filters;
};

// One of the two, or both if they name the same pair.
struct DeleteKeyPairInput {
    std::string name;
    model::KeyPairId id;
    bool dry_run = false;
};

struct KeyPairView {
    model::KeyPair pair;
    std::vector<model::Tag> tags;  // the caller's
};

const FilterTable<KeyPairView>& key_pair_filters();

struct CreatedKeyPair {
    KeyPairView view;
    std::string private_key;
};

class KeyPairs {
  public:
    KeyPairs(catalog::Store& store, io::Clock& clock, io::Rng& rng, const Quotas& quotas)
        : store_(store), clock_(clock), rng_(rng), quotas_(quotas) {}

    Result<CreatedKeyPair> create(const Caller& caller, const CreateKeyPairInput& input);
    Result<KeyPairView> import(const Caller& caller, const ImportKeyPairInput& input);
    Result<std::vector<KeyPairView>> describe(const Caller& caller,
                                              const DescribeKeyPairsInput& input);
    // What was deleted; nothing when there was no such pair, which is no error (KP-7).
    Result<model::KeyPairId> remove(const Caller& caller, const DeleteKeyPairInput& input);

  private:
    Status insert(catalog::Transaction& tx, const Caller& caller, const model::KeyPair& pair,
                  const std::vector<TagSpecification>& tags) const;

    catalog::Store& store_;
    io::Clock& clock_;
    io::Rng& rng_;
    const Quotas& quotas_;
};

// RUN-6: InvalidKeyPair.NotFound when the caller has no pair of this name.
Result<model::KeyPair> find_key_pair(catalog::Transaction& tx, const Caller& caller,
                                     const std::string& name);

}  // namespace kiln::control
