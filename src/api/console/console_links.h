// SPDX-License-Identifier: Apache-2.0
// ConsoleLinks: one-time links that sign a browser in to the web console. A link holds a random
// token; whoever brings it first gets the access key it was made for, and nobody after that.
// Tokens live in memory only, so a restart ends them; only their hashes are kept.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "io/clock.h"
#include "util/mutex.h"

namespace kiln::api {

struct ConsoleGuest {
    std::string access_key_id;
    std::string region;
};

class ConsoleLinks {
  public:
    static constexpr std::chrono::minutes kLifetime{15};
    // Unused at once; beyond them the one that ends first makes room.
    static constexpr std::size_t kMaxUnused = 64;

    ConsoleLinks(io::Clock& clock, io::Rng& rng) : clock_(clock), rng_(rng) {}

    // The path of the link on this server. The token is behind the '#', which browsers keep to
    // themselves: it reaches no log.
    std::string create(const ConsoleGuest& guest);
    // Nothing for a token that is unknown, used, or older than kLifetime.
    std::optional<ConsoleGuest> redeem(const std::string& token);

  private:
    struct Link {
        ConsoleGuest guest;
        std::chrono::nanoseconds end{};
    };
    void forget_ended() REQUIRES(mutex_);

    io::Clock& clock_;
    io::Rng& rng_;
    Mutex mutex_;
    std::map<std::string, Link> links_ GUARDED_BY(mutex_);  // by the token's SHA-256
};

}  // namespace kiln::api
