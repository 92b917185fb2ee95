// SPDX-License-Identifier: Apache-2.0
// Executor: a fixed number of threads and a bounded queue. A full queue refuses the task (the
// caller turns that into a throttling error); it never blocks the submitter.
//
// Thread-safe. The destructor refuses new tasks, runs those already queued, and joins.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "util/mutex.h"
#include "util/result.h"

namespace kiln {

class Executor {
  public:
    Executor(std::string name, std::size_t threads, std::size_t queue_limit);
    ~Executor();
    Executor(const Executor&) = delete;
    Executor& operator=(const Executor&) = delete;

    // Fails with resource_exhausted when the queue is full, cancelled after stop().
    Status submit(std::function<void()> task) EXCLUDES(mutex_);
    // Refuses new tasks, waits for queued and running ones. Idempotent; not from one of its own
    // threads.
    void stop() EXCLUDES(mutex_);

  private:
    void run();

    const std::string name_;
    const std::size_t queue_limit_;
    Mutex mutex_;
    CondVar wake_;
    std::deque<std::function<void()>> queue_ GUARDED_BY(mutex_);
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::vector<std::thread> threads_;
};

}  // namespace kiln
