// SPDX-License-Identifier: Apache-2.0
// Turns: lets the requests of one listener run at most so many at once; the others wait for their
// turn here instead of holding threads of the executor, which all listeners share. After each one
// the next goes to the executor's end, behind what other listeners asked for.
//
// Thread-safe. Kept alive by the tasks that run; the executor outlives them.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "util/executor.h"
#include "util/mutex.h"

namespace kiln::net::detail {

class Turns : public std::enable_shared_from_this<Turns> {
  public:
    Turns(Executor& executor, std::size_t limit) : executor_(executor), limit_(limit) {}

    // False when the executor refuses it. One caller at a time. What was accepted is run, on any
    // account.
    bool run(std::function<void()> task) EXCLUDES(mutex_);

  private:
    // On false the task is back.
    bool hand_over(std::function<void()>& task);
    void work(std::function<void()> task) EXCLUDES(mutex_);
    // The next one in line; gives the turn back when there is none.
    std::function<void()> next() EXCLUDES(mutex_);

    Executor& executor_;
    const std::size_t limit_;
    Mutex mutex_;
    std::size_t running_ GUARDED_BY(mutex_) = 0;
    std::deque<std::function<void()>> waiting_ GUARDED_BY(mutex_);  // not empty: running_ == limit_
};

}  // namespace kiln::net::detail
