// SPDX-License-Identifier: Apache-2.0
#include "control/block_tokens.h"

#include "control/sealed_token.h"
#include "crypto/hash.h"
#include "util/encoding.h"

namespace kiln::control {
namespace {

constexpr std::string_view kSecretKey = "block_token_secret";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHeadBytes = 2 + 8 + 8;
constexpr std::size_t kTokenBytes = kHeadBytes + crypto::kSha256Bytes;
constexpr std::size_t kTokenCharacters = (kTokenBytes + 2) / 3 * 4;

}  // namespace

Result<BlockTokens> BlockTokens::create(catalog::Store& store, io::Clock& clock, io::Rng& rng) {
    TRY_ASSIGN(Bytes secret, store_secret(store, rng, kSecretKey));
    return BlockTokens(std::move(secret), clock);
}

UnixMillis BlockTokens::end_of(Kind kind) const {
    const std::chrono::milliseconds time = kind == Kind::block
                                               ? std::chrono::milliseconds(kBlockTokenTime)
                                               : std::chrono::milliseconds(kPageTokenTime);
    return UnixMillis{clock_.now().value + time.count()};
}

Bytes BlockTokens::seal(const Caller& caller, std::string_view subject, ByteView head) const {
    Bytes message;
    for (const std::string_view part :
         {std::string_view("kiln block token"), std::string_view(caller.account.str()),
          std::string_view(caller.region), subject}) {
        append_text(message, part);
        message.push_back(0);
    }
    message.insert(message.end(), head.begin(), head.end());
    const crypto::Digest256 mac = crypto::hmac_sha256(secret_, message);
    return Bytes(mac.begin(), mac.end());
}

std::string BlockTokens::issue(Kind kind, const Caller& caller, std::string_view subject,
                               std::uint64_t index, UnixMillis end) const {
    Bytes token{kVersion, static_cast<std::uint8_t>(kind)};
    append_i64(token, end.value);
    append_i64(token, static_cast<std::int64_t>(index));
    const Bytes mac = seal(caller, subject, token);
    token.insert(token.end(), mac.begin(), mac.end());
    return base64_encode(token);
}

std::optional<std::uint64_t> BlockTokens::open(Kind kind, const Caller& caller,
                                               std::string_view subject,
                                               std::string_view token) const {
    if (token.size() != kTokenCharacters) {
        return std::nullopt;
    }
    const auto bytes = base64_decode(token);
    if (!bytes || bytes->size() != kTokenBytes || (*bytes)[0] != kVersion ||
        (*bytes)[1] != static_cast<std::uint8_t>(kind)) {
        return std::nullopt;
    }
    const ByteView head = ByteView(*bytes).first(kHeadBytes);
    if (!crypto::constant_time_equal(seal(caller, subject, head),
                                     ByteView(*bytes).subspan(kHeadBytes))) {
        return std::nullopt;
    }
    const auto end = static_cast<std::int64_t>(get_be<std::uint64_t>(head.data() + 2));
    if (end <= clock_.now().value) {
        return std::nullopt;
    }
    return get_be<std::uint64_t>(head.data() + 10);
}

}  // namespace kiln::control
