// SPDX-License-Identifier: Apache-2.0
// Sessions: the keys an instance gets for its role, good for a time (IAM-10 .. IAM-13).
//
// Nothing is kept per session. The token carries who it is for and until when, authenticated with a
// secret of the store; the key's id and its secret follow from the token. So a token cannot be made
// or lengthened without the store's secret, and the daemon may be restarted. What a session may do
// is not in the token: role, policies and instance are looked up at each call, so that keys end
// with the role, and with the instance.
//
//   token    Base64 of  payload | HMAC-SHA256 32 B over "kiln session token" 0 | payload
//   payload  version u8 = 1 | issued, ms since 1970, i64 BE | end i64 BE | account 12 B | role 21 B
//            | name of the session (the instance's id)
//
// Thread-safe, blocking.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "catalog/store.h"
#include "control/authorization.h"
#include "io/clock.h"
#include "model/account.h"

namespace kiln::control {

// Clients renew keys some ten minutes before their end. A new key each hour, good for six: what an
// instance reads is good for five more at least.
inline constexpr std::chrono::hours kSessionLife{6};
inline constexpr std::chrono::hours kSessionRenewal{1};

struct SessionKeys {
    model::AccessKeyId id;
    std::string secret;
    std::string token;
    UnixMillis issued;
    UnixMillis expires;
};

struct SessionOwner {
    model::Account account;
    std::string secret;
    std::shared_ptr<const RoleSession> session;
};

class Sessions {
  public:
    // Reads the store's secret, or makes it.
    static Result<std::unique_ptr<Sessions>> create(catalog::Store& store, io::Clock& clock,
                                                    io::Rng& rng);

    // The same ones within an hour. The role is the instance's own: the caller has looked.
    SessionKeys keys_for(const model::Instance& instance, const model::Role& role);

    // Whose the key is. InvalidClientTokenId for what we did not issue, or whose role or instance
    // is gone; ExpiredToken.
    Result<SessionOwner> find(const std::string& access_key_id, std::string_view token);

  private:
    struct Claim {
        UnixMillis issued;
        UnixMillis expires;
        model::AccountId account;
        model::RoleId role;
        std::string name;
    };
    Sessions(catalog::Store& store, io::Clock& clock, Bytes secret)
        : store_(store), clock_(clock), secret_(std::move(secret)) {}
    Bytes derive(std::string_view purpose, ByteView payload) const;
    SessionKeys keys_of(const Claim& claim) const;
    std::optional<Claim> open(std::string_view token) const;
    static Bytes payload_of(const Claim& claim);

    catalog::Store& store_;
    io::Clock& clock_;
    const Bytes secret_;
};

}  // namespace kiln::control
