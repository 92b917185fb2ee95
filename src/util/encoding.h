// SPDX-License-Identifier: Apache-2.0
// Hexadecimal, Base64 (RFC 4648) and percent encoding (RFC 3986). Decoders are strict: any stray
// character is an error. Thread model: pure functions.
#pragma once

#include <string>
#include <string_view>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln {

std::string hex_encode(ByteView data);  // lower case
Result<Bytes> hex_decode(std::string_view text);

std::string base64_encode(ByteView data);
// Accepts line breaks between groups, as clients send them; refuses anything else that is not
// Base64.
Result<Bytes> base64_decode(std::string_view text);

// Unreserved characters stay, everything else becomes %XX (upper case). `keep_slash` leaves '/'
// alone.
std::string percent_encode(std::string_view text, bool keep_slash = false);
// `plus_is_space` for application/x-www-form-urlencoded. Fails on a truncated or malformed escape.
Result<std::string> percent_decode(std::string_view text, bool plus_is_space);

}  // namespace kiln
