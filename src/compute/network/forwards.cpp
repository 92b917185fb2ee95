// SPDX-License-Identifier: Apache-2.0
#include "compute/network/forwards.h"

#include <algorithm>

namespace kiln::compute {
namespace {

// Above the ports services are assigned, below those the kernel gives to clients (32768 and up)
// for all guest ports that matter.
constexpr unsigned kFirstSubstitute = 20000;
constexpr unsigned kSubstitutes = 40000;
constexpr unsigned kAttempts = 16;
constexpr unsigned kStep = 997;  // far from the neighbours' own first choices

}  // namespace

std::vector<std::uint16_t> substitute_ports(std::uint16_t port) {
    std::vector<std::uint16_t> ports;
    for (unsigned i = 0; i < kAttempts; ++i) {
        ports.push_back(
            static_cast<std::uint16_t>(kFirstSubstitute + (port + i * kStep) % kSubstitutes));
    }
    return ports;
}

void Forwards::set(std::optional<Ipv4> address, const std::vector<std::uint16_t>& ports) {
    const auto stays = [&](const PortForward& forward) {
        return forward.bound_as_wanted && forward.address == address &&
               std::find(ports.begin(), ports.end(), forward.guest_port) != ports.end();
    };
    std::vector<PortForward> next;
    // Closed first, so that a port that moves between guests' ports is free again.
    for (const auto& forward : forwards_) {
        if (stays(forward)) {
            next.push_back(forward);
        } else if (forward.port != 0) {
            listeners_.close(forward.address, forward.port);
        }
    }
    for (const std::uint16_t port : address ? ports : std::vector<std::uint16_t>()) {
        const bool there = std::any_of(next.begin(), next.end(), [port](const PortForward& f) {
            return f.guest_port == port;
        });
        if (!there) {
            next.push_back(open(*address, port));
        }
    }
    std::sort(next.begin(), next.end(), [](const PortForward& a, const PortForward& b) {
        return a.guest_port < b.guest_port;
    });
    forwards_ = std::move(next);
}

PortForward Forwards::open(Ipv4 address, std::uint16_t port) {
    if (listeners_.listen(address, port, port)) {
        return {port, address, port, true};
    }
    for (const std::uint16_t substitute : substitute_ports(port)) {
        if (listeners_.listen(address, substitute, port)) {
            return {port, address, substitute, false};
        }
    }
    return {port, address, 0, false};
}

}  // namespace kiln::compute
