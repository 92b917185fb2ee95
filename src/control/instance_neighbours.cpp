// SPDX-License-Identifier: Apache-2.0
// Who is told of whom: the instances of a VPC that have a network, kept in memory.
#include <algorithm>

#include "compute/network/config.h"
#include "control/instance_networks.h"
#include "util/log.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMostEnded = 1000;

}  // namespace

void InstanceNetworks::tell_of_vpc(const model::VpcId& vpc) {
    MutexLock lock(telling_);
    tell_neighbours(vpc);
}

void InstanceNetworks::leave_neighbours(const model::InstanceId& id) {
    const auto instance =
        parts_.store.read([&](catalog::Transaction& tx) { return tx.instances().get(id); });
    if (!instance || instance->vpc_id.empty()) {
        return;
    }
    MutexLock lock(telling_);
    forget(*instance);
    tell_neighbours(instance->vpc_id);
}

void InstanceNetworks::tell_neighbours(const model::VpcId& vpc) {
    Status told = ok();
    if (const auto neighbours = neighbours_in(vpc)) {
        told = networks_.set_neighbours(neighbours_file(vpc), *neighbours);
    } else {
        told = neighbours.error();
    }
    if (!told) {
        log_error("network", "the instances of " + vpc.str() +
                                 " are not told of each other: " + told.error().to_string());
    }
}

Result<std::vector<compute::Neighbour>> InstanceNetworks::neighbours_in(const model::VpcId& vpc) {
    if (!neighbourhoods_) {
        TRY_ASSIGN(neighbourhoods_, read_neighbourhoods());
    }
    std::vector<compute::Neighbour> neighbours;
    for (const auto& [id, neighbour] : (*neighbourhoods_)[vpc]) {
        neighbours.push_back(neighbour);
    }
    return neighbours;
}

Result<InstanceNetworks::Neighbourhoods> InstanceNetworks::read_neighbourhoods() {
    TRY_ASSIGN(const auto all, parts_.store.read([&](catalog::Transaction& tx) {
        catalog::InstanceQuery query;
        query.states = model::states_with_machine();
        return tx.instances().list(query);
    }));
    Neighbourhoods found;
    std::set<model::InstanceId> still_ending;
    for (const model::Instance& instance : all) {
        if (ended_.contains(instance.id)) {
            still_ending.insert(instance.id);
        } else if (!instance.vpc_id.empty() && !instance.private_ip.empty()) {
            TRY_ASSIGN(found[instance.vpc_id][instance.id], neighbour_of(instance));
        }
    }
    ended_ = std::move(still_ending);
    return found;
}

void InstanceNetworks::know(const model::Instance& instance) {
    if (!neighbourhoods_ || instance.vpc_id.empty() || ended_.contains(instance.id)) {
        return;
    }
    const auto& states = model::states_with_machine();
    auto neighbour = neighbour_of(instance);
    if (neighbour && std::ranges::find(states, instance.state) != states.end()) {
        (*neighbourhoods_)[instance.vpc_id][instance.id] = *std::move(neighbour);
    } else {
        (*neighbourhoods_)[instance.vpc_id].erase(instance.id);
    }
}

void InstanceNetworks::forget(const model::Instance& instance) {
    ended_.insert(instance.id);
    if (neighbourhoods_) {
        (*neighbourhoods_)[instance.vpc_id].erase(instance.id);
    }
    // Their rows are read again, and those that say the same are forgotten.
    if (ended_.size() > kMostEnded) {
        neighbourhoods_.reset();
    }
}

Result<compute::Neighbour> InstanceNetworks::neighbour_of(const model::Instance& instance) const {
    compute::Neighbour out;
    out.id = machine_id(instance.id);
    TRY_ASSIGN(out.address, compute::Ipv4::parse(instance.private_ip));
    TRY_ASSIGN(out.mac, compute::Mac::parse(instance.mac));
    out.socket = compute::guest_network_peer_path(runtime_directory(instance.id));
    for (const model::SecurityGroupId& group : instance.security_groups) {
        out.groups.push_back(group.str());
    }
    return out;
}

}  // namespace kiln::control
