// SPDX-License-Identifier: Apache-2.0
// PublicAddresses: the public addresses of this store's instances, by whichever driver (D20): a
// loopback address whose ports are forwarded (`user`), or one of a pool with a tunnel (`tun`). New
// ones are of the driver in force; an instance that runs keeps what it has, so after the driver was
// changed there are both. Thread-safe.
#pragma once

#include <memory>

#include "compute/network/guest_network.h"
#include "compute/network/loopback_pool.h"
#include "compute/network/public_pool.h"

namespace kiln::compute {

class PublicAddresses {
  public:
    // With a pool the driver is `tun`.
    explicit PublicAddresses(std::unique_ptr<LoopbackPool> loopback,
                             std::unique_ptr<PublicPool> pool = nullptr)
        : loopback_(std::move(loopback)), pool_(std::move(pool)) {}

    Result<Ipv4> take();
    // In use since an earlier run of the service.
    void hold(Ipv4 address);
    void give_back(Ipv4 address);

    // False for one of a pool that is no longer the service's: it goes on as long as its instance
    // runs, but no network can be started with it.
    bool serves(Ipv4 address) const;
    // How it is carried; nothing for loopback addresses.
    std::optional<TunnelSpec> tunnel_of(Ipv4 address) const;
    // Which no guest may reach from inside.
    std::optional<Cidr> pool() const;

  private:
    const std::unique_ptr<LoopbackPool> loopback_;
    const std::unique_ptr<PublicPool> pool_;  // may be null
};

}  // namespace kiln::compute
