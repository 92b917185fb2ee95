// SPDX-License-Identifier: Apache-2.0
// InterfaceAttributes: what may be changed of the interface an instance has for life (NET-19).
// Thread-safe, blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/instance_networks.h"
#include "control/parts.h"

namespace kiln::control {

// Exactly one is given; the request is refused otherwise.
struct InterfaceChange {
    std::optional<std::string> description;
    std::optional<bool> source_dest_check;
    std::vector<model::SecurityGroupId> groups;  // all it has from now on (SG-10)
    // What is so already and may be said again: that it ends with its instance.
    std::optional<std::string> attachment_id;
};

class InterfaceAttributes {
  public:
    InterfaceAttributes(const Parts& parts, InstanceNetworks& networks)
        : parts_(parts), networks_(networks) {}

    // Groups are in force when it returns.
    Status modify(const Caller& caller, const model::NetworkInterfaceId& id,
                  const InterfaceChange& change, bool dry_run);

  private:
    Status apply(catalog::Transaction& tx, const Caller& caller, const InterfaceChange& change,
                 model::Instance& instance);

    const Parts parts_;
    InstanceNetworks& networks_;
};

}  // namespace kiln::control
