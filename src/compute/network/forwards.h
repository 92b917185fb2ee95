// SPDX-License-Identifier: Apache-2.0
// Forwards keeps the listening sockets of one guest in step with the ports its rules open. A port
// is bound as itself on the instance's own loopback address; where that cannot be had (no right to
// low ports, or a program listening on all addresses) a high port is, found by a fixed rule so that
// it stays the same over restarts (D20).
// Thread model: one owner thread.
#pragma once

#include <functional>

#include "compute/network/guest_network.h"

namespace kiln::compute {

// What Forwards needs from the stack.
struct Listeners {
    // address, port, guest's port; false: not possible.
    std::function<bool(Ipv4, std::uint16_t, std::uint16_t)> listen;
    std::function<void(Ipv4, std::uint16_t)> close;
};

class Forwards {
  public:
    explicit Forwards(Listeners listeners) : listeners_(std::move(listeners)) {}

    // Afterwards exactly `ports` are forwarded, at `address` (none without one). What is bound as
    // wanted stays as it is; the others are tried again.
    void set(std::optional<Ipv4> address, const std::vector<std::uint16_t>& ports);
    const std::vector<PortForward>& list() const { return forwards_; }

  private:
    PortForward open(Ipv4 address, std::uint16_t port);

    const Listeners listeners_;
    std::vector<PortForward> forwards_;
};

// The high ports tried for a guest's port, in this order: 20000 + port first, so that ssh is at
// 20022.
std::vector<std::uint16_t> substitute_ports(std::uint16_t port);

}  // namespace kiln::compute
