// SPDX-License-Identifier: Apache-2.0
// Reactor: one thread that waits for descriptors and timers and runs short callbacks. Wraps
// Boost.Asio, which the rest of the library therefore need not include.
//
// Callbacks must not block. A cancelled or destroyed watch or timer never calls back.
// Thread model: post() and stop() from any thread; everything else, Watch and Timer included, on
// the reactor's thread, or after stop(). Watches and timers are destroyed before the reactor.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "net/detail/stream.h"

namespace kiln::net::detail {

class Reactor {
  public:
    class Watch {
      public:
        virtual ~Watch() = default;
        // Calls back once, when the descriptor is ready or broken. Replaces an earlier wait.
        virtual void wait(Wait wait, std::function<void()> callback) = 0;
        virtual void cancel() = 0;
    };
    class Timer {
      public:
        virtual ~Timer() = default;
        // Calls back once. Replaces an earlier start.
        virtual void start(std::chrono::milliseconds time, std::function<void()> callback) = 0;
        virtual void cancel() = 0;
    };

    static std::unique_ptr<Reactor> create(const std::string& thread_name);
    virtual ~Reactor() = default;  // stop()

    virtual void post(std::function<void()> callback) = 0;
    // The descriptor stays the caller's and must outlive the watch.
    virtual Result<std::unique_ptr<Watch>> watch(int fd) = 0;
    virtual std::unique_ptr<Timer> timer() = 0;
    // Ends the thread; callbacks not yet run are dropped. Idempotent; not from the reactor's
    // thread.
    virtual void stop() = 0;
};

}  // namespace kiln::net::detail
