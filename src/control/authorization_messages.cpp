// SPDX-License-Identifier: Apache-2.0
#include "control/authorization_messages.h"

#include <optional>

#include "control/sealed_token.h"
#include "crypto/aead.h"
#include "crypto/hash.h"
#include "util/check.h"
#include "util/encoding.h"

namespace kiln::control {
namespace {

constexpr std::string_view kSecretKey = "authorization_message_secret";
constexpr std::string_view kPurpose = "kiln authorization message";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kSaltBytes = 24;
constexpr std::size_t kHeadBytes = 1 + kSaltBytes;
constexpr std::size_t kTimeBytes = 8;
constexpr std::size_t kTextHeadBytes = kTimeBytes + 2;
constexpr std::size_t kTextBytes = kTextHeadBytes + kMaxRefusalDocument;
constexpr std::size_t kMessageBytes = kHeadBytes + kTextBytes + crypto::kAeadTagBytes;

static_assert((kMessageBytes + 2) / 3 * 4 <= kMaxAuthorizationMessage);

Error invalid_message() {
    return Error::api(Code::invalid_argument, "InvalidAuthorizationMessageException",
                      "Message is not valid");
}

}  // namespace

Result<AuthorizationMessages> AuthorizationMessages::create(catalog::Store& store, io::Clock& clock,
                                                            io::Rng& rng) {
    TRY_ASSIGN(Bytes secret, store_secret(store, rng, kSecretKey));
    return AuthorizationMessages(std::move(secret), clock, rng);
}

Bytes AuthorizationMessages::key_of(ByteView salt) const {
    Bytes message;
    append_text(message, kPurpose);
    message.push_back(0);
    message.insert(message.end(), salt.begin(), salt.end());
    const crypto::Digest256 key = crypto::hmac_sha256(secret_, message);
    return Bytes(key.begin(), key.end());
}

std::string AuthorizationMessages::seal(const model::AccountId& account,
                                        std::string_view document) const {
    INVARIANT(document.size() <= kMaxRefusalDocument);
    Bytes message(kHeadBytes, kVersion);
    const MutableByteView salt = MutableByteView(message).subspan(1);
    rng_.fill(salt);
    Bytes text;
    append_i64(text,
               clock_.now().value + std::chrono::milliseconds(kAuthorizationMessageTime).count());
    text.resize(kTextHeadBytes);
    put_be(text.data() + kTimeBytes, static_cast<std::uint16_t>(document.size()));
    append_text(text, document);
    text.resize(kTextBytes);
    const Bytes sealed = crypto::seal_aead(key_of(salt), Bytes(crypto::kAeadNonceBytes),
                                           as_bytes(account.str()), text);
    message.insert(message.end(), sealed.begin(), sealed.end());
    return base64_encode(message);
}

Result<std::string> AuthorizationMessages::open(const model::AccountId& account,
                                                std::string_view message) const {
    // Line breaks, which Base64 may have, are none of a message.
    if (message.size() > kMaxAuthorizationMessage ||
        message.find_first_of("\r\n") != message.npos) {
        return invalid_message();
    }
    const auto bytes = base64_decode(message);
    if (!bytes || bytes->size() != kMessageBytes || bytes->front() != kVersion) {
        return invalid_message();
    }
    const ByteView all(*bytes);
    const auto text =
        crypto::open_aead(key_of(all.subspan(1, kSaltBytes)), Bytes(crypto::kAeadNonceBytes),
                          as_bytes(account.str()), all.subspan(kHeadBytes));
    if (!text ||
        static_cast<std::int64_t>(get_be<std::uint64_t>(text->data())) <= clock_.now().value) {
        return invalid_message();
    }
    const std::size_t size = get_be<std::uint16_t>(text->data() + kTimeBytes);
    INVARIANT(size <= kMaxRefusalDocument);  // it was sealed here
    return std::string(as_text(ByteView(*text).subspan(kTextHeadBytes, size)));
}

}  // namespace kiln::control
