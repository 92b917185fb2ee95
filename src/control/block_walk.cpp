// SPDX-License-Identifier: Apache-2.0
#include "control/block_walk.h"

#include <algorithm>

namespace kiln::control {
namespace {

constexpr std::uint64_t kBlock = 512U << 10;
constexpr std::size_t kRangesAtOnce = 1024;
constexpr std::chrono::seconds kCallTime{120};

}  // namespace

Result<std::uint64_t> BlockWalk::next(std::uint64_t index) {
    std::uint64_t from = index < size_ / kBlock + 1 ? index * kBlock : size_;
    while (from < size_) {
        while (at_ < page_.ranges.size() &&
               page_.ranges[at_].offset + page_.ranges[at_].length <= from) {
            ++at_;
        }
        if (at_ < page_.ranges.size()) {
            return std::max(from, page_.ranges[at_].offset) / kBlock;
        }
        from = std::max(from, page_.end);
        if (from < size_) {
            TRY_ASSIGN(page_,
                       engine_.find_data(name_, from, kRangesAtOnce, Deadline::after(kCallTime)));
            INVARIANT(page_.end > from || !page_.ranges.empty());
            at_ = 0;
        }
    }
    return kNone;
}

Result<Bytes> BlockWalk::read(std::uint64_t index) {
    Bytes bytes;
    if (index < (size_ + kBlock - 1) / kBlock) {
        const std::uint64_t offset = index * kBlock;
        const auto length = static_cast<std::uint32_t>(std::min(kBlock, size_ - offset));
        TRY_ASSIGN(bytes, engine_.read(name_, offset, length, Deadline::after(kCallTime)));
    }
    bytes.resize(kBlock);
    return bytes;
}

}  // namespace kiln::control
