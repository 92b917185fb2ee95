// SPDX-License-Identifier: Apache-2.0
// What a caller is shown of an instance: the instance with its attached volumes and the caller's
// tags. Thread model: plain values; load functions within a transaction.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/filter.h"
#include "control/topology.h"
#include "model/instance.h"
#include "model/tag.h"
#include "model/volume.h"

namespace kiln::control {

struct InstanceView {
    model::Instance instance;
    std::vector<model::Volume> volumes;  // attached: the root, then by device
    std::vector<model::Tag> tags;
    std::vector<model::Tag> interface_tags;                     // of its network interface
    std::map<model::SecurityGroupId, std::string> group_names;  // of its security groups
    std::string zone_id;  // empty: its zone has left the topology
};

// NET-6: a terminated instance has given its interface back, and with it address and groups.
bool has_interface(const model::Instance& instance);

// INS-5.
struct ReservationView {
    model::ReservationId id;
    model::AccountId owner;
    std::vector<InstanceView> instances;
};

Result<std::vector<InstanceView>> load_views(catalog::Transaction& tx, const Topology& topology,
                                             const Caller& caller,
                                             std::vector<model::Instance> instances);
// In the order of each reservation's first instance.
std::vector<ReservationView> group_by_reservation(std::vector<InstanceView> views);

// INS-6.
const FilterTable<InstanceView>& instance_filters();

}  // namespace kiln::control
