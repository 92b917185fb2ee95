// SPDX-License-Identifier: Apache-2.0
// Zeroing: makes a range of whole blocks read as zeros. Only what may hold data gets a record: a
// discard of a whole empty 64 TiB device changes nothing, and above a tree it is the tree that says
// where data is, so that records, memory and a later destage follow the data and not the range.
//
// Stretches are zeroed one after the other; an error leaves those before it zeroed. Completes
// exactly once, never inside start(). The caller holds the range's lock. Thread model: one owner
// thread.
#pragma once

#include <vector>

#include "block/detail/stack.h"

namespace kiln::block {

class Zeroing : public std::enable_shared_from_this<Zeroing> {
  public:
    // The stack has an active layer.
    static void start(io::Scheduler& scheduler, StackRef stack, BlockRange range, Done done);

  private:
    Zeroing(io::Scheduler& scheduler, StackRef stack, BlockRange range, Done done);
    void next();
    bool step();
    bool look_into_base(std::uint64_t count);
    void ask_base(std::uint64_t first);
    void dirty(std::uint64_t count);
    void write();

    io::Scheduler& scheduler_;
    const StackRef stack_;
    BlockRange rest_;
    BlockRange stretch_{};
    // What the tree said: up to `base_known_` data is in these ranges only.
    std::vector<BlockRange> base_data_;
    std::uint64_t base_known_ = 0;
    Done done_;
};

}  // namespace kiln::block
