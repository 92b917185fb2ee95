// SPDX-License-Identifier: Apache-2.0
// VolumeLimits: how fast the clients of a volume's exports may be. Thread model: plain value.
#pragma once

#include <cstdint>

namespace kiln::block {

// Of operations, or of bytes, a second.
struct RateLimit {
    std::uint64_t rate = 0;        // 0: without limit
    std::uint64_t burst_rate = 0;  // while there are credits; 0: as `rate`
    // What may be used above `rate`. They are there at first, and come back with whatever of `rate`
    // is not used. 0: there is no burst.
    std::uint64_t credits = 0;
    friend bool operator==(const RateLimit&, const RateLimit&) = default;
};

struct VolumeLimits {
    RateLimit operations;
    RateLimit bytes;
    // A larger request counts as several operations.
    std::uint32_t operation_bytes = 256U << 10;
    friend bool operator==(const VolumeLimits&, const VolumeLimits&) = default;
};

}  // namespace kiln::block
