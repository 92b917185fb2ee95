// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the topology file. Whatever is accepted can be looked up, region by region, zone by
// zone by name and by id, outpost by outpost; parents and places are zones of the region. Thread
// model: pure function.
#include "control/default_network.h"
#include "control/topology_file.h"
#include "util/bytes.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    const auto topology = control::parse_topology(as_text({data, size}));
    if (!topology) {
        INVARIANT(!topology.error().message().empty());
        return 0;
    }
    INVARIANT(!topology->regions().empty());
    for (const control::Region& region : topology->regions()) {
        INVARIANT(topology->find(region.name) == &region);
        INVARIANT(!region.zones.empty() && region.zones.size() <= control::kMaxZonesPerRegion);
        for (const control::Zone& zone : region.zones) {
            const auto by_name = topology->zone(region.name, zone.name);
            const auto by_id = topology->zone(region.name, zone.id);
            INVARIANT(by_name && by_name->id == zone.id && by_id && by_id->name == zone.name);
            INVARIANT(!zone.group.empty() && !zone.border_group.empty());
            INVARIANT(zone.parent.empty() != zone.wants_opt_in());
            INVARIANT(zone.parent.empty() || topology->zone(region.name, zone.parent));
        }
        for (const control::Outpost& outpost : region.outposts) {
            INVARIANT(topology->outpost(region.name, outpost.arn, "outpostArn"));
            INVARIANT(topology->zone(region.name, outpost.zone));
        }
    }
    return 0;
}
