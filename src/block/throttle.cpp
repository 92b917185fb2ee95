// SPDX-License-Identifier: Apache-2.0
#include "block/throttle.h"

#include "util/check.h"

namespace kiln::block {
namespace {

// What may come at one moment, in seconds of the highest rate: guests send in bursts, and a timer
// that fires late must not lose them what they had coming.
constexpr double kMoment = 0.1;

double as_double(std::uint64_t value) {
    return static_cast<double>(value);
}

}  // namespace

double moments_worth(double rate) {
    return std::max(1.0, kMoment * rate);
}

double operations_of(std::uint64_t bytes, std::uint32_t operation_bytes) {
    return as_double(std::max<std::uint64_t>(1, (bytes + operation_bytes - 1) / operation_bytes));
}

Throttle::Throttle(io::Scheduler& scheduler, io::Clock& clock, const VolumeLimits& limits,
                   HostLimit* host)
    : scheduler_(scheduler), clock_(clock), limits_(limits), host_(host) {
    change(limits);
}

Throttle::~Throttle() {
    INVARIANT(waiting_.empty());
    scheduler_.cancel(timer_);
}

void Throttle::set(Pair& pair, const RateLimit& limit) {
    const auto now = clock_.monotonic();
    const auto put = [&](std::optional<TokenBucket>& bucket, double rate, double capacity) {
        if (rate == 0 || capacity == 0) {
            bucket.reset();
        } else if (bucket) {
            bucket->change(rate, capacity, now);
        } else {
            bucket.emplace(rate, capacity, now);
        }
    };
    const double highest = as_double(std::max(limit.rate, limit.burst_rate));
    const double at_most = limit.credits == 0 ? as_double(limit.rate) : highest;
    put(pair.moment, at_most, moments_worth(at_most));
    put(pair.credits, as_double(limit.rate), as_double(limit.credits));
}

void Throttle::change(const VolumeLimits& limits) {
    INVARIANT(limits.operation_bytes > 0);
    limits_ = limits;
    set(operations_, limits.operations);
    set(bytes_, limits.bytes);
    if (!waiting_.empty()) {
        arm(std::chrono::nanoseconds(0));
    }
}

std::chrono::nanoseconds Throttle::wait(double operations, double bytes) {
    const auto now = clock_.monotonic();
    std::chrono::nanoseconds longest{0};
    const auto look = [&](Pair& pair, double cost) {
        for (auto* bucket : {&pair.moment, &pair.credits}) {
            if (*bucket) {
                longest = std::max(longest, (*bucket)->wait(cost, now));
            }
        }
    };
    look(operations_, operations);
    look(bytes_, bytes);
    return longest;
}

void Throttle::take(double operations, double bytes) {
    for (auto* bucket : {&operations_.moment, &operations_.credits}) {
        if (*bucket) {
            (*bucket)->take(operations);
        }
    }
    for (auto* bucket : {&bytes_.moment, &bytes_.credits}) {
        if (*bucket) {
            (*bucket)->take(bytes);
        }
    }
}

void Throttle::admit(const void* who, std::uint64_t bytes, io::Callback<> go) {
    Waiting request{who, bytes, std::move(go)};
    if (waiting_.empty()) {
        const auto delay = claim(request);
        if (delay.count() == 0) {
            request.go();
            return;
        }
        arm(delay);
    }
    waiting_.push_back(std::move(request));
}

// The host is asked for what the volume may have: a place in its order is kept.
std::chrono::nanoseconds Throttle::claim(Waiting& request) {
    if (!request.goes_at) {
        const double operations = operations_of(request.bytes, limits_.operation_bytes);
        const auto delay = wait(operations, as_double(request.bytes));
        if (delay.count() > 0) {
            return delay;
        }
        take(operations, as_double(request.bytes));
        if (host_ == nullptr) {
            return delay;
        }
        request.goes_at = clock_.monotonic() + host_->take(request.bytes);
    }
    return std::max(std::chrono::nanoseconds(0), *request.goes_at - clock_.monotonic());
}

void Throttle::arm(std::chrono::nanoseconds delay) {
    if (armed_) {
        scheduler_.cancel(timer_);
    }
    armed_ = true;
    timer_ = scheduler_.after(delay, [this] {
        armed_ = false;
        run();
    });
}

// In order: a small request behind a large one waits for it, else the large one never had its turn.
void Throttle::run() {
    while (!waiting_.empty()) {
        const auto delay = claim(waiting_.front());
        if (delay.count() > 0) {
            arm(delay);
            return;
        }
        io::Callback<> go = std::move(waiting_.front().go);
        waiting_.pop_front();
        go();  // may ask for more, which goes behind the others
    }
}

void Throttle::release(const void* who) {
    std::deque<Waiting> mine;
    std::deque<Waiting> others;
    for (Waiting& waiting : waiting_) {
        (waiting.who == who ? mine : others).push_back(std::move(waiting));
    }
    waiting_ = std::move(others);
    if (waiting_.empty() && armed_) {
        scheduler_.cancel(timer_);
        armed_ = false;
    } else if (!mine.empty() && !waiting_.empty()) {
        arm(std::chrono::nanoseconds(0));
    }
    for (Waiting& waiting : mine) {
        waiting.go();
    }
}

}  // namespace kiln::block
