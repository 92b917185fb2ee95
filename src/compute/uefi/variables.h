// SPDX-License-Identifier: Apache-2.0
// UEFI variables, apart from any form that they are stored in, and the names that all forms share.
//
// A variable is known by its name and vendor together. What only EDK II's store has of one (its
// state, the monotonic count and the public key's index, which nothing uses since variables are
// authenticated by time) is not here. Source: UEFI specification 2.10, 8.2. Thread model: plain
// values and pure functions.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln::compute {

using UefiGuid = std::array<std::uint8_t, 16>;  // as in memory: the first three numbers reversed
using UefiTime = std::array<std::uint8_t, 16>;  // EFI_TIME; zeros: none

inline constexpr std::uint32_t kUefiNonVolatile = 0x01;
inline constexpr std::uint32_t kUefiBootService = 0x02;
inline constexpr std::uint32_t kUefiRuntime = 0x04;
inline constexpr std::uint32_t kUefiTimeAuthenticated = 0x20;

struct UefiVariable {
    std::string name;  // UTF-8
    UefiGuid vendor{};
    std::uint32_t attributes = 0;
    // Of those authenticated by time alone: when it was last signed, and the digest of the
    // certificates that may change it (empty: none is bound to it).
    UefiTime timestamp{};
    Bytes digest;
    Bytes data;
    friend bool operator==(const UefiVariable&, const UefiVariable&) = default;
};

using UefiVariables = std::vector<UefiVariable>;

// A name's UTF-16 units, without an end. invalid_argument for an empty one, one that is not UTF-8,
// and one with a zero in it.
Result<std::u16string> uefi_name_units(std::string_view name);
// The way back, with the same errors.
Result<std::string> uefi_name(std::u16string_view units);
// Units as they lie in a store, little-endian; half a unit at the end is left out.
std::u16string read_units(ByteView bytes);
void write_units(ByteWriter& writer, std::u16string_view units);

// invalid_argument for a name that is none, and for two variables with one name and vendor.
Status check_uefi_names(const UefiVariables& variables);

}  // namespace kiln::compute
