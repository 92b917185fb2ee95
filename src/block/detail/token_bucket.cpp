// SPDX-License-Identifier: Apache-2.0
#include "block/detail/token_bucket.h"

#include <cmath>

namespace kiln::block {
namespace {

constexpr double kNanos = 1e9;
// Of a token: what rounding may lack is not worth another wait.
constexpr double kTolerance = 1e-6;

}  // namespace

void TokenBucket::fill(std::chrono::nanoseconds now) {
    const double passed = static_cast<double>((now - at_).count()) / kNanos;
    tokens_ = std::min(capacity_, tokens_ + rate_ * std::max(0.0, passed));
    at_ = std::max(at_, now);
}

std::chrono::nanoseconds TokenBucket::wait(double cost, std::chrono::nanoseconds now) {
    fill(now);
    const double missing = std::min(cost, capacity_) - tokens_;
    if (missing <= kTolerance) {
        return std::chrono::nanoseconds(0);
    }
    return std::chrono::nanoseconds(static_cast<std::int64_t>(std::ceil(missing / rate_ * kNanos)));
}

void TokenBucket::change(double rate, double capacity, std::chrono::nanoseconds now) {
    fill(now);
    rate_ = rate;
    capacity_ = capacity;
    tokens_ = std::min(tokens_, capacity);
}

}  // namespace kiln::block
