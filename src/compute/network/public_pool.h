// SPDX-License-Identifier: Apache-2.0
// PublicPool: the addresses of --public-pool, each the one of a single running instance (D20). The
// pool's second address is the host's own end of all tunnels; its first and last are nobody's, as
// they look like network and broadcast to some programs.
//
// An address that another service on this host has claimed or carries is passed over. A claim is a
// name in the abstract unix socket space, which like addresses belongs to the network namespace and
// which the kernel gives back however this process ends. Which instance has which address is in the
// catalog: after a start, hold() says it again.
//
// Thread-safe.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compute/network/address.h"
#include "util/fs.h"
#include "util/mutex.h"

namespace kiln::compute {

// What the pool asks of the host, holding its lock: two threads must not ask for the same address.
struct PoolClaims {
    // Kept as long as the address is used; nothing: somebody else has it.
    std::function<std::optional<UniqueFd>(Ipv4)> claim;
    // Whether a device of this host carries it.
    std::function<bool(Ipv4)> carried;
};

class PublicPool {
  public:
    PublicPool(const Cidr& network, PoolClaims claims)
        : network_(network), claims_(std::move(claims)) {}

    const Cidr& network() const { return network_; }
    Ipv4 host() const { return {network_.base.value + 1}; }
    // Whether an instance may have it.
    bool serves(Ipv4 address) const;

    // The lowest free one; resource_exhausted when there is none.
    Result<Ipv4> take() EXCLUDES(mutex_);
    // In use since an earlier run of the service.
    void hold(Ipv4 address) EXCLUDES(mutex_);
    void give_back(Ipv4 address) EXCLUDES(mutex_);

  private:
    const Cidr network_;
    const PoolClaims claims_;
    Mutex mutex_;
    std::map<Ipv4, UniqueFd> used_ GUARDED_BY(mutex_);
};

// Claims in this network namespace.
PoolClaims claims_by_socket();

// A network of this host that a pool must not overlap.
struct HostNetwork {
    Cidr network;
    std::string where;  // "the network of eth0"
};

// Reads "a.b.c.d/n" and checks that it is a network whose addresses can be had: 8 to 65,536 of
// them, none reserved, none of a VPC or of `taken`. invalid_argument says what is wrong.
Result<Cidr> parse_public_pool(std::string_view text, std::span<const HostNetwork> taken);

// Of this host's interfaces and routes, tunnels and default routes excepted. A tunnel's own address
// is among them unless its pool begins where `pool` does.
std::vector<HostNetwork> host_networks(std::optional<Cidr> pool);
// The part of it that reads the kernel's table (/proc/net/route).
std::vector<HostNetwork> parse_routes(std::string_view table);

}  // namespace kiln::compute
