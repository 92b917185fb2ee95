// SPDX-License-Identifier: Apache-2.0
// The connections that a security group has let through, so that their answers pass in the other
// direction without a rule. Bounded: at the limit the flow unused for longest is forgotten (its
// next packet is judged by the rules again), so a guest that scans the world hurts only itself.
//
// Idle flows end: TCP after an hour, UDP after three minutes, ICMP after half a minute.
// Thread model: one owner thread.
#pragma once

#include <chrono>
#include <functional>
#include <list>
#include <map>

#include "compute/network/address.h"

namespace kiln::compute {

struct FlowKey {
    std::uint8_t protocol = 0;
    Ipv4 remote;
    std::uint16_t remote_port = 0;  // ICMP: 0 when the guest asks, 1 when the remote side does
    std::uint16_t guest_port = 0;   // ICMP: the identifier

    friend auto operator<=>(const FlowKey&, const FlowKey&) = default;
};

class FlowTable {
  public:
    using Time = std::chrono::steady_clock::time_point;
    explicit FlowTable(std::size_t limit) : limit_(limit) {}

    // True, and remembered as used, when the flow is known and not idle for too long.
    bool touch(const FlowKey& key, Time now);
    void insert(const FlowKey& key, Time now);
    // Ends every flow with a remote address for which `gone` holds.
    void forget(const std::function<bool(Ipv4)>& gone);
    std::size_t size() const { return index_.size(); }

  private:
    struct Flow {
        FlowKey key;
        Time used;
    };
    const std::size_t limit_;
    std::list<Flow> flows_;  // last used first
    std::map<FlowKey, std::list<Flow>::iterator> index_;
};

}  // namespace kiln::compute
