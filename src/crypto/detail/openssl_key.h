// SPDX-License-Identifier: Apache-2.0
// OpenSSL's keys, and its buffers for their texts, as the .cpp files of this library share them.
// Private; the only header here that names OpenSSL's types, and it only declares them. Thread
// model: plain values.
#pragma once

#include <memory>

#include "crypto/ssh_key.h"

struct bio_st;
struct evp_pkey_st;

namespace kiln::crypto::detail {

struct PkeyDeleter {
    void operator()(evp_pkey_st* key) const;
};
using Pkey = std::unique_ptr<evp_pkey_st, PkeyDeleter>;

struct BioDeleter {
    void operator()(bio_st* bio) const;
};
using Bio = std::unique_ptr<bio_st, BioDeleter>;

// Empty, to be written to; what was in it is wiped at its end.
Bio secure_memory();
// What has been written to memory; there must be something. Good until the next write.
ByteView content(bio_st& bio);

// One number of an RSA key, by OpenSSL's name for it, big-endian.
Bytes rsa_number(const evp_pkey_st& key, const char* name);
Bytes ed25519_public(const evp_pkey_st& key);
// Of RSA and Ed25519 keys, within the sizes allowed.
Result<SshPublicKey> ssh_public_of(const evp_pkey_st& key);

}  // namespace kiln::crypto::detail
