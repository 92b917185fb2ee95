// SPDX-License-Identifier: Apache-2.0
// Tunnels: the connections that clients of the API have through it to ports of instances. Each has
// two threads of its own, so that sessions of hours take nothing from the API's requests; their
// number is bounded.
//
// Thread-safe.
#pragma once

#include <chrono>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "net/tunnel.h"
#include "util/fs.h"
#include "util/mutex.h"

namespace kiln::api {

inline constexpr char kTunnelProtocol[] = "kiln-tunnel";
inline constexpr std::size_t kMaxTunnels = 64;

class Tunnels {
  public:
    ~Tunnels() { stop(); }

    bool has_room() EXCLUDES(mutex_);
    // Whether a connection of this name goes on.
    bool has(const std::string& name) EXCLUDES(mutex_);
    // Carries bytes between the two until either ends, or the client takes nothing for `patience`.
    struct Kind {
        std::string name;  // for has(); may be empty
        std::optional<std::chrono::seconds> patience;
    };
    void add(std::unique_ptr<net::Tunnel> tunnel, UniqueFd socket, const Kind& kind)
        EXCLUDES(mutex_);
    // Ends all of them. Idempotent.
    void stop() EXCLUDES(mutex_);

  private:
    struct Session;
    void forget_ended() REQUIRES(mutex_);

    Mutex mutex_;
    bool stopped_ GUARDED_BY(mutex_) = false;
    std::list<std::shared_ptr<Session>> sessions_ GUARDED_BY(mutex_);
};

}  // namespace kiln::api
