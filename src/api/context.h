// SPDX-License-Identifier: Apache-2.0
// Context: what a handler is given besides the request's parameters.
// Thread model: plain value, of one request.
#pragma once

#include <string>

#include "control/caller.h"

namespace kiln::api {

class Context {
  public:
    control::Caller caller;
    std::string access_key_id;
    // Of all parameters but those that do not change what is asked for (client token, dry run,
    // signature): two requests with the same one ask for the same (IDM-2), and a page token is
    // bound to it (PAG-5).
    std::string request_hash;
};

}  // namespace kiln::api
