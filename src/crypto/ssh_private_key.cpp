// SPDX-License-Identifier: Apache-2.0
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

#include "crypto/detail/openssl_key.h"
#include "crypto/detail/ssh_wire.h"
#include "crypto/ssh_key.h"
#include "util/check.h"
#include "util/encoding.h"

namespace kiln::crypto {

namespace {

using detail::Bio;
using detail::content;
using detail::Pkey;
using detail::secure_memory;
using detail::SshWriter;

constexpr unsigned kRsaBits = 2048;  // what EC2 makes
constexpr std::size_t kEd25519Bytes = 32;

Bytes ed25519_seed(const EVP_PKEY& key) {
    Bytes seed(kEd25519Bytes);
    std::size_t size = seed.size();
    INVARIANT(EVP_PKEY_get_raw_private_key(&key, seed.data(), &size) == 1 && size == kEd25519Bytes);
    return seed;
}

std::string rsa_pem(EVP_PKEY& key) {
    const Bio bio = secure_memory();
    INVARIANT(PEM_write_bio_PrivateKey_traditional(bio.get(), &key, nullptr, nullptr, 0, nullptr,
                                                   nullptr) == 1);
    return std::string(as_text(content(*bio)));
}

// PROTOCOL.key of OpenSSH: unencrypted, one key. The format needs the newline at its end.
std::string openssh_pem(const EVP_PKEY& key, ByteView blob, std::string_view comment) {
    constexpr std::size_t kBlock = 8;  // of the cipher "none"
    const Bytes point = detail::ed25519_public(key);
    Bytes secret = ed25519_seed(key);
    secret.insert(secret.end(), point.begin(), point.end());
    std::uint8_t check[4];
    INVARIANT(RAND_bytes(check, sizeof(check)) == 1);
    SshWriter inner;
    inner.raw(check).raw(check);  // equal after a decryption with the right passphrase
    inner.string("ssh-ed25519").string(point).string(secret).string(comment);
    for (std::uint8_t pad = 1; inner.bytes().size() % kBlock != 0; ++pad) {
        inner.raw(ByteView(&pad, 1));
    }
    SshWriter outer;
    outer.raw(as_bytes(std::string_view("openssh-key-v1\0", 15)));
    outer.string("none").string("none").string("").number(1).string(blob).string(inner.bytes());
    return "-----BEGIN OPENSSH PRIVATE KEY-----\n" + detail::base64_lines(outer.bytes(), 70) +
           "-----END OPENSSH PRIVATE KEY-----\n";
}

Bytes ppk_private_blob(const EVP_PKEY& key, SshKeyType type) {
    SshWriter blob;
    if (type == SshKeyType::ed25519) {
        blob.string(ed25519_seed(key));
    } else {
        for (const char* name : {OSSL_PKEY_PARAM_RSA_D, OSSL_PKEY_PARAM_RSA_FACTOR1,
                                 OSSL_PKEY_PARAM_RSA_FACTOR2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1}) {
            blob.mpint(detail::rsa_number(key, name));
        }
    }
    return blob.take();
}

// PuTTY's integrity check of a key without a passphrase.
std::string ppk_mac(ByteView data) {
    constexpr std::string_view kSalt = "putty-private-key-file-mac-key";
    std::uint8_t mac_key[SHA_DIGEST_LENGTH];
    SHA1(reinterpret_cast<const unsigned char*>(kSalt.data()), kSalt.size(), mac_key);
    std::uint8_t mac[SHA_DIGEST_LENGTH];
    std::size_t size = 0;
    INVARIANT(EVP_Q_mac(nullptr, "HMAC", nullptr, "SHA1", nullptr, mac_key, sizeof(mac_key),
                        data.data(), data.size(), mac, sizeof(mac), &size) != nullptr);
    return hex_encode(ByteView(mac, size));
}

std::size_t line_count(std::string_view text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

namespace detail {

void BioDeleter::operator()(bio_st* bio) const {
    BIO_free(bio);
}

Bio secure_memory() {
    Bio bio(BIO_new(BIO_s_secmem()));
    INVARIANT_MSG(bio != nullptr, "out of memory for a key");
    return bio;
}

ByteView content(bio_st& bio) {
    char* data = nullptr;
    const long size = BIO_get_mem_data(&bio, &data);
    INVARIANT(size > 0);
    return as_bytes(std::string_view(data, static_cast<std::size_t>(size)));
}

}  // namespace detail

struct SshPrivateKey::State {
    SshKeyType type;
    Pkey key;
};

SshPrivateKey::SshPrivateKey(std::unique_ptr<State> state) : state_(std::move(state)) {}
SshPrivateKey::~SshPrivateKey() = default;
SshPrivateKey::SshPrivateKey(SshPrivateKey&&) noexcept = default;
SshPrivateKey& SshPrivateKey::operator=(SshPrivateKey&&) noexcept = default;

SshPrivateKey SshPrivateKey::generate(SshKeyType type) {
    Pkey key(type == SshKeyType::rsa
                 ? EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{kRsaBits})
                 : EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    INVARIANT_MSG(key != nullptr, "OpenSSL made no key");
    return SshPrivateKey(std::make_unique<State>(State{type, std::move(key)}));
}

SshPublicKey SshPrivateKey::public_key() const {
    auto key = detail::ssh_public_of(*state_->key);
    INVARIANT_MSG(key.has_value(), "a generated key is not usable");
    return std::move(*key);
}

std::string SshPrivateKey::pem(std::string_view comment) const {
    return state_->type == SshKeyType::rsa ? rsa_pem(*state_->key)
                                           : openssh_pem(*state_->key, public_key().blob, comment);
}

std::string SshPrivateKey::ppk(std::string_view comment) const {
    const std::string_view name = state_->type == SshKeyType::rsa ? "ssh-rsa" : "ssh-ed25519";
    const Bytes blob = public_key().blob;
    const Bytes secret = ppk_private_blob(*state_->key, state_->type);
    SshWriter checked;
    checked.string(name).string("none").string(comment).string(blob).string(secret);
    const std::string public_lines = detail::base64_lines(blob, 64);
    const std::string private_lines = detail::base64_lines(secret, 64);
    std::string text = "PuTTY-User-Key-File-2: ";
    text.append(name).append("\nEncryption: none\nComment: ").append(comment);
    text += "\nPublic-Lines: " + std::to_string(line_count(public_lines)) + "\n" + public_lines;
    text += "Private-Lines: " + std::to_string(line_count(private_lines)) + "\n" + private_lines;
    return text + "Private-MAC: " + ppk_mac(checked.bytes()) + "\n";
}

std::string SshPrivateKey::sha1_der_fingerprint() const {
    PKCS8_PRIV_KEY_INFO* const info = EVP_PKEY2PKCS8(state_->key.get());
    INVARIANT(info != nullptr);
    const Bio bio = secure_memory();
    INVARIANT(i2d_PKCS8_PRIV_KEY_INFO_bio(bio.get(), info) == 1);
    PKCS8_PRIV_KEY_INFO_free(info);
    const ByteView der = content(*bio);
    std::uint8_t digest[SHA_DIGEST_LENGTH];
    SHA1(der.data(), der.size(), digest);
    return detail::colon_hex(digest);
}

}  // namespace kiln::crypto
