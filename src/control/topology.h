// SPDX-License-Identifier: Apache-2.0
// Topology: the regions, zones and outposts this server answers for (REG-1 .. REG-6). Region is
// data: one server serves all of them on one URL, and a request's region comes from its
// signature's scope.
// The built-in default carries Amazon's names and ids, so that configurations written for the
// public cloud work unchanged.
//
// Immutable after construction.
#pragma once

#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "model/names.h"
#include "util/result.h"

namespace kiln::control {

enum class ZoneType { availability_zone, local_zone, wavelength_zone };
constexpr auto enum_names(ZoneType) {
    return std::to_array<model::EnumName<ZoneType>>(
        {{ZoneType::availability_zone, "availability-zone"},
         {ZoneType::local_zone, "local-zone"},
         {ZoneType::wavelength_zone, "wavelength-zone"}});
}

// Of a region, for every account; of the group of a zone, for one.
enum class OptInStatus { not_required, opted_in, not_opted_in };
constexpr auto enum_names(OptInStatus) {
    return std::to_array<model::EnumName<OptInStatus>>(
        {{OptInStatus::not_required, "opt-in-not-required"},
         {OptInStatus::opted_in, "opted-in"},
         {OptInStatus::not_opted_in, "not-opted-in"}});
}

struct Zone {
    std::string name;  // us-east-1a, us-west-2-lax-1a
    std::string id;    // use1-az1
    ZoneType type = ZoneType::availability_zone;
    std::string group{};            // us-west-2-lax-1; of an availability zone its region
    std::string group_long_name{};  // "US West (Los Angeles)"; may be empty
    std::string border_group{};     // the network border group
    std::string parent{};           // name of the availability zone that runs it; else empty
    bool is_local() const { return type == ZoneType::local_zone; }
    // REG-4: accounts see and use it only once they have opted in to its group.
    bool wants_opt_in() const { return type != ZoneType::availability_zone; }
};

// Every account may use every outpost (REG-6).
struct Outpost {
    std::string arn;   // arn:aws:outposts:us-east-1:111111111111:outpost/op-0123456789abcdef0
    std::string zone;  // the name of the availability zone it belongs to
};

struct Region {
    std::string name;      // us-east-1
    std::string endpoint;  // ec2.us-east-1.amazonaws.com: what DescribeRegions prints
    std::vector<Zone> zones;
    OptInStatus opt_in = OptInStatus::not_required;
    std::vector<Outpost> outposts{};
    bool enabled() const { return opt_in != OptInStatus::not_opted_in; }
};

class Topology {
  public:
    static Topology built_in();
    explicit Topology(std::vector<Region> regions) : regions_(std::move(regions)) {}

    const std::vector<Region>& regions() const { return regions_; }
    const Region* find(std::string_view region) const;
    // The same, but not a region that is not opted in to: nothing can be asked of it (REG-3).
    const Region* find_enabled(std::string_view region) const;
    // REG-2; InvalidZone.NotFound for a zone that is not in `region`. Whether an account may use
    // it, control/zones.h tells.
    Result<Zone> zone(std::string_view region, std::string_view name_or_id) const;
    // The id of the zone of that name; empty for one that has left the topology.
    std::string zone_id(std::string_view region, std::string_view name) const;
    // InvalidParameterValue, naming the parameter, for one that is not in `region`.
    Result<Outpost> outpost(std::string_view region, std::string_view arn,
                            std::string_view parameter) const;

  private:
    std::vector<Region> regions_;
};

}  // namespace kiln::control
