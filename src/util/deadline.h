// SPDX-License-Identifier: Apache-2.0
// Deadline: the point in monotonic time by which a blocking call must have returned. Passed down
// unchanged, so that nested calls share one budget. Thread model: plain value.
#pragma once

#include <chrono>

namespace kiln {

class Deadline {
  public:
    using clock = std::chrono::steady_clock;
    static Deadline after(std::chrono::milliseconds time) { return Deadline(clock::now() + time); }
    static Deadline never() { return Deadline(clock::time_point::max()); }
    bool passed() const { return at_ != clock::time_point::max() && clock::now() >= at_; }
    clock::time_point at() const { return at_; }
    // Time left, at least 0; a day for never(), so that it fits every wait call.
    std::chrono::milliseconds left() const {
        if (at_ == clock::time_point::max()) {
            return std::chrono::hours(24);
        }
        const auto now = clock::now();
        return now >= at_ ? std::chrono::milliseconds(0)
                          : std::chrono::ceil<std::chrono::milliseconds>(at_ - now);
    }

  private:
    explicit Deadline(clock::time_point at) : at_(at) {}
    clock::time_point at_;
};

}  // namespace kiln
