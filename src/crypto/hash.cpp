// SPDX-License-Identifier: Apache-2.0
#include "crypto/hash.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>

#include <algorithm>

#include "crypto/detail/sha256_lanes.h"
#include "util/check.h"
#include "util/encoding.h"

namespace kiln::crypto {

namespace {

// Immutable after its first use; OpenSSL counts references to it atomically.
const EVP_MD* sha256_algorithm() {
    static const EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA2-256", nullptr);
    INVARIANT_MSG(algorithm != nullptr, "OpenSSL has no SHA-256");
    return algorithm;
}

struct DigestContextDeleter {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using DigestContext = std::unique_ptr<EVP_MD_CTX, DigestContextDeleter>;

struct MacContextDeleter {
    void operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }
};
using MacContext = std::unique_ptr<EVP_MAC_CTX, MacContextDeleter>;

DigestContext new_digest_context() {
    DigestContext context(EVP_MD_CTX_new());
    INVARIANT_MSG(context != nullptr, "out of memory for a digest context");
    return context;
}

MacContext new_hmac_context() {
    EVP_MAC* const mac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
    INVARIANT_MSG(mac != nullptr, "OpenSSL has no HMAC");
    MacContext context(EVP_MAC_CTX_new(mac));
    EVP_MAC_free(mac);  // the context keeps its own reference
    INVARIANT_MSG(context != nullptr, "out of memory for a MAC context");
    char digest[] = "SHA2-256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    INVARIANT(EVP_MAC_CTX_set_params(context.get(), parameters) == 1);
    return context;
}

}  // namespace

struct Sha256::State {
    DigestContext context = new_digest_context();
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
    INVARIANT(EVP_DigestInit_ex2(state_->context.get(), sha256_algorithm(), nullptr) == 1);
}
Sha256::~Sha256() = default;
Sha256::Sha256(Sha256&&) noexcept = default;
Sha256& Sha256::operator=(Sha256&&) noexcept = default;

Sha256& Sha256::update(ByteView data) {
    INVARIANT(EVP_DigestUpdate(state_->context.get(), data.data(), data.size()) == 1);
    return *this;
}

Digest256 Sha256::finish() {
    Digest256 digest;
    EVP_MD_CTX* const context = state_->context.get();
    INVARIANT(EVP_DigestFinal_ex(context, digest.data(), nullptr) == 1);
    INVARIANT(EVP_DigestInit_ex2(context, sha256_algorithm(), nullptr) == 1);
    return digest;
}

Digest256 sha256(ByteView data) {
    thread_local const DigestContext context = new_digest_context();
    Digest256 digest;
    INVARIANT(EVP_DigestInit_ex2(context.get(), sha256_algorithm(), nullptr) == 1);
    INVARIANT(EVP_DigestUpdate(context.get(), data.data(), data.size()) == 1);
    INVARIANT(EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1);
    return digest;
}

void sha256_each(std::span<const ByteView> messages, std::span<Digest256> digests) {
    using detail::kSha256Lanes;
    INVARIANT(messages.size() == digests.size());
    static const bool has_lanes = detail::has_sha256_lanes();
    std::size_t at = 0;
    while (at < messages.size()) {
        const auto rest = messages.subspan(at);
        const auto same_length = [&rest](ByteView message) {
            return message.size() == rest[0].size();
        };
        if (has_lanes && rest.size() >= kSha256Lanes &&
            std::ranges::all_of(rest.first(kSha256Lanes), same_length)) {
            detail::sha256_lanes(rest.first<kSha256Lanes>(),
                                 digests.subspan(at).first<kSha256Lanes>());
            at += kSha256Lanes;
        } else {
            digests[at] = sha256(rest[0]);
            ++at;
        }
    }
}

std::string sha256_hex(ByteView data) {
    return hex_encode(sha256(data));
}

Digest256 hmac_sha256(ByteView key, ByteView data) {
    thread_local const MacContext context = new_hmac_context();
    // A null key pointer would mean "the key of the last call".
    static constexpr std::uint8_t kEmpty = 0;
    const std::uint8_t* const key_data = key.empty() ? &kEmpty : key.data();
    Digest256 digest;
    std::size_t size = 0;
    INVARIANT(EVP_MAC_init(context.get(), key_data, key.size(), nullptr) == 1);
    INVARIANT(EVP_MAC_update(context.get(), data.data(), data.size()) == 1);
    INVARIANT(EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) == 1);
    INVARIANT(size == digest.size());
    return digest;
}

bool constant_time_equal(ByteView a, ByteView b) {
    return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace kiln::crypto
