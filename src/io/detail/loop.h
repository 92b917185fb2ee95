// SPDX-License-Identifier: Apache-2.0
// Loop: what both reactors share: posted tasks, timers, stop. A backend adds `wait`, which sleeps
// for events and dispatches them, and `wake`, which ends that sleep from another thread. Thread
// model: post() and stop() thread-safe, the rest one owner thread.
#pragma once

#include <atomic>
#include <thread>

#include "io/reactor.h"
#include "util/mutex.h"

namespace kiln::io {

class Loop : public Reactor, public Scheduler {
  public:
    explicit Loop(Clock& clock) : clock_(clock) {}

    Scheduler& scheduler() final { return *this; }
    void run() final;
    void stop() final;
    bool run_until(const std::function<bool()>& done, Deadline deadline) final;
    bool on_owner_thread() const final {
        return owner_.load(std::memory_order_relaxed) == std::this_thread::get_id();
    }

    void post(Callback<> task) final EXCLUDES(mutex_);
    TimerId after(std::chrono::nanoseconds delay, Callback<> task) final;
    void cancel(TimerId timer) final;

  protected:
    // Submits what is queued, sleeps at most this long, dispatches events. 0: does not sleep.
    virtual void wait(std::chrono::nanoseconds timeout) = 0;
    virtual void wake() = 0;  // thread-safe
    // Drops all tasks and timers uncalled. For destructors of backends, before they close what
    // wake() uses: when it returns, every post() whose task was run or dropped is out of it.
    void drop_tasks() EXCLUDES(mutex_);

  private:
    using TimerKey = std::pair<std::chrono::nanoseconds, std::uint64_t>;

    void run_once(std::chrono::nanoseconds longest) EXCLUDES(mutex_);
    void run_posted() EXCLUDES(mutex_);
    void run_timers();
    std::chrono::nanoseconds until_next_timer(std::chrono::nanoseconds longest);

    Clock& clock_;
    std::atomic<std::thread::id> owner_{};
    std::atomic<bool> stopping_{false};
    std::deque<Callback<>> local_;  // posted by the owner thread itself: no lock, no wake
    Mutex mutex_;
    std::deque<Callback<>> posted_ GUARDED_BY(mutex_);
    std::map<TimerKey, Callback<>> timers_;
    std::map<std::uint64_t, std::chrono::nanoseconds> timer_times_;
    std::uint64_t next_timer_ = 1;
};

}  // namespace kiln::io
