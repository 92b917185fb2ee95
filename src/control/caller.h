// SPDX-License-Identifier: Apache-2.0
// Caller: who asks and where, as proven by the request's signature. Every use case takes one first.
// Thread model: plain value.
#pragma once

#include <memory>
#include <string>

#include "model/ids.h"

namespace kiln::control {

struct RoleSession;

struct Caller {
    model::AccountId account;
    std::string region;  // of the signature's scope (REG-1)
    bool administrator = false;
    std::string request_id;
    // Of a role whose keys signed; none: the account's own keys. See control/authorization.h.
    std::shared_ptr<const RoleSession> session{};
};

}  // namespace kiln::control
