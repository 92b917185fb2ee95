// SPDX-License-Identifier: Apache-2.0
#include "control/sessions.h"

#include <algorithm>

#include "control/sealed_token.h"
#include "crypto/hash.h"
#include "util/encoding.h"

namespace kiln::control {
namespace {

constexpr std::string_view kSecretKey = "session_secret";
constexpr std::uint8_t kOfInstance = 1;  // versions
constexpr std::uint8_t kOfRequest = 2;
constexpr std::uint8_t kWithTags = 3;
constexpr std::size_t kTimesBytes = 1 + 8 + 8;
constexpr std::size_t kAccountBytes = 12;
constexpr std::size_t kSubjectBytes = 21;
// A policy and tags of 2,048 bytes, the lengths of 50 tags, and the rest.
constexpr std::size_t kMaxTokenCharacters = 4096;

UnixMillis get_time(ByteView bytes) {
    return UnixMillis{static_cast<std::int64_t>(get_be<std::uint64_t>(bytes.data()))};
}

Error unknown_token() {
    return Error::api(Code::unauthenticated, "InvalidClientTokenId",
                      "The security token included in the request is invalid.");
}

}  // namespace

Result<std::unique_ptr<Sessions>> Sessions::create(catalog::Store& store, io::Clock& clock,
                                                   io::Rng& rng) {
    TRY_ASSIGN(Bytes secret, store_secret(store, rng, kSecretKey));
    return std::unique_ptr<Sessions>(new Sessions(store, clock, std::move(secret)));
}

Bytes Sessions::derive(std::string_view purpose, ByteView payload) const {
    Bytes message;
    append_text(message, purpose);
    message.push_back(0);
    message.insert(message.end(), payload.begin(), payload.end());
    const crypto::Digest256 mac = crypto::hmac_sha256(secret_, message);
    return Bytes(mac.begin(), mac.end());
}

Bytes Sessions::payload_of(const Claim& claim) {
    const std::uint8_t of_request = claim.tags.empty() ? kOfRequest : kWithTags;
    Bytes payload{claim.of_instance ? kOfInstance : of_request};
    append_i64(payload, claim.issued.value);
    append_i64(payload, claim.expires.value);
    append_text(payload, claim.account.str());
    if (!claim.of_instance) {
        payload.push_back(static_cast<std::uint8_t>(claim.kind));
    }
    append_text(payload, claim.subject);
    if (!claim.of_instance) {
        payload.push_back(static_cast<std::uint8_t>(claim.name.size()));
    }
    append_text(payload, claim.name);
    if (!claim.tags.empty()) {
        append_session_tags(payload, claim.tags);
    }
    append_text(payload, claim.policy);
    return payload;
}

SessionKeys Sessions::keys_of(const Claim& claim) const {
    Bytes sealed = payload_of(claim);
    const Bytes id = derive("kiln session key", sealed);
    const Bytes secret = derive("kiln session secret", sealed);
    const Bytes mac = derive("kiln session token", sealed);
    append_text(sealed, as_text(mac));
    SessionKeys keys;
    keys.id = model::make_session_key_id(std::span<const std::uint8_t, 10>(id.data(), 10));
    keys.secret = model::make_secret_key(std::span<const std::uint8_t, 30>(secret.data(), 30));
    keys.token = base64_encode(sealed);
    keys.issued = claim.issued;
    keys.expires = claim.expires;
    return keys;
}

SessionKeys Sessions::keys_for(const model::Instance& instance, const model::Role& role) {
    constexpr std::int64_t kStep = std::chrono::milliseconds(kSessionRenewal).count();
    const std::int64_t since =
        std::max<std::int64_t>(clock_.now().value - instance.launched.value, 0);
    Claim claim;
    claim.of_instance = true;
    claim.issued = UnixMillis{instance.launched.value + since / kStep * kStep};
    claim.expires =
        UnixMillis{claim.issued.value + std::chrono::milliseconds(kSessionLife).count()};
    claim.account = role.owner_id;
    claim.subject = role.id.str();
    claim.name = instance.id.str();
    return keys_of(claim);
}

SessionKeys Sessions::new_session(Claim claim, std::chrono::seconds life) {
    // Two sessions of one moment are one: their keys are the same and may do the same.
    claim.issued = clock_.now();
    claim.expires = UnixMillis{claim.issued.value + std::chrono::milliseconds(life).count()};
    return keys_of(claim);
}

SessionKeys Sessions::assume(const model::Role& role, const RoleSessionSpec& spec) {
    Claim claim;
    claim.account = role.owner_id;
    claim.subject = role.id.str();
    claim.name = spec.name;
    claim.policy = spec.policy;
    claim.tags = spec.tags;
    return new_session(std::move(claim), spec.life);
}

SessionKeys Sessions::session_of(const model::AccountId& account, const model::UserId& user,
                                 std::chrono::seconds life) {
    Claim claim;
    claim.account = account;
    claim.kind = user.empty() ? Identity::Kind::account : Identity::Kind::user;
    claim.subject = user.str();
    return new_session(std::move(claim), life);
}

// What comes behind the kind in versions 2 and 3.
bool Sessions::read_session(ByteView rest, bool with_tags, Claim& claim) {
    ByteReader reader(rest);
    if (claim.kind != Identity::Kind::account) {
        claim.subject = as_text(reader.bytes(kSubjectBytes));
    }
    claim.name = as_text(reader.bytes(reader.le<std::uint8_t>()));
    if (with_tags) {
        claim.tags = read_session_tags(reader);
    }
    claim.policy = as_text(reader.bytes(reader.remaining()));
    return reader.ok();
}

// The payload is whole: we made it.
std::optional<Sessions::Claim> Sessions::read_payload(ByteView payload) {
    std::size_t at = 0;
    const auto take = [&](std::size_t size) {
        const bool there = payload.size() - at >= size;
        const std::string text(there ? as_text(payload.subspan(at, size)) : std::string_view());
        at = there ? at + size : payload.size();
        return text;
    };
    if (payload.size() < kTimesBytes + kAccountBytes + 1) {
        return std::nullopt;
    }
    Claim claim;
    const std::uint8_t version = payload.front();
    claim.of_instance = version == kOfInstance;
    if (!claim.of_instance && version != kOfRequest && version != kWithTags) {
        return std::nullopt;
    }
    claim.issued = get_time(payload.subspan(1));
    claim.expires = get_time(payload.subspan(9));
    at = kTimesBytes;
    claim.account = model::AccountId(take(kAccountBytes));
    if (claim.of_instance) {
        claim.subject = take(kSubjectBytes);
        claim.name = take(payload.size() - at);
        return claim;
    }
    const std::uint8_t kind = payload[at++];
    if (kind > static_cast<std::uint8_t>(Identity::Kind::role)) {
        return std::nullopt;
    }
    claim.kind = static_cast<Identity::Kind>(kind);
    return read_session(payload.subspan(at), version == kWithTags, claim)
               ? std::optional(std::move(claim))
               : std::nullopt;
}

std::optional<Sessions::Claim> Sessions::open(std::string_view token) const {
    const auto bytes = token.size() <= kMaxTokenCharacters
                           ? base64_decode(token)
                           : Result<Bytes>(Error(Code::invalid_argument, "too long"));
    if (!bytes || bytes->size() <= crypto::kSha256Bytes) {
        return std::nullopt;
    }
    const ByteView payload = ByteView(*bytes).first(bytes->size() - crypto::kSha256Bytes);
    if (!crypto::constant_time_equal(derive("kiln session token", payload),
                                     ByteView(*bytes).subspan(payload.size()))) {
        return std::nullopt;
    }
    return read_payload(payload);
}

Result<IdentityPtr> Sessions::identify(catalog::Transaction& tx, const Claim& claim) {
    switch (claim.kind) {
        case Identity::Kind::account:
            return identity_of(claim.account, claim.issued);
        case Identity::Kind::user: {
            TRY_ASSIGN(const auto user, tx.users().find(model::UserId(claim.subject)));
            if (!user || user->owner_id != claim.account) {
                return unknown_token();
            }
            return identity_of(*user, claim.issued);
        }
        case Identity::Kind::role:
            break;
    }
    TRY_ASSIGN(const auto role, tx.roles().find(model::RoleId(claim.subject)));
    if (!role || role->owner_id != claim.account) {
        return unknown_token();
    }
    if (claim.of_instance) {
        TRY_ASSIGN(const auto instance, tx.instances().find(model::InstanceId(claim.name)));
        if (!instance || instance->state == model::InstanceState::terminated) {
            return unknown_token();
        }
    }
    return identity_of(*role, {claim.name, claim.issued, claim.policy, claim.tags});
}

Result<SessionOwner> Sessions::find(const std::string& access_key_id, std::string_view token) {
    const auto claim = open(token);
    if (!claim) {
        return unknown_token();
    }
    const SessionKeys keys = keys_of(*claim);
    if (keys.id.str() != access_key_id) {
        return unknown_token();
    }
    if (clock_.now() >= claim->expires) {
        return Error::api(Code::unauthenticated, "ExpiredToken",
                          "The security token included in the request is expired");
    }
    return store_.read([&](catalog::Transaction& tx) -> Result<SessionOwner> {
        TRY_ASSIGN(const auto account, tx.accounts().find(claim->account));
        if (!account) {
            return unknown_token();
        }
        SessionOwner owner{*account, keys.secret, {}};
        TRY_ASSIGN(owner.identity, identify(tx, *claim));
        return owner;
    });
}

}  // namespace kiln::control
