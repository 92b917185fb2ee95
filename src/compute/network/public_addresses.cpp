// SPDX-License-Identifier: Apache-2.0
#include "compute/network/public_addresses.h"

namespace kiln::compute {

Result<Ipv4> PublicAddresses::take() {
    return pool_ ? pool_->take() : loopback_->take();
}

void PublicAddresses::hold(Ipv4 address) {
    if (kLoopbackNetwork.contains(address)) {
        loopback_->hold(address);
    } else if (pool_) {
        pool_->hold(address);
    }
}

void PublicAddresses::give_back(Ipv4 address) {
    if (kLoopbackNetwork.contains(address)) {
        loopback_->give_back(address);
    } else if (pool_) {
        pool_->give_back(address);
    }
}

bool PublicAddresses::serves(Ipv4 address) const {
    return kLoopbackNetwork.contains(address) || (pool_ && pool_->serves(address));
}

std::optional<TunnelSpec> PublicAddresses::tunnel_of(Ipv4 address) const {
    if (!pool_ || !pool_->serves(address)) {
        return std::nullopt;
    }
    return TunnelSpec{address, pool_->host()};
}

std::optional<Cidr> PublicAddresses::pool() const {
    return pool_ ? std::optional(pool_->network()) : std::nullopt;
}

}  // namespace kiln::compute
