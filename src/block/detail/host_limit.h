// SPDX-License-Identifier: Apache-2.0
// HostLimit: how fast the clients of all volumes of an engine together may be. A request takes its
// place when it asks, in one order over all volumes, and is told when that is; who comes while
// there is room goes at once. A volume asks for one request at a time (Throttle): among volumes
// that want more than there is each has its turn, however many requests it has waiting.
//
// Rates alone count, not bursts. Thread-safe; outlives what asks.
#pragma once

#include <optional>

#include "block/detail/token_bucket.h"
#include "block/volume_limits.h"
#include "io/clock.h"
#include "util/mutex.h"

namespace kiln::block {

class HostLimit {
  public:
    HostLimit(const VolumeLimits& limits, io::Clock& clock);

    // How long from now on until a request of so many bytes may go. It counts from the call on.
    std::chrono::nanoseconds take(std::uint64_t bytes) EXCLUDES(mutex_);
    io::Clock& clock() { return clock_; }

  private:
    const std::uint32_t operation_bytes_;
    io::Clock& clock_;
    Mutex mutex_;
    std::optional<TokenBucket> operations_ GUARDED_BY(mutex_);
    std::optional<TokenBucket> bytes_ GUARDED_BY(mutex_);
};

}  // namespace kiln::block
