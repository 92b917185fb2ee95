// SPDX-License-Identifier: Apache-2.0
// RetainedWrites: copies of the blocks that were written since the last flush, while they are few:
// what a flush can put in the journal instead of waiting for the data files.
//
//   hold()      before a write: its bytes, or nothing when they are too many
//   written()   after it, for better or worse: without a copy, or where nobody knows what a failed
//               write left, the copies are no longer all there is
//   take()      for the journal; ascending
//   begin()     a flush of the data files begins: it covers what was written until now
//
// Thread model: one owner thread.
#pragma once

#include <algorithm>
#include <map>
#include <optional>

#include "block/detail/journal_format.h"

namespace kiln::block {

class RetainedWrites {
  public:
    std::optional<Bytes> hold(BlockRange range, ByteView data) {
        // The number of a block above is not to be taken for the middle of a record's header.
        constexpr std::uint64_t kEnd = 1ULL << 32;
        if (!complete_ || held_ + range.count > kMaxLoggedBlocks || range.end() > kEnd) {
            return std::nullopt;
        }
        held_ += range.count;
        return Bytes(data.begin(), data.end());
    }
    void written(BlockRange range, const std::optional<Bytes>& copy, bool succeeded) {
        if (!copy || !succeeded) {
            held_ -= copy ? range.count : 0;
            complete_ = false;
            return;
        }
        for (std::uint64_t i = 0; i < range.count; ++i) {
            const auto from = copy->begin() + static_cast<std::ptrdiff_t>(i * kBlockBytes);
            const bool fresh =
                blocks_.insert_or_assign(range.first + i, Bytes(from, from + kBlockBytes)).second;
            held_ -= fresh ? 0 : 1;
        }
    }
    // Whether the copies are all that was written since begin() or take().
    bool complete() const { return complete_; }
    bool empty() const { return blocks_.empty(); }
    bool may_hold_record() const {
        return std::ranges::any_of(
            blocks_, [](const auto& one) { return block::may_hold_record(one.second); });
    }
    std::size_t blocks() const { return blocks_.size(); }
    std::map<std::uint64_t, Bytes> take() {
        held_ -= blocks_.size();
        return std::exchange(blocks_, {});
    }
    void begin() {
        take();
        complete_ = true;
    }

  private:
    std::map<std::uint64_t, Bytes> blocks_;
    std::size_t held_ = 0;  // those, and of writes on their way
    // At the start nobody knows what the process before wrote.
    bool complete_ = false;
};

}  // namespace kiln::block
