// SPDX-License-Identifier: Apache-2.0
// Client tokens (IDM-1 .. IDM-6): a creating transaction asks first whether the token has created
// something already, and notes at its end what it created. Thread model: functions within a
// transaction.
#pragma once

#include <optional>
#include <string>

#include "catalog/store.h"
#include "control/caller.h"
#include "util/time.h"

namespace kiln::control {

struct ClientToken {
    std::string_view action;
    std::string scope;         // the region, or the zone where the request names one (IDM-6)
    std::string token;         // empty: none was given
    std::string request_hash;  // of the other parameters (IDM-2)
};

// IDM-1. InvalidClientToken for a longer one.
inline constexpr std::size_t kClientTokenLimit = 64;
inline constexpr std::size_t kLongClientToken = 128;  // where EC2 takes so long ones
Status check_client_token(const std::string& token, std::size_t most = kClientTokenLimit);

// What it created before; nothing when it is new. IdempotentParameterMismatch.
Result<std::optional<std::string>> find_result(catalog::Transaction& tx, const Caller& caller,
                                               const ClientToken& token);
Status remember_result(catalog::Transaction& tx, const Caller& caller, const ClientToken& token,
                       const std::string& result, UnixMillis now);

}  // namespace kiln::control
