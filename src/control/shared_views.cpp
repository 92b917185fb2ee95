// SPDX-License-Identifier: Apache-2.0
#include "control/shared_views.h"

#include <algorithm>
#include <vector>

namespace kiln::control {
namespace {

constexpr std::chrono::seconds kIdle{3};
constexpr std::chrono::seconds kLongest{60};
// Each holds descriptors; the one that waited longest goes first.
constexpr std::size_t kMaxOpen = 64;

}  // namespace

Result<std::shared_ptr<const ContentView>> SharedViews::get(const model::ContentId& content) {
    {
        const MutexLock lock(mutex_);
        const auto now = parts_.clock.monotonic();
        const auto found = open_.find(content);
        if (found != open_.end() && now - found->second.opened < kLongest) {
            found->second.used = now;
            return found->second.view;
        }
    }
    TRY_ASSIGN(auto fresh, ContentView::open(parts_, work_added_, content, "blocks"));
    std::shared_ptr<const ContentView> view = std::move(fresh);
    std::vector<std::shared_ptr<const ContentView>> ended;  // closed without the lock
    const MutexLock lock(mutex_);
    const auto now = parts_.clock.monotonic();
    if (open_.size() >= kMaxOpen && open_.count(content) == 0) {
        const auto oldest = std::min_element(
            open_.begin(), open_.end(),
            [](const auto& a, const auto& b) { return a.second.used < b.second.used; });
        ended.push_back(std::move(oldest->second.view));
        open_.erase(oldest);
    }
    // Another thread may have been faster: its view goes when its readers are done.
    Open& place = open_[content];
    ended.push_back(std::exchange(place.view, view));
    place.opened = now;
    place.used = now;
    return view;
}

void SharedViews::close_idle() {
    std::vector<std::shared_ptr<const ContentView>> ended;
    const MutexLock lock(mutex_);
    const auto now = parts_.clock.monotonic();
    for (auto at = open_.begin(); at != open_.end();) {
        if (now - at->second.used < kIdle && now - at->second.opened < kLongest) {
            ++at;
            continue;
        }
        ended.push_back(std::move(at->second.view));
        at = open_.erase(at);
    }
}

}  // namespace kiln::control
