// SPDX-License-Identifier: Apache-2.0
// TunnelPath makes frames for a guest of the IP packets that come by its tunnel, and packets of the
// guest's answers. On the one side the guest has its public address, on the other its private one;
// addresses are exchanged in headers and in what ICMP errors quote, checksums adjusted (RFC 1624).
// What may pass is FrameFilter's business.
// Thread model: immutable; pure functions.
#pragma once

#include "compute/network/frame.h"
#include "compute/network/guest_network.h"

namespace kiln::compute {

class TunnelPath {
  public:
    // `spec` has a tunnel.
    explicit TunnelPath(const GuestNetworkSpec& spec);

    // Nothing when it is no IPv4 packet to the public address, or longer than a frame holds.
    std::optional<Bytes> to_guest(ByteView packet) const;
    // `frame` is of the guest, and FrameFilter leads it to the tunnel.
    Bytes to_host(ByteView frame) const;

  private:
    const Mac guest_mac_;
    const Mac router_mac_;
    const Ipv4 private_;
    const Ipv4 public_;
};

}  // namespace kiln::compute
