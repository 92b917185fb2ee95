// SPDX-License-Identifier: Apache-2.0
// Throttle: lets the requests to one volume through at the rate of its VolumeLimits, and within the
// share it gets of a HostLimit, in the order they came, whichever export or connection they came
// by. What comes while there is room goes at once. There is no thread: a timer of the owner's runs
// while something waits, and none otherwise.
//
// For each kind of limit a bucket holds what may come at one moment (a tenth of a second's worth of
// the highest rate, at least one operation); where there is a burst, another holds the credits. A
// request needs room in all of them. One larger than a bucket goes when that is full, and leaves a
// debt.
//
// Thread model: one owner thread. `go` runs once, inside the call or later from a timer. Destroyed
// when nothing waits.
#pragma once

#include <deque>
#include <optional>

#include "block/detail/host_limit.h"
#include "block/detail/token_bucket.h"
#include "block/volume_limits.h"
#include "io/clock.h"
#include "io/scheduler.h"

namespace kiln::block {

// What a bucket of that rate holds for one moment.
double moments_worth(double rate);
// As how many operations a request counts.
double operations_of(std::uint64_t bytes, std::uint32_t operation_bytes);

class Throttle {
  public:
    // `host` may be null.
    Throttle(io::Scheduler& scheduler, io::Clock& clock, const VolumeLimits& limits,
             HostLimit* host = nullptr);
    ~Throttle();
    Throttle(const Throttle&) = delete;
    Throttle& operator=(const Throttle&) = delete;

    // `who` names those that may be released together.
    void admit(const void* who, std::uint64_t bytes, io::Callback<> go);
    // Lets go what `who` has waiting, without counting it (but for one that the host counted): it
    // is not wanted any more.
    void release(const void* who);
    // From now on, for what waits too. Credits stay, as far as they fit.
    void change(const VolumeLimits& limits);
    std::size_t waiting() const { return waiting_.size(); }

  private:
    struct Waiting {
        const void* who;
        std::uint64_t bytes;
        io::Callback<> go;
        std::optional<std::chrono::nanoseconds> goes_at{};  // its place among those of the host
    };
    struct Pair {
        std::optional<TokenBucket> moment;
        std::optional<TokenBucket> credits;
    };
    void set(Pair& pair, const RateLimit& limit);
    // How long it has to wait still; 0: it goes, and is counted.
    std::chrono::nanoseconds claim(Waiting& request);
    std::chrono::nanoseconds wait(double operations, double bytes);
    void take(double operations, double bytes);
    void run();
    void arm(std::chrono::nanoseconds delay);

    io::Scheduler& scheduler_;
    io::Clock& clock_;
    VolumeLimits limits_;
    HostLimit* const host_;
    Pair operations_;
    Pair bytes_;
    std::deque<Waiting> waiting_;
    io::TimerId timer_{};
    bool armed_ = false;
};

}  // namespace kiln::block
