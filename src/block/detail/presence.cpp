// SPDX-License-Identifier: Apache-2.0
#include "block/detail/presence.h"

#include <algorithm>

#include "block/detail/text_field.h"
#include "util/check.h"

namespace kiln::block {

PresenceMap::PresenceMap(std::uint64_t blocks, std::uint32_t page_blocks)
    : blocks_(blocks), page_blocks_(page_blocks) {
    INVARIANT(page_blocks > 0 && page_blocks % 64 == 0);
    const std::uint64_t per_directory = page_blocks_ * kPagesPerDirectory;
    directories_.resize((blocks + per_directory - 1) / per_directory);
}

void PresenceMap::extend(std::uint64_t blocks) {
    INVARIANT(blocks >= blocks_);
    const std::uint64_t per_directory = page_blocks_ * kPagesPerDirectory;
    blocks_ = blocks;
    directories_.resize((blocks + per_directory - 1) / per_directory);
}

void PresenceMap::touch_all() {
    for (std::uint64_t directory = 0; directory < directories_.size(); ++directory) {
        for (std::uint64_t i = 0; directories_[directory] && i < kPagesPerDirectory; ++i) {
            Page* page = (*directories_[directory])[i].get();
            if (page != nullptr && !page->dirty) {
                page->dirty = true;
                dirty_.push_back(directory * kPagesPerDirectory + i);
            }
        }
    }
}

const PresenceMap::Page* PresenceMap::find(std::uint64_t page) const {
    const auto& directory = directories_[page / kPagesPerDirectory];
    return directory ? (*directory)[page % kPagesPerDirectory].get() : nullptr;
}

PresenceMap::Page& PresenceMap::touch(std::uint64_t page) {
    auto& directory = directories_[page / kPagesPerDirectory];
    if (!directory) {
        directory = std::make_unique<Directory>(kPagesPerDirectory);
    }
    auto& slot = (*directory)[page % kPagesPerDirectory];
    if (!slot) {
        slot = std::make_unique<Page>();
    }
    return *slot;
}

PresenceMap::Page& PresenceMap::touch_to_change(std::uint64_t number) {
    Page& page = touch(number);
    if (page.frozen) {
        Bytes& copy = copies_[number];
        copy.resize(page_blocks_ / 4);
        page.content.put(page_blocks_, copy);
        page.frozen = false;
    }
    if (!page.dirty) {
        page.dirty = true;
        dirty_.push_back(number);
    }
    return page;
}

void PresenceMap::set(BlockRange range, BlockState state) {
    INVARIANT(state != BlockState::absent && range.end() <= blocks_ && range.first <= range.end());
    while (range.count > 0) {
        Page& page = touch_to_change(range.first / page_blocks_);
        const std::uint64_t in_page = range.first % page_blocks_;
        const std::uint64_t count = std::min(range.count, page_blocks_ - in_page);
        page.content.set(page_blocks_, {in_page, count}, state);
        range.first += count;
        range.count -= count;
    }
}

BlockRun PresenceMap::run_in_page(std::uint64_t first, std::uint64_t limit) const {
    const std::uint64_t in_page = first % page_blocks_;
    limit = std::min(limit, page_blocks_ - in_page);
    const Page* page = find(first / page_blocks_);
    return page == nullptr ? BlockRun{BlockState::absent, limit}
                           : page->content.run(page_blocks_, in_page, limit);
}

BlockRun PresenceMap::run(std::uint64_t first, std::uint64_t limit) const {
    if (first >= blocks_) {
        return {BlockState::absent, limit};
    }
    const std::uint64_t inside = std::min(limit, blocks_ - first);
    BlockRun whole = run_in_page(first, inside);
    while (whole.count < inside) {
        const std::uint64_t next = first + whole.count;
        if (next % page_blocks_ != 0) {
            return whole;
        }
        // A directory that does not exist is skipped whole: 64 GiB a step.
        const std::uint64_t per_directory = page_blocks_ * kPagesPerDirectory;
        if (whole.state == BlockState::absent && !directories_[next / per_directory]) {
            whole.count += std::min(inside - whole.count, per_directory - next % per_directory);
            continue;
        }
        const BlockRun more = run_in_page(next, inside - whole.count);
        if (more.state != whole.state) {
            return whole;
        }
        whole.count += more.count;
    }
    return whole;
}

std::vector<BlockRange> PresenceMap::without(BlockRange range, BlockState state) const {
    std::vector<BlockRange> parts;
    while (range.count > 0) {
        const BlockRun found = run(range.first, range.count);
        if (found.state != state) {
            if (!parts.empty() && parts.back().end() == range.first) {
                parts.back().count += found.count;
            } else {
                parts.push_back({range.first, found.count});
            }
        }
        range.first += found.count;
        range.count -= found.count;
    }
    return parts;
}

std::vector<BlockRange> PresenceMap::with(BlockRange range, BlockState state) const {
    std::vector<BlockRange> parts;
    while (range.count > 0) {
        const BlockRun found = run(range.first, range.count);
        if (found.state == state) {
            parts.push_back({range.first, found.count});
        }
        range.first += found.count;
        range.count -= found.count;
    }
    return parts;
}

Status PresenceMap::load(std::uint64_t number, ByteView slot) {
    INVARIANT(number < (blocks_ + page_blocks_ - 1) / page_blocks_);
    if (slot.size() < page_blocks_ / 4 || !all_zero(slot.subspan(page_blocks_ / 4))) {
        return Error(Code::data_loss, "a page of the map has a wrong length");
    }
    const std::uint64_t legal =
        std::min<std::uint64_t>(page_blocks_, blocks_ - number * page_blocks_);
    if (!touch(number).content.load(page_blocks_, legal, slot)) {
        return Error(Code::data_loss, "a page of the map has impossible bits");
    }
    return ok();
}

void PresenceMap::freeze() {
    INVARIANT(frozen_.empty() && copies_.empty());
    frozen_.swap(dirty_);
    std::sort(frozen_.begin(), frozen_.end());
    for (const std::uint64_t number : frozen_) {
        Page& page = touch(number);
        page.dirty = false;
        page.frozen = true;
    }
}

void PresenceMap::take(std::uint64_t number, MutableByteView slot) {
    const auto copy = copies_.find(number);
    if (copy != copies_.end()) {
        std::copy(copy->second.begin(), copy->second.end(), slot.begin());
        copies_.erase(copy);
        return;
    }
    Page& page = touch(number);
    INVARIANT(page.frozen);
    page.content.put(page_blocks_, slot);
    page.frozen = false;
}

void PresenceMap::unfreeze(bool written) {
    for (const std::uint64_t number : frozen_) {
        Page& page = touch(number);
        page.frozen = false;
        page.content.compact(page_blocks_);
        if (!written && !page.dirty) {
            page.dirty = true;
            dirty_.push_back(number);
        }
    }
    frozen_.clear();
    copies_.clear();
}

bool PresenceMap::any_data(BlockRange range) const {
    while (range.count > 0) {
        const BlockRun found = run(range.first, range.count);
        if (found.state == BlockState::data) {
            return true;
        }
        range.first += found.count;
        range.count -= found.count;
    }
    return false;
}

}  // namespace kiln::block
