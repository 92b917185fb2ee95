// SPDX-License-Identifier: Apache-2.0
// Which text may stand in XML 1.0: valid UTF-8 without most control characters. Requests are held
// to it at the edge, so that whatever a client stored can be written into a response. Thread model:
// pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace kiln::api {

// The bytes of the character at `at`, or 0 when it is no valid UTF-8 or nothing XML can carry.
std::size_t xml_char_length(std::string_view text, std::size_t at);
bool is_xml_text(std::string_view text);
// Escapes markup; what XML cannot carry becomes U+FFFD.
void append_xml_text(std::string& out, std::string_view text);
// At most `limit` bytes, cut between characters: for repeating a client's value in an error
// message.
std::string_view shortened(std::string_view text, std::size_t limit);

}  // namespace kiln::api
