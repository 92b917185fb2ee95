// SPDX-License-Identifier: Apache-2.0
// RequestThrottle: how many requests an account may make in a region (THR-1 .. THR-4). Each
// account, region and class of operation has a bucket, which holds a burst of requests and is
// filled at a rate; a request takes one, or is refused.
//
// A bucket that is full is the same as none, so full ones are dropped: what is kept is bounded by
// who was there lately. Thread-safe; nothing blocks but for the lock.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <tuple>

#include "control/limits.h"
#include "io/clock.h"
#include "util/mutex.h"
#include "util/result.h"

namespace kiln::api {

// `operation` is empty for a request that names none.
control::RequestClass request_class(std::string_view service, std::string_view operation);

class RequestThrottle {
  public:
    RequestThrottle(const control::RequestRates& rates, io::Clock& clock)
        : rates_(rates), clock_(clock) {}

    // RequestLimitExceeded when there is no room. `region`: empty for services without regions.
    Status admit(const std::string& account, const std::string& region, control::RequestClass kind)
        EXCLUDES(mutex_);
    // That are kept now.
    std::size_t buckets() const EXCLUDES(mutex_);

  private:
    using Key = std::tuple<std::string, std::string, control::RequestClass>;
    struct Bucket {
        double tokens = 0;
        std::chrono::nanoseconds at{};  // when it held these
    };
    double tokens_at(const Bucket& bucket, const control::Rate& rate,
                     std::chrono::nanoseconds now) const;
    void drop_full(std::chrono::nanoseconds now) REQUIRES(mutex_);

    const control::RequestRates rates_;
    io::Clock& clock_;
    mutable Mutex mutex_;
    std::map<Key, Bucket> buckets_ GUARDED_BY(mutex_);
    // As soon as there are this many, full ones are looked for.
    std::size_t drop_at_ GUARDED_BY(mutex_) = 1024;
};

}  // namespace kiln::api
