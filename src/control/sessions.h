// SPDX-License-Identifier: Apache-2.0
// Sessions: keys that are good for a time: an instance's for its role (IAM-10 .. IAM-13), those of
// AssumeRole and those of GetSessionToken (IAM-17 .. IAM-22).
//
// Nothing is kept per session. The token carries who it is for and until when, authenticated with a
// secret of the store; the key's id and its secret follow from the token. So a token cannot be made
// or lengthened without the store's secret, and the daemon may be restarted. What a session may do
// is not in the token but for its tags and the policy that limits it: role, user, policies and
// instance are looked up at each call, so that keys end with the role, the user and the instance.
//
//   token    Base64 of  payload | HMAC-SHA256 32 B over "kiln session token" 0 | payload
//   payload  version u8 = 1 | issued, ms since 1970, i64 BE | end i64 BE | account 12 B | role 21 B
//            | name of the session (the instance's id)
//            version u8 = 2 | issued | end | account | kind u8 (0 account, 1 user, 2 role) | id of
//            the user or role 21 B, or none | length of the name u8 | name | policy of the session
//            version u8 = 3: as 2, with the tags of the session before its policy
//            (control/session_tags.h)
//
// Thread-safe, blocking.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/store.h"
#include "control/identities.h"
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

// What AssumeRole makes.
struct RoleSessionSpec {
    std::string name;
    std::string policy;  // of the session; empty: it may do all the role may
    std::chrono::seconds life{3600};
    SessionTags tags{};
};

struct SessionOwner {
    model::Account account;
    std::string secret;
    IdentityPtr identity;
};

class Sessions {
  public:
    // Reads the store's secret, or makes it.
    static Result<std::unique_ptr<Sessions>> create(catalog::Store& store, io::Clock& clock,
                                                    io::Rng& rng);

    // The same ones within an hour. The role is the instance's own: the caller has looked.
    SessionKeys keys_for(const model::Instance& instance, const model::Role& role);

    // A new session each time.
    SessionKeys assume(const model::Role& role, const RoleSessionSpec& spec);
    // Of the account, or of a user when `user` is not empty.
    SessionKeys session_of(const model::AccountId& account, const model::UserId& user,
                           std::chrono::seconds life);

    // Whose the key is. InvalidClientTokenId for what we did not issue, or whose role, user or
    // instance is gone; ExpiredToken.
    Result<SessionOwner> find(const std::string& access_key_id, std::string_view token);

  private:
    struct Claim {
        UnixMillis issued;
        UnixMillis expires;
        model::AccountId account;
        Identity::Kind kind = Identity::Kind::role;
        bool of_instance = false;  // version 1
        std::string subject{};     // the id of the role or the user
        std::string name{};
        std::string policy{};
        SessionTags tags{};
    };
    Sessions(catalog::Store& store, io::Clock& clock, Bytes secret)
        : store_(store), clock_(clock), secret_(std::move(secret)) {}
    Bytes derive(std::string_view purpose, ByteView payload) const;
    SessionKeys keys_of(const Claim& claim) const;
    std::optional<Claim> open(std::string_view token) const;
    static Bytes payload_of(const Claim& claim);
    static std::optional<Claim> read_payload(ByteView payload);
    static bool read_session(ByteView rest, bool with_tags, Claim& claim);
    SessionKeys new_session(Claim claim, std::chrono::seconds life);
    static Result<IdentityPtr> identify(catalog::Transaction& tx, const Claim& claim);

    catalog::Store& store_;
    io::Clock& clock_;
    const Bytes secret_;
};

}  // namespace kiln::control
