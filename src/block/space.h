// SPDX-License-Identifier: Apache-2.0
// SpaceReserve: the part of the file system that new data leaves alone, so that journals, the
// catalog, destage and garbage collection always find room (docs/semantics/space.md).
//
//   take() is for the data path: it subtracts from the room that the last measure() found, never
//   blocks, and grants everything before the first one. Whoever owns the reserve measures it every
//   second, so a figure is never older than that, and never larger than what was left of it.
//
// The figures come through a probe, so that tests need no full disk. Thread-safe; measure() asks
// the file system and may block for a moment.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>

#include "util/result.h"

namespace kiln::block {

// Bytes of a file system; `available` to us.
struct Space {
    std::uint64_t available = 0;
    std::uint64_t total = 0;
};
using SpaceProbe = std::function<Result<Space>()>;
// Of the file system that holds `directory`.
SpaceProbe space_of(std::string directory);

// How much is kept: the larger of the two. The default is what `kiln serve` does by itself.
struct ReserveSize {
    unsigned percent = 5;
    std::uint64_t at_least = 2ULL << 30;

    std::uint64_t of(std::uint64_t total) const;
    friend bool operator==(const ReserveSize&, const ReserveSize&) = default;
};
// "10%" (0 to 90), or a number of bytes with or without K, M, G or T, KiB, MiB, GiB or TiB, which
// mean the same: "500MiB", "3G". invalid_argument.
Result<ReserveSize> parse_reserve(std::string_view text);

class SpaceReserve {
  public:
    struct Figures {
        Space space;
        std::uint64_t reserve = 0;
        // What new data may use.
        std::uint64_t room() const {
            return space.available > reserve ? space.available - reserve : 0;
        }
    };

    SpaceReserve(SpaceProbe probe, ReserveSize size) : probe_(std::move(probe)), size_(size) {}

    // Asks now. When that fails the last figures stay in force.
    Result<Figures> measure();
    // False, and nothing taken, when `bytes` more would go into the reserve.
    bool take(std::uint64_t bytes);

  private:
    const SpaceProbe probe_;
    const ReserveSize size_;
    std::atomic<std::int64_t> room_{std::numeric_limits<std::int64_t>::max()};
};

}  // namespace kiln::block
