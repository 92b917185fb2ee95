// SPDX-License-Identifier: Apache-2.0
#include "control/metadata_tokens.h"

#include <algorithm>

#include "control/sealed_token.h"
#include "crypto/hash.h"
#include "util/encoding.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::string_view kSecretKey = "metadata_token_secret";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kNonceBytes = 7;
constexpr std::size_t kHeadBytes = 1 + kNonceBytes + 8;
constexpr std::size_t kTokenBytes =
    kHeadBytes + crypto::kSha256Bytes;  // 48: Base64 without padding
constexpr std::size_t kTokenCharacters = kTokenBytes / 3 * 4;

std::int64_t get_i64(ByteView bytes) {
    return static_cast<std::int64_t>(get_be<std::uint64_t>(bytes.data()));
}

std::string swap_alphabet(std::string text, std::string_view from, std::string_view to) {
    for (char& c : text) {
        if (const std::size_t at = from.find(c); at != from.npos) {
            c = to[at];
        }
    }
    return text;
}

}  // namespace

Result<MetadataTokens> MetadataTokens::create(catalog::Store& store, io::Clock& clock,
                                              io::Rng& rng) {
    TRY_ASSIGN(Bytes secret, store_secret(store, rng, kSecretKey));
    return MetadataTokens(std::move(secret), clock, rng);
}

Bytes MetadataTokens::seal(const model::Instance& instance, ByteView head) const {
    Bytes message;
    append_text(message, "kiln metadata token");
    message.push_back(0);
    append_text(message, instance.id.str());
    message.push_back(0);
    append_i64(message, instance.launched.value);
    message.insert(message.end(), head.begin(), head.end());
    const crypto::Digest256 mac = crypto::hmac_sha256(secret_, message);
    return Bytes(mac.begin(), mac.end());
}

std::string MetadataTokens::issue(const model::Instance& instance, std::chrono::seconds ttl) {
    Bytes token(1 + kNonceBytes);
    rng_.fill(token);
    token[0] = kVersion;
    append_i64(token, clock_.now().value + std::chrono::milliseconds(ttl).count());
    const Bytes mac = seal(instance, token);
    token.insert(token.end(), mac.begin(), mac.end());
    return swap_alphabet(base64_encode(token), "+/", "-_");
}

std::optional<std::chrono::seconds> MetadataTokens::remaining(const model::Instance& instance,
                                                              std::string_view token) {
    if (token.size() != kTokenCharacters || token.find_first_of("+/=") != token.npos) {
        return std::nullopt;
    }
    const auto bytes = base64_decode(swap_alphabet(std::string(token), "-_", "+/"));
    if (!bytes || bytes->size() != kTokenBytes || bytes->front() != kVersion) {
        return std::nullopt;
    }
    const ByteView head = ByteView(*bytes).first(kHeadBytes);
    if (!crypto::constant_time_equal(seal(instance, head), ByteView(*bytes).subspan(kHeadBytes))) {
        return std::nullopt;
    }
    const std::int64_t left_ms = get_i64(head.last(8)) - clock_.now().value;
    if (left_ms <= 0) {
        return std::nullopt;
    }
    // Rounded up, so that a token that still works never says 0; a clock set back adds no time.
    const std::chrono::seconds left((left_ms + 999) / 1000);
    return std::min(left, kMaxTokenTtl);
}

std::optional<std::chrono::seconds> parse_token_ttl(std::string_view text) {
    const auto seconds = parse_int<std::int64_t>(text);
    if (!seconds || *seconds < kMinTokenTtl.count() || *seconds > kMaxTokenTtl.count()) {
        return std::nullopt;
    }
    return std::chrono::seconds(*seconds);
}

}  // namespace kiln::control
