// SPDX-License-Identifier: Apache-2.0
#include "crypto/detail/sha256_lanes.h"

#include <algorithm>
#include <cstring>

#include "util/check.h"

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>

#define KILN_SHA_CODE __attribute__((target("sha,sse4.1,ssse3"), always_inline)) inline
#endif

namespace kiln::crypto::detail {

#if defined(__x86_64__)
namespace {

constexpr std::size_t kBlock = 64;
constexpr std::size_t kLengthField = 8;

// FIPS 180-4: the initial hash value (5.3.3) and the constants (4.2.2).
constexpr std::array<std::uint32_t, 8> kInitial = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                   0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
alignas(16) constexpr std::array<std::uint32_t, 64> kConstants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<std::uint32_t, 8>;

// A message on its way through a block. The instructions want the state as (a,b,e,f) and (c,d,g,h).
struct Lane {
    const std::uint8_t* at;
    __m128i abef;
    __m128i cdgh;
    __m128i words[4];  // the last 16 of the message schedule
};

KILN_SHA_CODE __m128i load(const void* at) {
    return _mm_loadu_si128(static_cast<const __m128i*>(at));
}

KILN_SHA_CODE void load_state(Lane& lane, const State& state) {
    const __m128i badc = _mm_shuffle_epi32(load(&state[0]), 0xB1);
    const __m128i efgh = _mm_shuffle_epi32(load(&state[4]), 0x1B);
    lane.abef = _mm_alignr_epi8(badc, efgh, 8);
    lane.cdgh = _mm_blend_epi16(efgh, badc, 0xF0);
}

KILN_SHA_CODE void store_state(const Lane& lane, State& state) {
    const __m128i feba = _mm_shuffle_epi32(lane.abef, 0x1B);
    const __m128i dchg = _mm_shuffle_epi32(lane.cdgh, 0xB1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(&state[0]), _mm_blend_epi16(feba, dchg, 0xF0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(&state[4]), _mm_alignr_epi8(dchg, feba, 8));
}

// Four of the 64 rounds.
template <unsigned kFour>
KILN_SHA_CODE void rounds(Lane& lane) {
    __m128i& words = lane.words[kFour % 4];
    if constexpr (kFour < 4) {
        const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
        words = _mm_shuffle_epi8(load(lane.at + 16 * kFour), big_endian);
    } else {
        const __m128i& last = lane.words[(kFour + 3) % 4];
        const __m128i sum = _mm_add_epi32(_mm_sha256msg1_epu32(words, lane.words[(kFour + 1) % 4]),
                                          _mm_alignr_epi8(last, lane.words[(kFour + 2) % 4], 4));
        words = _mm_sha256msg2_epu32(sum, last);
    }
    const __m128i input = _mm_add_epi32(words, load(&kConstants[std::size_t{4} * kFour]));
    lane.cdgh = _mm_sha256rnds2_epu32(lane.cdgh, lane.abef, input);
    lane.abef = _mm_sha256rnds2_epu32(lane.abef, lane.cdgh, _mm_shuffle_epi32(input, 0x0E));
}

template <unsigned kFour = 0>
KILN_SHA_CODE void all_rounds(Lane& a, Lane& b, Lane& c, Lane& d) {
    rounds<kFour>(a);
    rounds<kFour>(b);
    rounds<kFour>(c);
    rounds<kFour>(d);
    if constexpr (kFour < 15) {
        all_rounds<kFour + 1>(a, b, c, d);
    }
}

KILN_SHA_CODE void end_block(Lane& lane, __m128i abef, __m128i cdgh) {
    lane.abef = _mm_add_epi32(lane.abef, abef);
    lane.cdgh = _mm_add_epi32(lane.cdgh, cdgh);
    lane.at += kBlock;
}

__attribute__((target("sha,sse4.1,ssse3"))) void take_blocks(
    std::array<State, kSha256Lanes>& states,
    const std::array<const std::uint8_t*, kSha256Lanes>& from, std::size_t count) {
    Lane a{from[0], {}, {}, {}};
    Lane b{from[1], {}, {}, {}};
    Lane c{from[2], {}, {}, {}};
    Lane d{from[3], {}, {}, {}};
    load_state(a, states[0]);
    load_state(b, states[1]);
    load_state(c, states[2]);
    load_state(d, states[3]);
    for (; count > 0; --count) {
        const Lane before[] = {a, b, c, d};
        all_rounds(a, b, c, d);
        end_block(a, before[0].abef, before[0].cdgh);
        end_block(b, before[1].abef, before[1].cdgh);
        end_block(c, before[2].abef, before[2].cdgh);
        end_block(d, before[3].abef, before[3].cdgh);
    }
    store_state(a, states[0]);
    store_state(b, states[1]);
    store_state(c, states[2]);
    store_state(d, states[3]);
}

}  // namespace

bool has_sha256_lanes() {
    static const bool has = [] {
        unsigned eax = 0;
        unsigned ebx = 0;
        unsigned ecx = 0;
        unsigned edx = 0;
        return __builtin_cpu_supports("sse4.1") != 0 && __builtin_cpu_supports("ssse3") != 0 &&
               __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx >> 29 & 1) != 0;
    }();
    return has;
}

void sha256_lanes(std::span<const ByteView, kSha256Lanes> messages,
                  std::span<Digest256, kSha256Lanes> digests) {
    const std::size_t length = messages[0].size();
    const std::size_t rest = length % kBlock;
    // What is behind the last whole block: a bit, zeros, and the length in bits.
    const std::size_t ends = rest + 1 + kLengthField <= kBlock ? 1 : 2;
    std::array<State, kSha256Lanes> states;
    std::array<std::array<std::uint8_t, 2 * kBlock>, kSha256Lanes> tails{};
    std::array<const std::uint8_t*, kSha256Lanes> whole{};
    std::array<const std::uint8_t*, kSha256Lanes> end{};
    for (std::size_t lane = 0; lane < kSha256Lanes; ++lane) {
        INVARIANT(messages[lane].size() == length);
        states[lane] = kInitial;
        whole[lane] = messages[lane].data();
        end[lane] = tails[lane].data();
        std::ranges::copy(messages[lane].last(rest), tails[lane].begin());
        tails[lane][rest] = 0x80;
        const std::uint64_t bits = __builtin_bswap64(std::uint64_t{length} * 8);
        std::memcpy(&tails[lane][ends * kBlock - kLengthField], &bits, kLengthField);
    }
    take_blocks(states, whole, length / kBlock);
    take_blocks(states, end, ends);
    for (std::size_t lane = 0; lane < kSha256Lanes; ++lane) {
        for (std::size_t i = 0; i < states[lane].size(); ++i) {
            const std::uint32_t word = __builtin_bswap32(states[lane][i]);
            std::memcpy(&digests[lane][4 * i], &word, 4);
        }
    }
}

#else

bool has_sha256_lanes() {
    return false;
}

void sha256_lanes(std::span<const ByteView, kSha256Lanes>, std::span<Digest256, kSha256Lanes>) {
    INVARIANT_MSG(false, "this processor has no such instructions");
}

#endif

}  // namespace kiln::crypto::detail
