// SPDX-License-Identifier: Apache-2.0
// Wall-clock time as the API prints and reads it (TIME-1, TIME-4). The current time comes from
// io::Clock, never from here. Thread model: pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "util/result.h"

namespace kiln {

// Milliseconds since 1970-01-01T00:00:00Z.
struct UnixMillis {
    std::int64_t value = 0;
    friend auto operator<=>(const UnixMillis&, const UnixMillis&) = default;
};

// "2025-06-01T12:34:56.000Z": always three fractional digits.
std::string format_iso8601(UnixMillis time);
// "20250601T123456Z" as in SigV4, and its date part "20250601".
std::string format_basic(UnixMillis time);
// ISO 8601 with or without fraction, 'Z' or a numeric offset; date and time are required.
Result<UnixMillis> parse_iso8601(std::string_view text);
// The SigV4 form.
Result<UnixMillis> parse_basic(std::string_view text);

}  // namespace kiln
