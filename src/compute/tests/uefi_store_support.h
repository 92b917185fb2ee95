// SPDX-License-Identifier: Apache-2.0
// Empty stores of UEFI variables for tests, as OVMF's template is but smaller. Thread model: pure
// functions.
#pragma once

#include "util/bytes.h"
#include "util/encoding.h"

namespace kiln::compute::testing {

inline constexpr std::size_t kVolumeHead = 72;
inline constexpr std::size_t kArea = 100;  // where the variables begin

// Makes the check sum of the volume's header right.
inline void sum(Bytes& file) {
    put_le<std::uint16_t>(file.data() + 50, 0);
    std::uint16_t all = 0;
    for (std::size_t at = 0; at < kVolumeHead; at += 2) {
        all = static_cast<std::uint16_t>(all + get_le<std::uint16_t>(file.data() + at));
    }
    put_le(file.data() + 50, static_cast<std::uint16_t>(-all));
}

// Erased, with room for so many bytes of variables; behind them stands what is no affair of theirs.
inline Bytes empty_store(std::size_t room) {
    constexpr std::string_view kBehind = "fault tolerant writes";
    Bytes file = *hex_decode(
        "000000000000000000000000000000008d2bf1ff96768b4ca9852747075b4f50"
        "00000000000000005f465648fffe040048000000000000028400000000100000"
        "0000000000000000782cf3aa7b949a43a1802e144ec37792000000005afe0000"
        "00000000");
    put_le<std::uint64_t>(file.data() + 32, kArea + room + kBehind.size());
    put_le(file.data() + kVolumeHead + 16, static_cast<std::uint32_t>(kArea - kVolumeHead + room));
    sum(file);
    file.resize(kArea + room, 0xff);
    file.insert(file.end(), kBehind.begin(), kBehind.end());
    return file;
}

}  // namespace kiln::compute::testing
