// SPDX-License-Identifier: Apache-2.0
// What a client sees of an Error: code, message, HTTP status (ERR-1). An Error without an API code
// is InternalError and says nothing of what happened; its own text belongs in the log. Thread
// model: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "util/error.h"

namespace kiln::api {

struct WireError {
    std::string code;
    std::string message;
    int http_status;
    // The client's fault, as against ours; some protocols say which.
    bool sender_fault() const { return http_status < 500; }
};

int http_status(std::string_view api_code);
WireError to_wire(const Error& error);

}  // namespace kiln::api
