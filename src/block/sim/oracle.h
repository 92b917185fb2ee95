// SPDX-License-Identifier: Apache-2.0
// Oracle: which bytes a volume may hold, by the promises made to its user. It knows nothing of
// layers, journals or disks.
//
// The volume is a row of cells of 256 bytes; a write fills each cell with its own value, so that
// any byte in the wrong place, mixed or never written shows. Each cell remembers the versions that
// may still turn up:
//   - a version goes out of sight when another one, begun after it had ended, was acknowledged;
//   - a loss of power brings back all versions but those for which that other one was durable:
//     acknowledged before a completed flush began, or written as durable;
//   - an operation that failed or was in flight may have happened, cell by cell;
//   - what was read while nothing was in flight is settled; after a loss of power it is on the
//   medium.
// The moments of all volumes come from one Moments. Thread model: one owner thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "block/sim/window.h"
#include "util/bytes.h"

namespace kiln::block::sim {

class Oracle {
  public:
    using ChangeId = std::uint32_t;

    // All of it durable.
    Oracle(Moments& moments, const std::vector<Value>& content);

    std::uint64_t cells() const { return cells_.size(); }
    // The new cells hold zeros, durably.
    void grow(std::uint64_t cells);
    ChangeId begin(std::uint64_t first_cell, std::uint64_t count, Value value);
    void end(ChangeId change, bool ok, bool durable);
    // The moment a flush begins, for flushed().
    std::uint64_t moment() { return moments_->next(); }
    void flushed(std::uint64_t begun);
    void process_ended();
    void power_lost();

    // What may be read of these cells from now on, for as long as the window is held.
    std::shared_ptr<Window> watch(std::uint64_t first_cell, std::uint64_t count);

    // What was read while nothing was in flight; empty if it is legal. Settles those cells.
    // `medium`: the first read after a loss of power.
    std::string check(std::uint64_t first_cell, ByteView bytes, bool medium);
    // After a check of everything.
    std::vector<Value> settled() const;

  private:
    struct Version {
        Value value = 0;
        ChangeId change = 0;
        std::uint64_t begun = 0;
        std::uint64_t ended = 0;  // 0: in flight
        bool ok = false;
        bool visible = true;
    };
    using Cell = std::vector<Version>;
    struct Change {
        std::uint64_t first = 0;
        std::uint64_t count = 0;
    };

    template <class F>
    void tell(F work);
    static void durable(Cell& cell, const Version& winner);
    static std::string complain(const Cell& cell, std::uint64_t index, ByteView bytes);

    Moments* moments_;
    std::vector<Cell> cells_;
    std::vector<std::weak_ptr<Window>> windows_;
    std::map<ChangeId, Change> in_flight_;
    ChangeId next_change_ = 1;
};

}  // namespace kiln::block::sim
