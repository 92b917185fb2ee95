// SPDX-License-Identifier: Apache-2.0
// Zones: what an account sees of the topology's zones (REG-4). Local and wavelength zones are there
// for it once it has opted in to their group, which is kept with its settings of the region; until
// then they do not exist for it. There is no way back.
//
// Zones is thread-safe, blocking; the functions run within a transaction.
#pragma once

#include <string>
#include <vector>

#include "control/caller.h"
#include "control/filter.h"
#include "control/parts.h"

namespace kiln::control {

struct ZoneView {
    Zone zone;
    std::string region;
    std::string parent_id;  // of the zone's parent; empty without one
    OptInStatus opt_in = OptInStatus::not_required;
};

struct DescribeZonesInput {
    std::vector<std::string> names;
    std::vector<std::string> ids;
    bool all = false;  // also those that were not opted in to
    std::vector<Filter> filters;
    bool dry_run = false;
};

struct ModifyZoneGroupInput {
    std::string group;
    std::string status;
    bool dry_run = false;
};

// InvalidZone.NotFound for a zone that is not there for the account.
Result<Zone> usable_zone(catalog::Transaction& tx, const Topology& topology, const Caller& caller,
                         std::string_view name_or_id);
// In the order of the topology.
Result<std::vector<Zone>> usable_zones(catalog::Transaction& tx, const Topology& topology,
                                       const Caller& caller);
// REG-5: machines boot with UEFI in availability zones only, and on no outpost. `zone` is a name; a
// zone that has left the topology is taken for an availability zone.
bool has_uefi(const Topology& topology, const std::string& region, const std::string& zone,
              const std::string& outpost_arn);

// REG-6: an outpost belongs to one zone. Empty is none; InvalidParameterValue otherwise.
Status check_outpost(const Topology& topology, const Caller& caller, const Zone& zone,
                     const std::string& outpost_arn);

const FilterTable<ZoneView>& zone_filters();

class Zones {
  public:
    explicit Zones(const Parts& parts) : parts_(parts) {}

    Result<std::vector<ZoneView>> describe(const Caller& caller, const DescribeZonesInput& input);
    Status modify_group(const Caller& caller, const ModifyZoneGroupInput& input);
    // The caller's region with the zones the account may use.
    Result<Region> region(const Caller& caller);

  private:
    const Parts parts_;
};

}  // namespace kiln::control
