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
__attribute__((target("sse4.2"))) std::uint32_t update_sse42(std::uint32_t crc, ByteView data) {
    const std::uint8_t* at = data.data();
    std::size_t left = data.size();
    std::uint64_t wide = crc;
    for (; left >= 8; at += 8, left -= 8) {
        std::uint64_t word;
        std::memcpy(&word, at, 8);
        wide = _mm_crc32_u64(wide, word);
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
