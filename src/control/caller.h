// SPDX-License-Identifier: Apache-2.0
// Caller: who asks and where, as proven by the request's signature. Every use case takes one first.
// Thread model: plain value.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "model/ids.h"
#include "util/time.h"

namespace kiln::control {

class AuthorizationMessages;
struct Identity;

// How a request came: what policies may ask of that (IAM-8). Nothing for what no request began.
struct Arrival {
    std::optional<UnixMillis> time;
    std::string address;  // of the client; empty: it has none that means anything
    std::optional<bool> tls;
    // Seals what a refusal may not say openly (IAM-36). Null: the service asked says nothing of it.
    const AuthorizationMessages* messages = nullptr;
};

struct Caller {
    model::AccountId account;
    std::string region;  // of the signature's scope (REG-1)
    bool administrator = false;
    std::string request_id;
    // ARNs of the organization and the units that the account is in, as they were when the call
    // came.
    std::vector<std::string> organizations{};
    // Who asks, unless it is the account itself by its own keys. See control/authorization.h.
    std::shared_ptr<const Identity> identity{};
    Arrival arrival{};
};

}  // namespace kiln::control
