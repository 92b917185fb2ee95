// SPDX-License-Identifier: Apache-2.0
#include "compute/uefi/variables.h"

#include <fmt/format.h>

#include <set>
#include <utility>

namespace kiln::compute {
namespace {

constexpr std::uint32_t kNoCharacter = 0xffffffff;

bool is_surrogate(std::uint32_t unit) {
    return unit >= 0xd800 && unit <= 0xdfff;
}

// The character at `at`, which moves behind it; kNoCharacter for what is no UTF-8: cut off, longer
// than it need be, a surrogate, or beyond Unicode.
std::uint32_t next_character(std::string_view text, std::size_t& at) {
    const auto first = static_cast<std::uint8_t>(text[at++]);
    if (first < 0x80) {
        return first;
    }
    const std::size_t more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
    constexpr std::uint32_t kLeast[] = {0, 0x80, 0x800, 0x10000};
    if (first < 0xc0 || first > 0xf4 || text.size() - at < more) {
        return kNoCharacter;
    }
    std::uint32_t character = first & (0x3fU >> more);
    for (std::size_t i = 0; i < more; ++i) {
        const auto byte = static_cast<std::uint8_t>(text[at++]);
        if ((byte & 0xc0U) != 0x80) {
            return kNoCharacter;
        }
        character = character << 6 | (byte & 0x3fU);
    }
    const bool valid =
        character >= kLeast[more] && character <= 0x10ffff && !is_surrogate(character);
    return valid ? character : kNoCharacter;
}

void append_utf8(std::string& text, std::uint32_t character) {
    if (character < 0x80) {
        text += static_cast<char>(character);
        return;
    }
    const unsigned more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    constexpr std::uint32_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
    text += static_cast<char>(kLead[more] | character >> (6 * more));
    for (unsigned left = more; left > 0; --left) {
        text += static_cast<char>(0x80U | (character >> (6 * (left - 1)) & 0x3fU));
    }
}

Error no_name(std::string_view why) {
    return Error(Code::invalid_argument, "the name of a UEFI variable " + std::string(why));
}

}  // namespace

Result<std::u16string> uefi_name_units(std::string_view name) {
    std::u16string units;
    for (std::size_t at = 0; at < name.size();) {
        std::uint32_t character = next_character(name, at);
        if (character == kNoCharacter || character == 0) {
            return no_name("is not UTF-8 or has a zero in it");
        }
        if (character >= 0x10000) {
            character -= 0x10000;
            units += static_cast<char16_t>(0xd800 | character >> 10);
            character = 0xdc00 | (character & 0x3ff);
        }
        units += static_cast<char16_t>(character);
    }
    if (units.empty()) {
        return no_name("is empty");
    }
    return units;
}

Result<std::string> uefi_name(std::u16string_view units) {
    std::string name;
    for (std::size_t at = 0; at < units.size(); ++at) {
        std::uint32_t character = units[at];
        if (is_surrogate(character)) {
            const bool paired =
                character < 0xdc00 && at + 1 < units.size() && (units[at + 1] & 0xfc00) == 0xdc00;
            if (!paired) {
                return no_name("has half a character in it");
            }
            character = 0x10000 + ((character & 0x3ff) << 10 | (units[++at] & 0x3ffU));
        }
        if (character == 0) {
            return no_name("has a zero in it");
        }
        append_utf8(name, character);
    }
    if (name.empty()) {
        return no_name("is empty");
    }
    return name;
}

std::u16string read_units(ByteView bytes) {
    std::u16string units;
    for (std::size_t at = 0; at + 1 < bytes.size(); at += 2) {
        units += static_cast<char16_t>(get_le<std::uint16_t>(bytes.data() + at));
    }
    return units;
}

void write_units(ByteWriter& writer, std::u16string_view units) {
    for (const char16_t unit : units) {
        writer.le(static_cast<std::uint16_t>(unit));
    }
}

Status check_uefi_names(const UefiVariables& variables) {
    std::set<std::pair<std::string_view, UefiGuid>> seen;
    for (const UefiVariable& variable : variables) {
        TRY(uefi_name_units(variable.name));
        if (!seen.emplace(variable.name, variable.vendor).second) {
            return Error(Code::invalid_argument,
                         fmt::format("the UEFI variable {} is there twice", variable.name));
        }
    }
    return ok();
}

}  // namespace kiln::compute
