// SPDX-License-Identifier: Apache-2.0
// The status line and header fields of a response as bytes.
//
// Thread model: pure functions; format_response_head() reads the wall clock for the Date field, by
// which SDKs correct the clock they sign with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "net/headers.h"
#include "net/http_server.h"

namespace kiln::net::detail {

enum class Framing { none, length, chunked, until_close };

struct ResponseHead {
    int status = 200;
    Framing framing = Framing::length;
    std::uint64_t length = 0;
    bool close = false;
};

std::string_view reason_phrase(int status);
// Leaves out fields of `headers` that the framing decides, and those that could split the message.
std::string format_response_head(const ResponseHead& head, const Headers& headers);
// Head and body of an answer after which the connection closes, or not.
std::string format_canned(const CannedResponse& response, bool close, bool to_head);

}  // namespace kiln::net::detail
