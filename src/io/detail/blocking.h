// SPDX-License-Identifier: Apache-2.0
// execute_blocking: one Op by system calls of the calling thread. What both backends do for
// operations the kernel has no completion form for, and the thread pool for all. BlockingPool:
// threads that do so and post the completion to the owner.
//
// BlockingPool: submit() belongs to the owner thread of the scheduler; the destructor finishes what
// is queued and joins; its completions must not be posted to a scheduler that is already gone.
#pragma once

#include <thread>

#include "io/io.h"
#include "io/scheduler.h"
#include "util/mutex.h"

namespace kiln::io {

// A write is out of space when the file system says so this often. ext4 without a journal says it
// now and then although there is room, while other writers hold blocks ready that they give back.
inline constexpr unsigned kFullAttempts = 4;

Result<std::uint64_t> execute_blocking(const Op& op);
// The error of a failed operation, naming it.
Error op_error(const Op& op, int err);

class BlockingPool {
  public:
    BlockingPool(Scheduler& scheduler, std::size_t threads);
    ~BlockingPool();
    void submit(Op op, IoDone done) EXCLUDES(mutex_);
    // Runs what is queued and joins; afterwards nothing more is posted. Idempotent.
    void stop() EXCLUDES(mutex_);

  private:
    struct Job {
        Op op;
        IoDone done;
    };
    void run() EXCLUDES(mutex_);

    Scheduler& scheduler_;
    Mutex mutex_;
    CondVar wake_;
    std::deque<Job> queue_ GUARDED_BY(mutex_);
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::vector<std::thread> threads_;
};

}  // namespace kiln::io
