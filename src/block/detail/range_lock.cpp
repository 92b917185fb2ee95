// SPDX-License-Identifier: Apache-2.0
#include "block/detail/range_lock.h"

#include <algorithm>

#include "util/check.h"

namespace kiln::block {
namespace {

bool overlap(const BlockRange& a, const BlockRange& b) {
    return a.first < b.end() && b.first < a.end();
}

}  // namespace

void RangeLock::acquire(BlockRange range, io::Callback<> granted) {
    const auto clashes = [&](const BlockRange& other) { return overlap(range, other); };
    const bool blocked = std::any_of(held_.begin(), held_.end(), clashes) ||
                         std::any_of(waiting_.begin(), waiting_.end(),
                                     [&](const Waiter& w) { return clashes(w.range); });
    if (blocked) {
        waiting_.push_back({range, std::move(granted)});
        return;
    }
    held_.push_back(range);
    granted();
}

void RangeLock::release(BlockRange range) {
    const auto held = std::find(held_.begin(), held_.end(), range);
    INVARIANT(held != held_.end());
    *held = held_.back();
    held_.pop_back();
    if (waiting_.empty()) {
        return;
    }
    std::vector<io::Callback<>> granted;
    std::deque<Waiter> still;
    for (Waiter& waiter : waiting_) {
        const auto clashes = [&](const BlockRange& other) { return overlap(waiter.range, other); };
        if (std::any_of(held_.begin(), held_.end(), clashes) ||
            std::any_of(still.begin(), still.end(),
                        [&](const Waiter& w) { return clashes(w.range); })) {
            still.push_back(std::move(waiter));
            continue;
        }
        held_.push_back(waiter.range);
        granted.push_back(std::move(waiter.granted));
    }
    waiting_ = std::move(still);
    // After the lists are settled: what is granted may acquire and release again.
    for (io::Callback<>& callback : granted) {
        callback();
    }
}

}  // namespace kiln::block
