// SPDX-License-Identifier: Apache-2.0
// Topology: the regions and zones this server answers for (REG-1 .. REG-4). Region is data: one
// server serves all of them on one URL, and a request's region comes from its signature's scope.
// The built-in default carries Amazon's names and ids, so that configurations written for the
// public cloud work unchanged.
//
// Immutable after construction.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "util/result.h"

namespace kiln::control {

struct Zone {
    std::string name;  // us-east-1a
    std::string id;    // use1-az1
};

struct Region {
    std::string name;      // us-east-1
    std::string endpoint;  // ec2.us-east-1.amazonaws.com: what DescribeRegions prints
    std::vector<Zone> zones;
};

class Topology {
  public:
    static Topology built_in();
    explicit Topology(std::vector<Region> regions) : regions_(std::move(regions)) {}

    const std::vector<Region>& regions() const { return regions_; }
    const Region* find(std::string_view region) const;
    // REG-2; InvalidZone.NotFound for a zone that is not in `region`.
    Result<Zone> zone(std::string_view region, std::string_view name_or_id) const;

  private:
    std::vector<Region> regions_;
};

}  // namespace kiln::control
