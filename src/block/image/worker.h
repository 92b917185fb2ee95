// SPDX-License-Identifier: Apache-2.0
// Worker: CPU work (hashing, compressing) as an operation with a completion, so that the owner
// thread goes on meanwhile and a simulation can decide the order. `work` may run on any thread and
// touches only what it owns; `done` runs on the owner thread, never inside run(). Thread model: one
// owner thread.
#pragma once

#include <deque>
#include <memory>

#include "io/scheduler.h"
#include "util/executor.h"

namespace kiln::block {

class Worker {
  public:
    virtual ~Worker() = default;
    virtual void run(io::Callback<> work, io::Callback<> done) = 0;
};

// On the owner thread, from its loop: for simulation and tests.
class InlineWorker final : public Worker {
  public:
    explicit InlineWorker(io::Scheduler& scheduler) : scheduler_(scheduler) {}
    void run(io::Callback<> work, io::Callback<> done) override;

  private:
    io::Scheduler& scheduler_;
};

// A reactor's way to threads of low priority, so that guests' I/O goes first. `threads`, an
// executor that several reactors share, has room for `most` of each; what is more waits here.
// Destroyed when nothing is in flight, or when the scheduler's loop and the threads have stopped
// for good; what did not start is dropped.
class PoolWorker final : public Worker {
  public:
    PoolWorker(io::Scheduler& scheduler, Executor& threads, std::size_t most)
        : scheduler_(scheduler), threads_(threads), most_(most) {}
    void run(io::Callback<> work, io::Callback<> done) override;

  private:
    struct Job {
        io::Callback<> work;
        io::Callback<> done;
    };
    void pump();

    io::Scheduler& scheduler_;
    Executor& threads_;
    const std::size_t most_;
    std::size_t running_ = 0;
    std::deque<std::shared_ptr<Job>> waiting_;
};

}  // namespace kiln::block
