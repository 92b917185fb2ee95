// SPDX-License-Identifier: Apache-2.0
// PresenceMap: absent, zero or data for each block of a layer, in pages (presence_page.h) that
// exist only where something was set: an empty 64 TiB layer costs 8 KiB.
//
// For checkpoints it knows which pages changed. freeze() holds those fixed as they are now; a
// frozen page that changes before it is taken is copied first. Thread model: one owner thread.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "block/detail/presence_page.h"

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

    // More blocks than now; the new ones are absent.
    void extend(std::uint64_t blocks);
    // Every page there is counts as changed.
    void touch_all();
    // Fills a page from the planes of its slot in a map file. data_loss for bits that cannot be.
    Status load(std::uint64_t page, ByteView slot);
    // From now until unfreeze(), frozen() are the pages that changed since the last freeze().
    void freeze();
    const std::vector<std::uint64_t>& frozen() const { return frozen_; }
    // Puts the planes of a frozen page, as they were at freeze(), in a slot. Once for each page.
    void take(std::uint64_t page, MutableByteView slot);
    // `written`: what was taken is in force. Else the pages count as changed again.
    void unfreeze(bool written);

  private:
    static constexpr std::uint64_t kPagesPerDirectory = 1024;
    struct Page {
        PresencePage content;
        bool dirty = false;
        bool frozen = false;  // not yet taken, and as it was
    };
    using Directory = std::vector<std::unique_ptr<Page>>;

    const Page* find(std::uint64_t page) const;
    Page& touch(std::uint64_t page);
    Page& touch_to_change(std::uint64_t page);
    BlockRun run_in_page(std::uint64_t first, std::uint64_t limit) const;

    std::uint64_t blocks_;
    const std::uint32_t page_blocks_;
    std::vector<std::unique_ptr<Directory>> directories_;
    std::vector<std::uint64_t> dirty_;
    std::vector<std::uint64_t> frozen_;
    // Of frozen pages that changed before they were taken: their planes, as they were.
    std::map<std::uint64_t, Bytes> copies_;
};

}  // namespace kiln::block
