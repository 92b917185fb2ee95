// SPDX-License-Identifier: Apache-2.0
// InstanceAttributes: one attribute of an instance, changed or looked at (STP-4). Thread-safe,
// blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/instance_networks.h"
#include "control/instance_views.h"
#include "control/parts.h"

namespace kiln::control {

struct DeviceChange {
    std::string device;
    std::string volume_id;  // may be empty
    std::optional<bool> delete_on_termination;
};

// Exactly one is given; the request is refused otherwise.
struct AttributeChange {
    // At any time.
    std::optional<bool> source_dest_check;
    std::optional<bool> disable_api_termination;
    std::optional<bool> disable_api_stop;
    std::optional<model::ShutdownBehavior> shutdown_behavior;
    std::vector<DeviceChange> devices;
    std::vector<model::SecurityGroupId> groups;  // all it has from now on (SG-10)
    // Only while stopped.
    std::optional<std::string> instance_type;
    std::optional<Bytes> user_data;
    std::optional<bool> ebs_optimized;
    std::optional<bool> ena_support;
    std::optional<std::string> sriov_net_support;
};

class InstanceAttributes {
  public:
    InstanceAttributes(const Parts& parts, InstanceNetworks& networks)
        : parts_(parts), networks_(networks) {}

    Status modify(const Caller& caller, const model::InstanceId& id, const AttributeChange& change,
                  bool dry_run);
    Result<InstanceView> look(const Caller& caller, const model::InstanceId& id);

  private:
    Status apply(catalog::Transaction& tx, const Caller& caller, InstanceView& view,
                 const AttributeChange& change);
    Status apply_stopped(catalog::Transaction& tx, InstanceView& view,
                         const AttributeChange& change);
    Status apply_devices(catalog::Transaction& tx, InstanceView& view,
                         const std::vector<DeviceChange>& devices);

    const Parts parts_;
    InstanceNetworks& networks_;
};

}  // namespace kiln::control
