// SPDX-License-Identifier: Apache-2.0
#include "io/detail/loop.h"

namespace kiln::io {
namespace {

// The longest sleep; only a guard, every event wakes the loop.
constexpr std::chrono::nanoseconds kLongestWait = std::chrono::seconds(60);

// Marks the calling thread as the owner for a scope.
class Ownership {
  public:
    explicit Ownership(std::atomic<std::thread::id>& owner) : owner_(owner) {
        owner_.store(std::this_thread::get_id());
    }
    ~Ownership() { owner_.store(std::thread::id()); }

  private:
    std::atomic<std::thread::id>& owner_;
};

}  // namespace

void Loop::run() {
    Ownership ownership(owner_);
    while (!stopping_.exchange(false)) {
        run_once(kLongestWait);
    }
}

void Loop::stop() {
    stopping_.store(true);
    wake();
}

bool Loop::run_until(const std::function<bool()>& done, Deadline deadline) {
    Ownership ownership(owner_);
    while (!done()) {
        if (deadline.passed()) {
            return false;
        }
        run_once(std::min<std::chrono::nanoseconds>(kLongestWait, deadline.left()));
    }
    return true;
}

void Loop::run_once(std::chrono::nanoseconds longest) {
    // Tasks posted by other threads wake the sleep; those of this thread are seen here. Sleeping
    // comes first, so that the caller looks at what the tasks did before it sleeps again.
    const bool ready = !local_.empty() || stopping_.load();
    wait(ready ? std::chrono::nanoseconds(0) : until_next_timer(longest));
    run_posted();
    run_timers();
}

void Loop::run_posted() {
    std::deque<Callback<>> tasks;
    tasks.swap(local_);
    {
        MutexLock lock(mutex_);
        while (!posted_.empty()) {
            tasks.push_back(std::move(posted_.front()));
            posted_.pop_front();
        }
    }
    for (Callback<>& task : tasks) {
        task();
    }
}

void Loop::post(Callback<> task) {
    if (on_owner_thread()) {
        local_.push_back(std::move(task));
        return;
    }
    // The wake under the lock as well: once the task has run, the reactor may be destroyed at any
    // moment, which takes the lock before it closes what wake() writes to.
    MutexLock lock(mutex_);
    posted_.push_back(std::move(task));
    if (posted_.size() == 1) {
        wake();
    }
}

TimerId Loop::after(std::chrono::nanoseconds delay, Callback<> task) {
    const std::uint64_t id = next_timer_++;
    const auto at = clock_.monotonic() + delay;
    timers_.emplace(TimerKey{at, id}, std::move(task));
    timer_times_.emplace(id, at);
    return TimerId{id};
}

void Loop::cancel(TimerId timer) {
    const auto found = timer_times_.find(timer.value);
    if (found != timer_times_.end()) {
        timers_.erase(TimerKey{found->second, found->first});
        timer_times_.erase(found);
    }
}

void Loop::run_timers() {
    const auto now = clock_.monotonic();
    while (!timers_.empty() && timers_.begin()->first.first <= now) {
        auto node = timers_.extract(timers_.begin());
        timer_times_.erase(node.key().second);
        node.mapped()();
    }
}

std::chrono::nanoseconds Loop::until_next_timer(std::chrono::nanoseconds longest) {
    if (timers_.empty()) {
        return longest;
    }
    const auto left = timers_.begin()->first.first - clock_.monotonic();
    return std::clamp(left, std::chrono::nanoseconds(0), longest);
}

// What they own may cancel timers as it goes, so none of them goes while it is in its place.
void Loop::drop_tasks() {
    std::deque<Callback<>> tasks;
    {
        MutexLock lock(mutex_);
        tasks.swap(posted_);
    }
    const auto local = std::exchange(local_, {});
    timer_times_.clear();
    const auto timers = std::exchange(timers_, {});
}

}  // namespace kiln::io
