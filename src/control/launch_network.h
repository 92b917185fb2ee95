// SPDX-License-Identifier: Apache-2.0
// The network part of a launch (NET-4, SG-10, IDM-6): which subnet, which groups, which private
// addresses. One owner thread: the one that runs the transaction.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/parts.h"
#include "model/instance.h"
#include "model/network.h"

namespace kiln::control {

// What RunInstances says about the network, in whichever of its forms.
struct LaunchNetworkInput {
    model::SubnetId subnet;                      // empty: the default one of the zone
    std::vector<model::SecurityGroupId> groups;  // both empty: the default group
    std::vector<std::string> group_names;        // in the default VPC
    std::string private_ip;                      // empty: any
    std::optional<bool> public_ip;               // nothing: as the subnet says
    std::string description;                     // of the interface
};

struct LaunchNetwork {
    model::Subnet subnet;
    std::vector<model::SecurityGroupId> groups;
    std::vector<std::string> addresses;  // free ones, one per instance
    bool no_public_ip = false;
    std::string description;
};

// SG-10: the groups of an interface in `vpc`, each once, in the order given: by id, then by name.
Result<std::vector<model::SecurityGroupId>> find_groups(
    catalog::Transaction& tx, const Parts& parts, const Caller& caller, const model::VpcId& vpc,
    const std::vector<model::SecurityGroupId>& ids, const std::vector<std::string>& names);

// NET-6: at most 255 characters.
Status check_interface_description(std::string_view description);

// What can be said without the catalog.
Status check_network(const LaunchNetworkInput& input, std::int64_t max_count);

// As many addresses as are free, up to `max_count`; an error if fewer than `min_count`.
// `zone`: name or id, empty for the region's first, or the one of the subnet.
Result<LaunchNetwork> plan_network(catalog::Transaction& tx, const Parts& parts,
                                   const Caller& caller, const LaunchNetworkInput& input,
                                   const std::string& zone, std::size_t min_count,
                                   std::size_t max_count);

// Gives the instance the `index`th address, and an interface of its own.
void join_network(model::Instance& instance, const LaunchNetwork& network, std::size_t index,
                  io::Rng& rng);

// IDM-6: the zone when the request names one or a subnet, else the region.
Result<std::string> token_scope(catalog::Transaction& tx, const Parts& parts, const Caller& caller,
                                const std::string& zone, const model::SubnetId& subnet);

}  // namespace kiln::control
