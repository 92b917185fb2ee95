// SPDX-License-Identifier: Apache-2.0
// Reactor: one thread's event loop with its Io, Sockets and Scheduler. Two backends: io_uring, and
// a pool of threads doing pread/pwrite with epoll for sockets, taken where io_uring is refused
// (containers).
//
// Whoever calls run() or run_until() is the owner thread for that time. Destroying a reactor waits
// for disk operations in flight, drops their completions uncalled, and closes what is open. Thread
// model: stop(), scheduler().post() and on_owner_thread() are thread-safe; the rest belongs to the
// owner thread.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "io/clock.h"
#include "io/io.h"
#include "io/scheduler.h"
#include "io/sockets.h"
#include "util/deadline.h"

namespace kiln::io {

enum class Backend { automatic, uring, threads };

class Reactor {
  public:
    // `automatic` takes io_uring when the kernel gives it, else threads. `uring` fails with
    // `unsupported` when refused.
    static Result<std::unique_ptr<Reactor>> create(Backend backend, Clock& clock);
    virtual ~Reactor() = default;

    virtual Io& io() = 0;
    virtual Sockets& sockets() = 0;
    virtual Scheduler& scheduler() = 0;

    // Runs until stop(). A stop() before run() makes the next run() return at once.
    virtual void run() = 0;
    virtual void stop() = 0;
    // Runs until `done` says so (asked after each round of events); false when the deadline passed
    // first.
    virtual bool run_until(const std::function<bool()>& done, Deadline deadline) = 0;
    virtual bool on_owner_thread() const = 0;
    // "io_uring" or "threads".
    virtual std::string_view backend_name() const = 0;
};

}  // namespace kiln::io
