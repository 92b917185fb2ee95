// SPDX-License-Identifier: Apache-2.0
#include "block/detail/host_limit.h"

#include "block/throttle.h"

namespace kiln::block {
namespace {

std::optional<TokenBucket> bucket_of(const RateLimit& limit, std::chrono::nanoseconds now) {
    if (limit.rate == 0) {
        return std::nullopt;
    }
    const auto rate = static_cast<double>(limit.rate);
    return TokenBucket(rate, moments_worth(rate), now);
}

}  // namespace

HostLimit::HostLimit(const VolumeLimits& limits, io::Clock& clock)
    : operation_bytes_(limits.operation_bytes),
      clock_(clock),
      operations_(bucket_of(limits.operations, clock.monotonic())),
      bytes_(bucket_of(limits.bytes, clock.monotonic())) {}

std::chrono::nanoseconds HostLimit::take(std::uint64_t bytes) {
    MutexLock lock(mutex_);
    const auto now = clock_.monotonic();  // of different threads, it is in order only in here
    std::chrono::nanoseconds longest{0};
    const auto count = [&](std::optional<TokenBucket>& bucket, double cost) {
        if (bucket) {
            longest = std::max(longest, bucket->wait(cost, now));
            bucket->take(cost);
        }
    };
    count(operations_, operations_of(bytes, operation_bytes_));
    count(bytes_, static_cast<double>(bytes));
    return longest;
}

}  // namespace kiln::block
