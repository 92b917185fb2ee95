// SPDX-License-Identifier: Apache-2.0
#include "util/crc32c.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace kiln {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc & 1 ? crc >> 1 ^ 0x82F63B78U : crc >> 1;
        }
        table[i] = crc;
    }
    return table;
}
constexpr auto kTable = make_table();

std::uint32_t update_portable(std::uint32_t crc, ByteView data) {
    for (std::uint8_t byte : data) {
        crc = kTable[(crc ^ byte) & 255] ^ crc >> 8;
    }
    return crc;
}

#if defined(__x86_64__)
// The instruction takes three cycles and one can begin in each, so long data goes in three lanes
// side by side, which are joined by what so many bytes of zeros make of a crc: a linear map. Three
// lanes and 16 bytes are a block of 4096.
constexpr std::size_t kLane = 1360;
using Shift = std::array<std::array<std::uint32_t, 256>, 4>;  // for each byte of the crc

constexpr Shift make_shift() {
    std::array<std::uint32_t, 32> of_bit{};
    for (unsigned bit = 0; bit < 32; ++bit) {
        std::uint32_t crc = 1U << bit;
        for (std::size_t i = 0; i < kLane; ++i) {
            crc = kTable[crc & 255] ^ crc >> 8;
        }
        of_bit[bit] = crc;
    }
    Shift shift{};
    for (unsigned byte = 0; byte < 4; ++byte) {
        for (unsigned value = 0; value < 256; ++value) {
            for (unsigned bit = 0; bit < 8; ++bit) {
                shift[byte][value] ^= (value >> bit & 1) != 0 ? of_bit[8 * byte + bit] : 0;
            }
        }
    }
    return shift;
}
constexpr Shift kShift = make_shift();

std::uint32_t shifted(std::uint32_t crc) {
    return kShift[0][crc & 255] ^ kShift[1][crc >> 8 & 255] ^ kShift[2][crc >> 16 & 255] ^
           kShift[3][crc >> 24];
}

std::uint64_t word_at(const std::uint8_t* at) {
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    return word;
}

__attribute__((target("sse4.2"))) std::uint32_t update_sse42(std::uint32_t crc, ByteView data) {
    const std::uint8_t* at = data.data();
    std::size_t left = data.size();
    for (; left >= 3 * kLane; at += 3 * kLane, left -= 3 * kLane) {
        std::uint64_t lanes[3] = {crc, 0, 0};
        for (std::size_t i = 0; i < kLane; i += 8) {
            lanes[0] = _mm_crc32_u64(lanes[0], word_at(at + i));
            lanes[1] = _mm_crc32_u64(lanes[1], word_at(at + kLane + i));
            lanes[2] = _mm_crc32_u64(lanes[2], word_at(at + 2 * kLane + i));
        }
        crc = static_cast<std::uint32_t>(lanes[0]);
        crc = shifted(crc) ^ static_cast<std::uint32_t>(lanes[1]);
        crc = shifted(crc) ^ static_cast<std::uint32_t>(lanes[2]);
    }
    std::uint64_t wide = crc;
    for (; left >= 8; at += 8, left -= 8) {
        wide = _mm_crc32_u64(wide, word_at(at));
    }
    crc = static_cast<std::uint32_t>(wide);
    for (; left > 0; ++at, --left) {
        crc = _mm_crc32_u8(crc, *at);
    }
    return crc;
}
#endif

}  // namespace

std::uint32_t crc32c(ByteView data, std::uint32_t seed) {
    const std::uint32_t start = ~seed;
#if defined(__x86_64__)
    static const bool has_sse42 = __builtin_cpu_supports("sse4.2");
    if (has_sse42) {
        return ~update_sse42(start, data);
    }
#endif
    return ~update_portable(start, data);
}

}  // namespace kiln
