// SPDX-License-Identifier: Apache-2.0
#include "block/detail/presence.h"

#include <bit>

#include "block/detail/text_field.h"
#include "util/check.h"

namespace kiln::block {
namespace {

// `count` (1-64) ones from bit `first`.
std::uint64_t mask_of(std::uint64_t first, std::uint64_t count) {
    const std::uint64_t ones = count == 64 ? ~0ULL : (1ULL << count) - 1;
    return ones << first;
}

}  // namespace

PresenceMap::PresenceMap(std::uint64_t blocks, std::uint32_t page_blocks)
    : blocks_(blocks), page_blocks_(page_blocks) {
    INVARIANT(page_blocks > 0 && page_blocks % 64 == 0);
    const std::uint64_t per_directory = page_blocks_ * kPagesPerDirectory;
    directories_.resize((blocks + per_directory - 1) / per_directory);
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
        slot->data.resize(page_blocks_ / 64);
        slot->zero.resize(page_blocks_ / 64);
    }
    return *slot;
}

PresenceMap::Page& PresenceMap::touch_to_change(std::uint64_t number) {
    Page& page = touch(number);
    if (page.frozen) {
        Bytes& copy = copies_[number];
        copy.resize(page_blocks_ / 4);
        put(page, copy);
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
        const std::uint64_t bit = in_page % 64;
        const std::uint64_t count = std::min(range.count, 64 - bit);
        const std::uint64_t mask = mask_of(bit, count);
        std::uint64_t& data = page.data[in_page / 64];
        std::uint64_t& zero = page.zero[in_page / 64];
        data = state == BlockState::data ? data | mask : data & ~mask;
        zero = state == BlockState::zero ? zero | mask : zero & ~mask;
        range.first += count;
        range.count -= count;
    }
}

BlockRun PresenceMap::run_in_page(std::uint64_t first, std::uint64_t limit) const {
    const std::uint64_t in_page = first % page_blocks_;
    limit = std::min(limit, page_blocks_ - in_page);
    const Page* page = find(first / page_blocks_);
    if (page == nullptr) {
        return {BlockState::absent, limit};
    }
    std::uint64_t at = in_page;
    const std::uint64_t here = 1ULL << at % 64;
    const BlockState state = (page->data[at / 64] & here) != 0   ? BlockState::data
                             : (page->zero[at / 64] & here) != 0 ? BlockState::zero
                                                                 : BlockState::absent;
    while (at - in_page < limit) {
        const std::uint64_t data = page->data[at / 64];
        const std::uint64_t zero = page->zero[at / 64];
        const std::uint64_t same = state == BlockState::data   ? data
                                   : state == BlockState::zero ? zero
                                                               : ~(data | zero);
        const auto ones = static_cast<std::uint64_t>(std::countr_one(same >> at % 64));
        const std::uint64_t step = std::min(ones, 64 - at % 64);
        at += step;
        if (at % 64 != 0 || step == 0) {
            break;
        }
    }
    return {state, std::min(at - in_page, limit)};
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

void PresenceMap::put(const Page& page, MutableByteView slot) const {
    INVARIANT(slot.size() >= page_blocks_ / 4);
    const std::size_t words = page.data.size();
    for (std::size_t i = 0; i < words; ++i) {
        put_le(&slot[8 * i], page.data[i]);
        put_le(&slot[8 * (words + i)], page.zero[i]);
    }
}

Status PresenceMap::load(std::uint64_t number, ByteView slot) {
    INVARIANT(number < (blocks_ + page_blocks_ - 1) / page_blocks_);
    if (slot.size() < page_blocks_ / 4 || !all_zero(slot.subspan(page_blocks_ / 4))) {
        return Error(Code::data_loss, "a page of the map has a wrong length");
    }
    Page& page = touch(number);
    const std::size_t words = page.data.size();
    for (std::size_t i = 0; i < words; ++i) {
        page.data[i] = get_le<std::uint64_t>(&slot[8 * i]);
        page.zero[i] = get_le<std::uint64_t>(&slot[8 * (words + i)]);
        const std::uint64_t first = number * page_blocks_ + 64 * i;
        const std::uint64_t inside =
            std::min<std::uint64_t>(64, blocks_ - std::min(blocks_, first));
        const std::uint64_t legal = inside == 0 ? 0 : mask_of(0, inside);
        if ((page.data[i] & page.zero[i]) != 0 || ((page.data[i] | page.zero[i]) & ~legal) != 0) {
            return Error(Code::data_loss, "a page of the map has impossible bits");
        }
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
    put(page, slot);
    page.frozen = false;
}

void PresenceMap::unfreeze(bool written) {
    for (const std::uint64_t number : frozen_) {
        Page& page = touch(number);
        page.frozen = false;
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
