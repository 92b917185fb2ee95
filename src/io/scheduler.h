// SPDX-License-Identifier: Apache-2.0
// Scheduler: work and timers of one owner thread. Posted tasks run in the order posted, each from
// the loop, never from inside post(). Thread model: post() is thread-safe; the timer calls belong
// to the owner thread.
#pragma once

#include <chrono>
#include <cstdint>

#include "io/callback.h"

namespace kiln::io {

struct TimerId {
    std::uint64_t value = 0;
};

class Scheduler {
  public:
    virtual ~Scheduler() = default;
    virtual void post(Callback<> task) = 0;
    virtual TimerId after(std::chrono::nanoseconds delay, Callback<> task) = 0;
    // A timer that fired or is unknown is ignored.
    virtual void cancel(TimerId timer) = 0;
};

}  // namespace kiln::io
