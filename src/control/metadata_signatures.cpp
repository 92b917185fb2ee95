// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_signatures.h"

#include <fmt/format.h>

#include <vector>

#include "util/check.h"

namespace kiln::control {
namespace {

constexpr std::string_view kKey = "identity_document_key";

std::string document_in(const MetadataTree& tree) {
    const auto names = split_metadata_path("dynamic/instance-identity/document");
    INVARIANT(names.has_value());
    auto found = tree.find(*names);
    INVARIANT(found.has_value() && found->leaf);
    return std::move(found->text);
}

// A key is made outside the transaction, which would keep all others waiting. Of two that make one
// at the same time the first to write it wins.
Result<std::string> stored_key(catalog::Store& store, io::Clock& clock) {
    TRY_ASSIGN(auto stored,
               store.read([](catalog::Transaction& tx) { return tx.meta().find(kKey); }));
    if (stored) {
        return std::move(*stored);
    }
    const std::string fresh = crypto::DocumentSigner::generate(
        fmt::format("instance identity of {}", store.uuid()), clock.now());
    return store.run([&](catalog::Transaction& tx) -> Result<std::string> {
        TRY_ASSIGN(const auto other, tx.meta().find(kKey));
        if (other) {
            return *other;
        }
        TRY(tx.meta().set(kKey, fresh));
        return fresh;
    });
}

}  // namespace

Result<MetadataSignatures> MetadataSignatures::create(catalog::Store& store, io::Clock& clock) {
    TRY_ASSIGN(const std::string pem, stored_key(store, clock));
    auto signer = crypto::DocumentSigner::load(pem);
    if (!signer) {
        return Error(Code::data_loss, fmt::format("the catalog's {} is not readable", kKey));
    }
    return MetadataSignatures(std::move(*signer));
}

void MetadataSignatures::put(MetadataTree& tree, const model::Instance& instance) const {
    const std::string document = document_in(tree);
    const auto attached = [this, document, time = instance.launched] {
        return signer_.sign_attached(as_bytes(document), time);
    };
    tree.put_made("dynamic/instance-identity/pkcs7", attached);
    tree.put_made("dynamic/instance-identity/rsa2048", attached);
    tree.put_made("dynamic/instance-identity/signature",
                  [this, document] { return signer_.sign(as_bytes(document)); });
}

}  // namespace kiln::control
