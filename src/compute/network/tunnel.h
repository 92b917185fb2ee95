// SPDX-License-Identifier: Apache-2.0
// Tunnel: a TUN device of this host that carries one public address to one guest (D20). The host
// routes that address alone to it, so whatever is sent there, to any port by any protocol, is read
// here as IP packets, and no program of the host that listens on all addresses is in the way. The
// device's own address, the same for all instances of a pool, is what clients on this host appear
// as.
//
// Device and route live as long as this object and its process, however that ends. To open one
// takes CAP_NET_ADMIN in the network namespace; to use it takes nothing.
//
// Thread model: one owner thread, which polls fd().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compute/network/guest_network.h"
#include "util/fs.h"

namespace kiln::compute {

class Tunnel {
  public:
    // permission_denied and not_found (no /dev/net/tun) say what would help.
    static Result<std::unique_ptr<Tunnel>> open(const TunnelSpec& spec);

    int fd() const { return fd_.get(); }
    const std::string& device() const { return device_; }

    // The next packet the host sends to the guest, in `space`; 0: none for now. An error means that
    // the device is gone, as when somebody deletes it.
    Result<std::size_t> read(MutableByteView space);
    // False when the host does not take it; the packet is lost then, as on a wire.
    bool write(ByteView packet);

  private:
    Tunnel(UniqueFd fd, std::string device) : fd_(std::move(fd)), device_(std::move(device)) {}

    const UniqueFd fd_;
    const std::string device_;
};

// Whether this process may open tunnels, with open()'s errors. Changes nothing.
Status may_open_tunnels();

// Devices of tunnels, of whatever service on this host, are named so, with a number.
inline constexpr char kTunnelPrefix[] = "kiln";

// The public addresses that tunnels of this host carry, those of other services included.
std::vector<Ipv4> tunnelled_addresses();

}  // namespace kiln::compute
