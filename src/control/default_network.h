// SPDX-License-Identifier: Apache-2.0
// DefaultNetwork: the VPC every account has in every region without asking for it: one subnet per
// zone and one security group (NET-1). Made when somebody first needs it, so that an account costs
// nothing in the regions it does not use; a zone that joins the topology later gets its subnet
// then. Who deletes it, or a subnet of it, has none until CreateDefaultVpc (NET-15).
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
    // One per availability zone of the topology, in its order, but for zones whose subnet was
    // deleted.
    std::vector<model::Subnet> subnets;
    model::SecurityGroup group;
};

// Nothing when a part of it is still to be made. VPCIdNotSpecified from these when the account has
// deleted it.
Result<std::optional<DefaultNetwork>> find_default_network(catalog::Transaction& tx,
                                                           const Parts& parts,
                                                           const Caller& caller);
// Makes what is missing.
Result<DefaultNetwork> ensure_default_network(catalog::Transaction& tx, const Parts& parts,
                                              const Caller& caller);
// In transactions of its own: reads, and writes only the first time.
Result<DefaultNetwork> default_network(const Parts& parts, const Caller& caller);

// For those who look at what there is: makes it unless it was deleted.
Status make_default_network(const Parts& parts, const Caller& caller);

// NET-15: from now on the account has none in this region, or is to have one again.
Status choose_default_network(catalog::Transaction& tx, const Parts& parts, const Caller& caller,
                              bool none);
Error no_default_vpc();

// The group `default` that every VPC has.
Result<model::SecurityGroup> default_group(catalog::Transaction& tx, const model::VpcId& vpc);
Result<model::SecurityGroup> make_default_group(catalog::Transaction& tx, const Parts& parts,
                                                const model::Vpc& vpc);

// Every address that instances could have in the default subnet of a zone.
std::uint32_t usable_in_default_subnet();

// SG-2: what a new group of a VPC holds: everything may leave.
model::SecurityGroupRule allow_all_egress(io::Rng& rng);

}  // namespace kiln::control
