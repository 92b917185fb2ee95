// SPDX-License-Identifier: Apache-2.0
// ShiftedClock: the clock it stands on, some time before or after. Thread-safe.
#pragma once

#include <atomic>
#include <chrono>

#include "io/clock.h"

namespace kiln::control::testing {

class ShiftedClock final : public io::Clock {
  public:
    explicit ShiftedClock(io::Clock& below) : below_(below) {}
    void shift(std::chrono::milliseconds by) { by_ms_ = by.count(); }
    UnixMillis now() override { return UnixMillis{below_.now().value + by_ms_}; }
    std::chrono::nanoseconds monotonic() override { return below_.monotonic(); }

  private:
    io::Clock& below_;
    std::atomic<std::int64_t> by_ms_{0};
};

}  // namespace kiln::control::testing
