// SPDX-License-Identifier: Apache-2.0
// Account and AccessKey: who owns things, and the keys by which a request proves that it comes from
// there.
//
// The secret is kept in clear, because SigV4 needs it to check a signature; it never goes to logs
// or into an answer other than the one that creates the key. The catalog's files are readable by
// their owner only. Thread model: plain values.
#pragma once

#include <optional>
#include <string>

#include "model/ids.h"
#include "model/names.h"
#include "model/organization.h"
#include "util/time.h"

namespace kiln::model {

struct Account {
    AccountId id;
    std::string name;   // for people; need not be unique
    std::string alias;  // shown as owner alias: "amazon" for the provided images (D28), else empty
    bool administrator = false;  // may use the account part of /kiln/v1
    UnixMillis created;
    std::optional<Membership> membership{};  // none: in no organization
    friend bool operator==(const Account&, const Account&) = default;
};

enum class AccessKeyState { active, inactive };
constexpr auto enum_names(AccessKeyState) {
    return std::to_array<EnumName<AccessKeyState>>(
        {{AccessKeyState::active, "Active"}, {AccessKeyState::inactive, "Inactive"}});
}

struct AccessKey {
    AccessKeyId id;
    AccountId account;
    std::string secret;
    AccessKeyState state = AccessKeyState::active;
    UnixMillis created;
    UserId user{};  // whose it is; empty: the account's own
    friend bool operator==(const AccessKey&, const AccessKey&) = default;
};

}  // namespace kiln::model
