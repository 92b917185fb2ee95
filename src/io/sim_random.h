// SPDX-License-Identifier: Apache-2.0
// SimRandom: the one source of chance in a simulation. The same seed gives the same numbers on
// every machine and compiler, which std:: distributions do not promise. Not for keys. Thread model:
// one owner thread.
#pragma once

#include <cstdint>

#include "io/clock.h"
#include "util/check.h"

namespace kiln::io {

class SimRandom {
  public:
    explicit SimRandom(std::uint64_t seed) : state_(seed) {}

    // splitmix64: passes the usual tests, and neighbouring seeds share nothing.
    std::uint64_t next() {
        state_ += 0x9e3779b97f4a7c15ULL;
        std::uint64_t z = state_;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
        return z ^ (z >> 31);
    }
    // 0 .. bound-1. The bias of the remainder does not matter for small bounds.
    std::uint64_t below(std::uint64_t bound) {
        INVARIANT(bound > 0);
        return next() % bound;
    }
    std::uint64_t between(std::uint64_t least, std::uint64_t most) {
        return least + below(most - least + 1);
    }
    bool one_in(std::uint64_t n) { return below(n) == 0; }
    bool per_mille(std::uint32_t n) { return n > 0 && below(1000) < n; }

  private:
    std::uint64_t state_;
};

// The Rng that a simulated process gets.
class SimRng final : public Rng {
  public:
    explicit SimRng(SimRandom& random) : random_(random) {}
    void fill(MutableByteView out) override {
        for (std::uint8_t& byte : out) {
            byte = static_cast<std::uint8_t>(random_.next());
        }
    }

  private:
    SimRandom& random_;
};

}  // namespace kiln::io
