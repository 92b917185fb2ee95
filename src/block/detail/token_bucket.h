// SPDX-License-Identifier: Apache-2.0
// TokenBucket: fills with `rate` tokens a second up to `capacity`, full at first. What costs more
// than that goes when it is full, and leaves a debt. Time is given, and never goes back. Thread
// model: plain value.
#pragma once

#include <algorithm>
#include <chrono>

namespace kiln::block {

class TokenBucket {
  public:
    TokenBucket(double rate, double capacity, std::chrono::nanoseconds now)
        : rate_(rate), capacity_(capacity), tokens_(capacity), at_(now) {}

    // How long until `cost` may be taken; 0: now.
    std::chrono::nanoseconds wait(double cost, std::chrono::nanoseconds now);
    void take(double cost) { tokens_ -= cost; }
    // Keeps what is in it, as far as it fits.
    void change(double rate, double capacity, std::chrono::nanoseconds now);

  private:
    void fill(std::chrono::nanoseconds now);

    double rate_;
    double capacity_;
    double tokens_;
    std::chrono::nanoseconds at_;
};

}  // namespace kiln::block
