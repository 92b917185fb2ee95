// SPDX-License-Identifier: Apache-2.0
// AuthorizationMessages: why a call was refused, for those in the caller's account who may know
// (IAM-36). A refusal of EC2 carries it sealed; DecodeAuthorizationMessage opens it.
//
// Nothing is kept per message: it holds everything, encrypted and authenticated with a secret of
// the store, and bound to the account of the caller. Each has a key of its own, made with its salt,
// so that there may be any number of them. All are of one length, whatever they say: else the
// length would tell who was refused whether a thing is there (IAM-26).
//
//   message  base64 of  version u8 = 1 | salt 24 B | AES-256-GCM of  end, ms since 1970, i64 BE |
//            length of the document u16 BE | document | zeros;  the key is HMAC-SHA256(secret,
//            "kiln authorization message" 0 | salt), the nonce is 0, bound is the account
//
// Errors: InvalidAuthorizationMessageException. Thread-safe.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "catalog/store.h"
#include "io/clock.h"
#include "model/ids.h"
#include "util/bytes.h"

namespace kiln::control {

inline constexpr std::chrono::hours kAuthorizationMessageTime{7 * 24};
// What DecodeAuthorizationMessage takes.
inline constexpr std::size_t kMaxAuthorizationMessage = 10'240;
// A launch that a statement denies, of which there is the most to tell, comes to some 3,000 bytes;
// the rest is for more tags. Every message is as long as one of this size, 5,404 characters.
inline constexpr std::size_t kMaxRefusalDocument = 4'000;

class AuthorizationMessages {
  public:
    AuthorizationMessages(Bytes secret, io::Clock& clock, io::Rng& rng)
        : secret_(std::move(secret)), clock_(clock), rng_(rng) {}
    // Reads the store's secret, or makes it.
    static Result<AuthorizationMessages> create(catalog::Store& store, io::Clock& clock,
                                                io::Rng& rng);

    // `document` has at most kMaxRefusalDocument bytes.
    std::string seal(const model::AccountId& account, std::string_view document) const;
    // The document, for the account that it was sealed for, until its time is over.
    Result<std::string> open(const model::AccountId& account, std::string_view message) const;

  private:
    Bytes key_of(ByteView salt) const;

    Bytes secret_;
    io::Clock& clock_;
    io::Rng& rng_;
};

}  // namespace kiln::control
