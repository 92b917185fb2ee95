// SPDX-License-Identifier: Apache-2.0
// Caller: who asks and where, as proven by the request's signature. Every use case takes one first.
// Thread model: plain value.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/ids.h"

namespace kiln::control {

struct Identity;

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
};

}  // namespace kiln::control
