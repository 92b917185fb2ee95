// SPDX-License-Identifier: Apache-2.0
// Which 127.x.y addresses a store's instances are reached at (D20). Every store takes blocks of 254
// addresses: the first is found by a hash of the store's uuid, so that two stores on one host
// hardly ever meet and a store that was restored elsewhere keeps its addresses; where a block is
// taken, the next free one serves. 127.0.*.* is left to the host, which uses 127.0.0.1, 127.0.0.53
// and 127.0.1.1. Which instance has which address is the caller's to remember.
// Thread model: pure functions.
#pragma once

#include <functional>

#include "compute/network/address.h"

namespace kiln::compute {

// The block for a store: the one its uuid chooses, or the next for which `taken` is false.
// resource_exhausted when all are taken.
Result<Cidr> choose_loopback_block(std::string_view store_uuid,
                                   const std::function<bool(const Cidr&)>& taken);

// An address of the block that is not `used`, the lowest first; nothing when it is full.
std::optional<Ipv4> free_loopback_address(const Cidr& block, const std::function<bool(Ipv4)>& used);

}  // namespace kiln::compute
