// SPDX-License-Identifier: Apache-2.0
// Names of enumerators: each enum that is stored or shown declares `enum_names(E)`, a table from
// value to the text EC2 uses. to_string() and parse<E>() read that table, so the text of a value
// stands in one place only.
//
// The text is also what the catalog stores: never change one; adding is free.
// Thread model: pure functions.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace kiln::model {

template <class E>
struct EnumName {
    E value;
    std::string_view name;
};

template <class E>
concept NamedEnum = requires(E value) {
    enum_names(value)[0].name;
};

// Empty for a value that is not in the table.
template <NamedEnum E>
constexpr std::string_view to_string(E value) {
    for (const auto& entry : enum_names(value)) {
        if (entry.value == value) {
            return entry.name;
        }
    }
    return {};
}

// Exact and case-sensitive, as the API is.
template <NamedEnum E>
constexpr std::optional<E> parse(std::string_view name) {
    for (const auto& entry : enum_names(E{})) {
        if (entry.name == name) {
            return entry.value;
        }
    }
    return std::nullopt;
}

}  // namespace kiln::model
