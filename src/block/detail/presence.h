// SPDX-License-Identifier: Apache-2.0
// PresenceMap: absent, zero or data for each block of a layer, in two bits, in pages that exist
// only where something was set: an empty 64 TiB layer costs 8 KiB. Thread model: one owner thread.
#pragma once

#include <memory>
#include <vector>

#include "block/layer.h"

namespace kiln::block {

class PresenceMap {
  public:
    // page_blocks is a multiple of 64.
    PresenceMap(std::uint64_t blocks, std::uint32_t page_blocks);

    std::uint64_t blocks() const { return blocks_; }
    // The range lies inside; the state is zero or data.
    void set(BlockRange range, BlockState state);
    BlockRun run(std::uint64_t first, std::uint64_t limit) const;
    // Parts of the range whose state is not `state`.
    std::vector<BlockRange> without(BlockRange range, BlockState state) const;
    // Parts of the range whose state is `state`.
    std::vector<BlockRange> with(BlockRange range, BlockState state) const;
    bool any_data(BlockRange range) const;

  private:
    static constexpr std::uint64_t kPagesPerDirectory = 1024;
    struct Page {
        std::vector<std::uint64_t> data;
        std::vector<std::uint64_t> zero;
    };
    using Directory = std::vector<std::unique_ptr<Page>>;

    const Page* find(std::uint64_t page) const;
    Page& touch(std::uint64_t page);
    BlockRun run_in_page(std::uint64_t first, std::uint64_t limit) const;

    const std::uint64_t blocks_;
    const std::uint64_t page_blocks_;
    std::vector<std::unique_ptr<Directory>> directories_;
};

}  // namespace kiln::block
