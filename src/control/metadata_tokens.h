// SPDX-License-Identifier: Apache-2.0
// MetadataTokens: the session tokens of the metadata service (IMDS-2). A token is good for one
// instance, for the run of it that asked (a stop ends it), and until its time is over.
//
// Nothing is kept per token: it carries its end, authenticated with a secret of the store. So there
// may be any number of them, and they outlive the daemon as guests do.
//
//   token   base64url of  version u8 = 1 | nonce 7 B | end, ms since 1970, i64 BE | HMAC-SHA256 32
//   B HMAC    over  "kiln metadata token" 0 | instance id 0 | launch time i64 BE | the first 16
//   bytes
//
// Thread-safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "catalog/store.h"
#include "io/clock.h"
#include "model/instance.h"

namespace kiln::control {

inline constexpr std::chrono::seconds kMinTokenTtl{1};
inline constexpr std::chrono::seconds kMaxTokenTtl{21'600};

class MetadataTokens {
  public:
    // Reads the store's secret, or makes it.
    static Result<MetadataTokens> create(catalog::Store& store, io::Clock& clock, io::Rng& rng);

    std::string issue(const model::Instance& instance, std::chrono::seconds ttl);
    // How long it is still good; nothing when it is not.
    std::optional<std::chrono::seconds> remaining(const model::Instance& instance,
                                                  std::string_view token);

  private:
    MetadataTokens(Bytes secret, io::Clock& clock, io::Rng& rng)
        : secret_(std::move(secret)), clock_(clock), rng_(rng) {}
    Bytes seal(const model::Instance& instance, ByteView head) const;

    Bytes secret_;
    io::Clock& clock_;
    io::Rng& rng_;
};

// The header's value: decimal seconds from 1 to 21600, or nothing.
std::optional<std::chrono::seconds> parse_token_ttl(std::string_view text);

}  // namespace kiln::control
