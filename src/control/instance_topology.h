// SPDX-License-Identifier: Apache-2.0
// InstanceTopologies: how near to each other running instances are (INS-8). All of them are on the
// one host; the nodes above it are the region and the zone. Thread-safe, blocking.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/filter.h"
#include "control/pagination.h"
#include "control/parts.h"

namespace kiln::control {

struct InstanceTopologyView {
    model::Instance instance;
    std::string zone_id;
    std::vector<model::Tag> tags;      // for filters
    std::array<std::string, 3> nodes;  // from the top: "nn-", 17 hexadecimal digits
};

struct DescribeTopologyInput {
    std::vector<model::InstanceId> ids;
    std::vector<std::string> groups;  // placement groups, of which there are none
    std::vector<Filter> filters;
    PageRequest page;
};

const FilterTable<InstanceTopologyView>& instance_topology_filters();

class InstanceTopologies {
  public:
    explicit InstanceTopologies(const Parts& parts) : parts_(parts) {}

    Result<Page<InstanceTopologyView>> describe(const Caller& caller,
                                                const DescribeTopologyInput& input);

  private:
    const Parts parts_;
};

}  // namespace kiln::control
