// SPDX-License-Identifier: Apache-2.0
// The exhaustive sweep: every sequence of a few operations on a small volume, ended after every
// event (an effect on disk or catalog, and its completion), in each of the ways a process may end;
// and every sequence with the device full at each thing that needs space. Each case ends with the
// finale of a history: everything is read and judged, destaged or not, deleted, and nothing may be
// left. What random histories find late in a large space this finds surely in a small one. Thread
// model: one owner thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "block/sim/history.h"

namespace kiln::block::sim {

// First rings of the layers: what has room for small records alone, and what has for data.
inline constexpr std::uint64_t kSweepRing = 2 << 10;
inline constexpr std::uint64_t kDataSweepRing = 64 << 10;

struct SweepCase {
    std::vector<Work> work;
    // All begun at once; else each when the one before has come to rest.
    bool together = false;
    // The process ends after so many events; with 0 before the first.
    std::uint64_t crash_at = 0;
    // A loss of power that keeps, loses or picks what was not synced; none: a kill.
    std::optional<io::SimFate> power{};
    // The device is full for this allocation (from 1), or from it on; 0: never.
    std::uint64_t full_at = 0;
    bool stays_full = false;
    std::uint64_t first_ring = kSweepRing;

    std::string text() const;
};

struct SweepOptions {
    std::size_t most_work = 2;
    // Every nth case, beginning with the first: a share of the work, or a sample.
    std::uint64_t nth = 1;
    std::uint64_t first = 0;
    bool verbose = false;
    // Told before each case: one that stops the program can be named then.
    std::function<void(const SweepCase&)> next{};
};

struct SweepReport {
    std::uint64_t sequences = 0;
    std::uint64_t crashes = 0;     // cases played that end in a crash
    std::uint64_t full_disks = 0;  // cases played on a full device
    std::vector<std::string> failures;
};

// One case. `reached`: whether the work lasted until the crash, or found the full device.
HistoryReport play(const SweepCase& which, bool verbose, bool& reached);
SweepReport sweep(const SweepOptions& options);

}  // namespace kiln::block::sim
