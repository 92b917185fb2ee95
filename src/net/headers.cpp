// SPDX-License-Identifier: Apache-2.0
#include "net/headers.h"

#include <algorithm>
#include <cstring>

#include "util/strings.h"

namespace kiln::net {

namespace {

bool is_token_character(char c) {
    if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) {
        return true;
    }
    return c != '\0' && std::strchr("!#$%&'*+-.^_`|~", c) != nullptr;
}

bool is_value_character(char c) {
    const auto code = static_cast<unsigned char>(c);
    return c == '\t' || (code >= 0x20 && code != 0x7f);
}

}  // namespace

void Headers::add(std::string_view name, std::string_view value) {
    list_.push_back({std::string(name), std::string(value)});
}

void Headers::set(std::string_view name, std::string_view value) {
    remove(name);
    add(name, value);
}

void Headers::remove(std::string_view name) {
    std::erase_if(list_,
                  [&](const Header& header) { return equals_ignore_case(header.name, name); });
}

std::size_t Headers::count(std::string_view name) const {
    return all(name).size();
}

std::optional<std::string_view> Headers::get(std::string_view name) const {
    for (const Header& header : list_) {
        if (equals_ignore_case(header.name, name)) {
            return header.value;
        }
    }
    return std::nullopt;
}

std::vector<std::string_view> Headers::all(std::string_view name) const {
    std::vector<std::string_view> values;
    for (const Header& header : list_) {
        if (equals_ignore_case(header.name, name)) {
            values.push_back(header.value);
        }
    }
    return values;
}

bool Headers::has_token(std::string_view name, std::string_view token) const {
    for (const std::string_view value : all(name)) {
        for (const std::string_view part : split(value, ',')) {
            if (equals_ignore_case(trim(part), token)) {
                return true;
            }
        }
    }
    return false;
}

bool is_valid_header(std::string_view name, std::string_view value) {
    return !name.empty() && std::all_of(name.begin(), name.end(), is_token_character) &&
           std::all_of(value.begin(), value.end(), is_value_character);
}

}  // namespace kiln::net
