// SPDX-License-Identifier: Apache-2.0
// DefaultNetwork: the VPC every account has in every region without asking for it: one subnet per
// zone and one security group (NET-1). Made when somebody first needs it, so that an account costs
// nothing in the regions it does not use; a zone that joins the topology later gets its subnet
// then.
//
// One owner thread: the one that runs the transaction.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/parts.h"
#include "model/network.h"

namespace kiln::control {

inline constexpr char kDefaultGroupName[] = "default";
// A /16 holds sixteen /20: the most zones a region may have.
inline constexpr std::size_t kMaxZonesPerRegion = 16;
// Amazon keeps the first four addresses of a subnet and the last one.
inline constexpr std::uint32_t kReservedAtStart = 4;
inline constexpr std::uint32_t kReservedAtEnd = 1;

struct DefaultNetwork {
    model::Vpc vpc;
    std::vector<model::Subnet> subnets;  // one per zone of the topology, in its order
    model::SecurityGroup group;
};

// Nothing when a part of it is still to be made.
Result<std::optional<DefaultNetwork>> find_default_network(catalog::Transaction& tx,
                                                           const Parts& parts,
                                                           const Caller& caller);
// Makes what is missing.
Result<DefaultNetwork> ensure_default_network(catalog::Transaction& tx, const Parts& parts,
                                              const Caller& caller);
// In transactions of its own: reads, and writes only the first time.
Result<DefaultNetwork> default_network(const Parts& parts, const Caller& caller);

// SG-2: what a new group of a VPC holds: everything may leave.
model::SecurityGroupRule allow_all_egress(io::Rng& rng);

}  // namespace kiln::control
