// SPDX-License-Identifier: Apache-2.0
#include "block/detail/presence_page.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "util/bytes.h"
#include "util/check.h"

namespace kiln::block {
namespace {

// Twelve bytes each. More are no less than the planes; and to insert one moves those behind it.
std::size_t most_runs(std::uint32_t blocks) {
    return std::clamp<std::size_t>(blocks / 64, 1, 256);
}

// `count` (1-64) ones from bit `first`.
std::uint64_t mask_of(std::uint64_t first, std::uint64_t count) {
    const std::uint64_t ones = count == 64 ? ~0ULL : (1ULL << count) - 1;
    return ones << first;
}

void set_bits(std::uint64_t* data, std::uint64_t* zero, BlockRange range, BlockState state) {
    // Not (state == data ? data : zero)[i]: GCC 12 compiles that wrongly with -fsanitize=undefined.
    std::uint64_t* const ones = state == BlockState::data ? data : zero;
    std::uint64_t* const others = state == BlockState::data ? zero : data;
    while (range.count > 0) {
        const std::uint64_t bit = range.first % 64;
        const std::uint64_t count = std::min(range.count, 64 - bit);
        const std::uint64_t mask = mask_of(bit, count);
        ones[range.first / 64] |= mask;
        others[range.first / 64] &= ~mask;
        range.first += count;
        range.count -= count;
    }
}

BlockRun run_of_bits(const std::uint64_t* data, const std::uint64_t* zero, std::uint64_t first,
                     std::uint64_t limit) {
    const std::uint64_t here = 1ULL << first % 64;
    const BlockState state = (data[first / 64] & here) != 0   ? BlockState::data
                             : (zero[first / 64] & here) != 0 ? BlockState::zero
                                                              : BlockState::absent;
    std::uint64_t at = first;
    while (at - first < limit) {
        const std::uint64_t same = state == BlockState::data   ? data[at / 64]
                                   : state == BlockState::zero ? zero[at / 64]
                                                               : ~(data[at / 64] | zero[at / 64]);
        const auto ones = static_cast<std::uint64_t>(std::countr_one(same >> at % 64));
        const std::uint64_t step = std::min(ones, 64 - at % 64);
        at += step;
        if (at % 64 != 0 || step == 0) {
            break;
        }
    }
    return {state, std::min(at - first, limit)};
}

}  // namespace

// --- as runs ---

// The first run that ends behind `block`.
std::vector<PresencePage::Run>::const_iterator PresencePage::first_beyond(
    std::uint64_t block) const {
    return std::upper_bound(runs_.begin(), runs_.end(), block,
                            [](std::uint64_t at, const Run& run) { return at < run.end; });
}

void PresencePage::set_run(Run run) {
    // Runs [from, to) are replaced: those it overlaps, and equal ones that touch it.
    auto from = first_beyond(run.first);
    if (from != runs_.begin() && std::prev(from)->end == run.first &&
        std::prev(from)->state == run.state) {
        --from;
    }
    auto to = from;
    std::optional<Run> before;
    std::optional<Run> behind;
    for (; to != runs_.end() &&
           (to->first < run.end || (to->first == run.end && to->state == run.state));
         ++to) {
        if (to->state == run.state) {
            run.first = std::min(run.first, to->first);
            run.end = std::max(run.end, to->end);
            continue;
        }
        if (to->first < run.first) {
            before = Run{to->first, run.first, to->state};
        }
        if (to->end > run.end) {
            behind = Run{run.end, to->end, to->state};
        }
    }
    Run made[3];
    std::size_t count = 0;
    for (const auto& part : {before, std::optional(run), behind}) {
        if (part) {
            made[count++] = *part;
        }
    }
    const auto at = runs_.erase(from, to);
    runs_.insert(at, made, made + count);
}

std::vector<PresencePage::Run> PresencePage::runs_of(std::uint32_t blocks, const Planes& planes,
                                                     std::size_t most) {
    std::vector<Run> runs;
    for (std::uint32_t at = 0; at < blocks && runs.size() <= most;) {
        const BlockRun run = run_of_bits(planes.get(), &planes[blocks / 64], at, blocks - at);
        const std::uint32_t end = at + static_cast<std::uint32_t>(run.count);
        if (run.state != BlockState::absent) {
            runs.push_back({at, end, run.state});
        }
        at = end;
    }
    return runs;
}

// --- as either ---

PresencePage::Planes PresencePage::planes_of_runs(std::uint32_t blocks) const {
    auto planes = std::make_unique<std::uint64_t[]>(blocks / 32);
    for (const Run& run : runs_) {
        set_bits(planes.get(), &planes[blocks / 64], {run.first, run.end - run.first}, run.state);
    }
    return planes;
}

void PresencePage::set(std::uint32_t blocks, BlockRange range, BlockState state) {
    INVARIANT(state != BlockState::absent && range.count > 0 && range.end() <= blocks);
    if (planes_) {
        set_bits(planes_.get(), &planes_[blocks / 64], range, state);
        return;
    }
    set_run(
        {static_cast<std::uint32_t>(range.first), static_cast<std::uint32_t>(range.end()), state});
    if (runs_.size() > most_runs(blocks)) {
        planes_ = planes_of_runs(blocks);
        runs_ = {};
    }
}

BlockRun PresencePage::run(std::uint32_t blocks, std::uint64_t first, std::uint64_t limit) const {
    limit = std::min(limit, blocks - first);
    if (planes_) {
        return run_of_bits(planes_.get(), &planes_[blocks / 64], first, limit);
    }
    const auto found = first_beyond(first);
    if (found == runs_.end()) {
        return {BlockState::absent, limit};
    }
    if (first < found->first) {
        return {BlockState::absent, std::min<std::uint64_t>(limit, found->first - first)};
    }
    return {found->state, std::min<std::uint64_t>(limit, found->end - first)};
}

void PresencePage::put(std::uint32_t blocks, MutableByteView slot) const {
    INVARIANT(slot.size() >= blocks / 4);
    const Planes made = planes_ ? nullptr : planes_of_runs(blocks);
    const std::uint64_t* const words = planes_ ? planes_.get() : made.get();
    for (std::uint32_t i = 0; i < blocks / 32; ++i) {
        put_le(&slot[8 * i], words[i]);
    }
}

bool PresencePage::load(std::uint32_t blocks, std::uint64_t legal, ByteView slot) {
    INVARIANT(slot.size() >= blocks / 4);
    planes_ = std::make_unique<std::uint64_t[]>(blocks / 32);
    runs_ = {};
    const std::uint32_t words = blocks / 64;
    for (std::uint32_t i = 0; i < 2 * words; ++i) {
        planes_[i] = get_le<std::uint64_t>(&slot[8 * i]);
    }
    for (std::uint32_t i = 0; i < words; ++i) {
        const std::uint64_t inside =
            std::min<std::uint64_t>(64, legal - std::min<std::uint64_t>(legal, 64ULL * i));
        const std::uint64_t mask = inside == 0 ? 0 : mask_of(0, inside);
        const std::uint64_t data = planes_[i];
        const std::uint64_t zero = planes_[words + i];
        if ((data & zero) != 0 || ((data | zero) & ~mask) != 0) {
            return false;
        }
    }
    compact(blocks);
    return true;
}

// Half of what is allowed, so that a page does not go to and fro.
void PresencePage::compact(std::uint32_t blocks) {
    if (!planes_) {
        return;
    }
    const std::size_t most = most_runs(blocks) / 2;
    auto runs = runs_of(blocks, planes_, most);
    if (runs.size() <= most) {
        runs.shrink_to_fit();
        runs_ = std::move(runs);
        planes_.reset();
    }
}

}  // namespace kiln::block
