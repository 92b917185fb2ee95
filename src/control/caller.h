// SPDX-License-Identifier: Apache-2.0
// Caller: who asks and where, as proven by the request's signature. Every use case takes one first.
// Thread model: plain value.
#pragma once

#include <string>

#include "model/ids.h"

namespace kiln::control {

struct Caller {
    model::AccountId account;
    std::string region;  // of the signature's scope (REG-1)
    bool administrator = false;
    std::string request_id;
};

}  // namespace kiln::control
