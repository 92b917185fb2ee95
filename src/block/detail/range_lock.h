// SPDX-License-Identifier: Apache-2.0
// RangeLock: lets operations that change overlapping blocks go one after the other, in the order
// they came; others pass. It is no mutex: a waiting operation is a callback. Thread model: one
// owner thread.
#pragma once

#include <deque>
#include <vector>

#include "block/layer.h"

namespace kiln::block {

class RangeLock {
  public:
    // Runs `granted` at once when nothing held or waiting overlaps, else from a later release().
    void acquire(BlockRange range, io::Callback<> granted);
    void release(BlockRange range);
    bool idle() const { return held_.empty() && waiting_.empty(); }

  private:
    struct Waiter {
        BlockRange range;
        io::Callback<> granted;
    };
    // Both stay short (requests in flight are limited), so that scanning beats a tree.
    std::vector<BlockRange> held_;
    std::deque<Waiter> waiting_;
};

}  // namespace kiln::block
