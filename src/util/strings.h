// SPDX-License-Identifier: Apache-2.0
// Small text helpers. Thread model: pure functions.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kiln {

// "a,b,,c" -> {"a","b","","c"}; the empty text gives one empty part.
std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);
std::string to_lower(std::string_view text);  // ASCII only
// Characters, not bytes, of UTF-8 text: what limits on names and descriptions count.
std::size_t character_count(std::string_view text);
// At most `count` of them.
std::string first_characters(std::string_view text, std::size_t count);
bool equals_ignore_case(std::string_view a, std::string_view b);

// The whole text as a decimal number in range of T; nothing else around it.
template <class T>
std::optional<T> parse_int(std::string_view text) {
    T value{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || text.empty()) {
        return std::nullopt;
    }
    return value;
}

}  // namespace kiln
