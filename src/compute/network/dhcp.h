// SPDX-License-Identifier: Apache-2.0
// The DHCP service of one guest: it has one address to give, and gives it to one station. Made here
// because libslirp's own hands out sixteen addresses, so that a disk with a remembered lease comes
// up with one that nobody routes, and knows neither MTU nor refusal.
//
// DISCOVER is offered the address; a REQUEST for it is acknowledged, one for another address
// refused, one to another server left alone; INFORM gets the options alone. Leases last an hour, as
// EC2's do. Thread model: pure functions.
#pragma once

#include "compute/network/guest_network.h"

namespace kiln::compute {

// The reply to a frame that FrameFilter routed to DHCP; nothing when it deserves none.
std::optional<Bytes> answer_dhcp(const GuestNetworkSpec& spec, ByteView frame);

}  // namespace kiln::compute
