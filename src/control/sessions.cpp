// SPDX-License-Identifier: Apache-2.0
#include "control/sessions.h"

#include <algorithm>

#include "control/sealed_token.h"
#include "crypto/hash.h"
#include "util/encoding.h"

namespace kiln::control {
namespace {

constexpr std::string_view kSecretKey = "session_secret";
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kAccountBytes = 12;
constexpr std::size_t kRoleBytes = 21;
constexpr std::size_t kHeadBytes = 1 + 8 + 8 + kAccountBytes + kRoleBytes;
constexpr std::size_t kMaxNameBytes = 64;
constexpr std::size_t kMaxTokenCharacters = 256;

UnixMillis get_time(ByteView bytes) {
    return UnixMillis{static_cast<std::int64_t>(get_be<std::uint64_t>(bytes.data()))};
}

Error unknown_token() {
    return Error::api(Code::unauthenticated, "InvalidClientTokenId",
                      "The security token included in the request is invalid.");
}

// The role's policies were read before they were stored; one that cannot be read now allows
// nothing, and is an error rather than less than what it denied.
Result<std::shared_ptr<const RoleSession>> open_session(const model::Role& role,
                                                        const std::string& name) {
    auto session = std::make_shared<RoleSession>();
    session->role_id = role.id;
    session->role_name = role.name;
    session->name = name;
    for (const model::RolePolicy& policy : role.policies) {
        auto parsed = parse_identity_policy(policy.document);
        if (!parsed) {
            return Error(Code::data_loss, "the stored policy " + policy.name + " of " +
                                              role.id.str() + ": " + parsed.error().to_string());
        }
        session->policies.push_back(std::move(*parsed));
    }
    return std::shared_ptr<const RoleSession>(std::move(session));
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
    Bytes payload{kVersion};
    append_i64(payload, claim.issued.value);
    append_i64(payload, claim.expires.value);
    append_text(payload, claim.account.str());
    append_text(payload, claim.role.str());
    append_text(payload, claim.name);
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
    claim.issued = UnixMillis{instance.launched.value + since / kStep * kStep};
    claim.expires =
        UnixMillis{claim.issued.value + std::chrono::milliseconds(kSessionLife).count()};
    claim.account = role.owner_id;
    claim.role = role.id;
    claim.name = instance.id.str();
    return keys_of(claim);
}

std::optional<Sessions::Claim> Sessions::open(std::string_view token) const {
    const auto bytes = token.size() <= kMaxTokenCharacters
                           ? base64_decode(token)
                           : Result<Bytes>(Error(Code::invalid_argument, "too long"));
    constexpr std::size_t kLeast = kHeadBytes + crypto::kSha256Bytes;
    if (!bytes || bytes->size() <= kLeast || bytes->size() > kLeast + kMaxNameBytes ||
        bytes->front() != kVersion) {
        return std::nullopt;
    }
    const ByteView payload = ByteView(*bytes).first(bytes->size() - crypto::kSha256Bytes);
    if (!crypto::constant_time_equal(derive("kiln session token", payload),
                                     ByteView(*bytes).subspan(payload.size()))) {
        return std::nullopt;
    }
    Claim claim;
    claim.issued = get_time(payload.subspan(1));
    claim.expires = get_time(payload.subspan(9));
    claim.account = model::AccountId(std::string(as_text(payload.subspan(17, kAccountBytes))));
    const model::RoleId role(std::string(as_text(payload.subspan(17 + kAccountBytes, kRoleBytes))));
    claim.role = role;
    claim.name = std::string(as_text(payload.subspan(kHeadBytes)));
    return claim;
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
        TRY_ASSIGN(const auto role, tx.roles().find(claim->role));
        TRY_ASSIGN(const auto account, tx.accounts().find(claim->account));
        TRY_ASSIGN(const auto instance, tx.instances().find(model::InstanceId(claim->name)));
        if (!role || role->owner_id != claim->account || !account || !instance ||
            instance->state == model::InstanceState::terminated) {
            return unknown_token();
        }
        SessionOwner owner{*account, keys.secret, {}};
        TRY_ASSIGN(owner.session, open_session(*role, claim->name));
        return owner;
    });
}

}  // namespace kiln::control
