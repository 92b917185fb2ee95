// SPDX-License-Identifier: Apache-2.0
#include "io/clock.h"

#include <sys/random.h>

#include <cerrno>

#include "util/check.h"

namespace kiln::io {
namespace {

class SystemClock final : public Clock {
  public:
    UnixMillis now() override {
        const auto since = std::chrono::system_clock::now().time_since_epoch();
        return UnixMillis{std::chrono::duration_cast<std::chrono::milliseconds>(since).count()};
    }
    std::chrono::nanoseconds monotonic() override {
        return std::chrono::steady_clock::now().time_since_epoch();
    }
};

class SystemRng final : public Rng {
  public:
    void fill(MutableByteView out) override {
        while (!out.empty()) {
            const ssize_t n = ::getrandom(out.data(), out.size(), 0);
            INVARIANT_MSG(n > 0 || errno == EINTR, "the kernel gave no random bytes");
            if (n > 0) {
                out = out.subspan(static_cast<std::size_t>(n));
            }
        }
    }
};

}  // namespace

std::unique_ptr<Clock> make_system_clock() {
    return std::make_unique<SystemClock>();
}

std::unique_ptr<Rng> make_system_rng() {
    return std::make_unique<SystemRng>();
}

}  // namespace kiln::io
