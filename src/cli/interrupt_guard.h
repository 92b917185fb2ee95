// SPDX-License-Identifier: Apache-2.0
// InterruptGuard: while it lives, a signal that ends the process (interrupt, terminate, hang-up)
// first removes what is half made. It blocks these signals in the thread that makes it, which must
// be the first and only one by then; a thread of its own waits for them. Thread-safe.
#pragma once

#include <signal.h>

#include <set>
#include <string>
#include <thread>

#include "util/fs.h"
#include "util/mutex.h"

namespace kiln::cli {

class InterruptGuard {
  public:
    InterruptGuard();
    ~InterruptGuard();
    InterruptGuard(const InterruptGuard&) = delete;
    InterruptGuard& operator=(const InterruptGuard&) = delete;

    // A file, or a directory with what is in it.
    void add(const std::string& path) EXCLUDES(mutex_);
    void remove(const std::string& path) EXCLUDES(mutex_);

  private:
    void wait() EXCLUDES(mutex_);
    [[noreturn]] void end(int signal) NO_THREAD_SAFETY_ANALYSIS;

    sigset_t before_{};
    UniqueFd signals_;
    UniqueFd stop_;
    Mutex mutex_;
    std::set<std::string> paths_ GUARDED_BY(mutex_);
    std::thread thread_;
};

}  // namespace kiln::cli
