// SPDX-License-Identifier: Apache-2.0
// Clock and Rng: time and randomness as everything outside `util` gets them, so that a simulation
// can own both.
//
// Thread-safe, both the interfaces and the system implementations.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "util/bytes.h"
#include "util/time.h"

namespace kiln::io {

class Clock {
  public:
    virtual ~Clock() = default;
    // Wall clock; may jump.
    virtual UnixMillis now() = 0;
    // Never goes back; its zero has no meaning.
    virtual std::chrono::nanoseconds monotonic() = 0;
};

class Rng {
  public:
    virtual ~Rng() = default;
    virtual void fill(MutableByteView out) = 0;
    std::uint64_t next_u64() {
        std::uint8_t bytes[8];
        fill(bytes);
        return get_le<std::uint64_t>(bytes);
    }
};

// The machine's clock, and the kernel's random generator (safe for keys and ids).
std::unique_ptr<Clock> make_system_clock();
std::unique_ptr<Rng> make_system_rng();

}  // namespace kiln::io
