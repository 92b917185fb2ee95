// SPDX-License-Identifier: Apache-2.0
// MetadataSignatures: the signatures of an instance's identity document (IMDS-10), by which others
// can tell that this store said it. The key is the store's, made once and never given out; its
// certificate is for everybody.
//
// Kept in the catalog under `identity_document_key`: a private key (PKCS #8) and its certificate,
// both PEM, in one text, so that neither is ever without the other. Thread-safe.
#pragma once

#include <string>

#include "catalog/store.h"
#include "control/metadata_tree.h"
#include "crypto/document_signer.h"
#include "io/clock.h"
#include "model/instance.h"

namespace kiln::control {

class MetadataSignatures {
  public:
    // Reads the store's key, or makes it. Blocks; data_loss when what is there is none.
    static Result<MetadataSignatures> create(catalog::Store& store, io::Clock& clock);

    std::string certificate() const { return signer_.certificate(); }  // PEM
    // Beside the document, which is in the tree. They are made when they are read: this must be
    // there for as long as the tree.
    void put(MetadataTree& tree, const model::Instance& instance) const;

  private:
    explicit MetadataSignatures(crypto::DocumentSigner signer) : signer_(std::move(signer)) {}

    crypto::DocumentSigner signer_;
};

}  // namespace kiln::control
