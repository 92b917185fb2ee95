// SPDX-License-Identifier: Apache-2.0
// Carries bytes between a Tunnel and a file descriptor, one direction per call; whoever wants both
// makes two threads. An end is passed on: what one side finishes, the other sees finished.
//
// A call returns when its direction has ended, and then neither side is blocked in it any more.
// Ending both early: Tunnel::close(), and shutting the descriptor's socket down.
//
// Thread model: blocking; one thread per direction.
#pragma once

#include "net/tunnel.h"

namespace kiln::net {

// From the descriptor to the tunnel. A peer that takes nothing for `patience` is given up.
void relay_into(Tunnel& tunnel, int from,
                std::optional<std::chrono::seconds> patience = std::nullopt);
// From the tunnel to the descriptor, whose socket (if it is one) is then shut down for writing.
// Closes the tunnel when the descriptor takes no more.
void relay_out(Tunnel& tunnel, int to);

// A TCP connection to a numeric IPv4 address. unavailable with the reason.
Result<int> connect_tcp(std::uint32_t address, std::uint16_t port, Deadline deadline);

}  // namespace kiln::net
