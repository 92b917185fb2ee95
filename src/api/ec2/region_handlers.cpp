// SPDX-License-Identifier: Apache-2.0
// DescribeRegions and DescribeAvailabilityZones (REG-3, REG-4): facts of the topology, filtered.
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/filter_names.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/describe_availability_zones.h"
#include "api/generated/ec2/describe_regions.h"
#include "control/api_errors.h"

namespace kiln::api {
namespace {

using namespace ec2;
using Values = std::vector<std::string>;

const std::vector<model::Tag>& no_tags() {
    static const std::vector<model::Tag> none;
    return none;
}

const control::FilterTable<control::Region>& region_filters() {
    static const control::FilterTable<control::Region> table(
        [](const control::Region&) -> const std::vector<model::Tag>& { return no_tags(); },
        {{"region-name", [](const control::Region& region) { return Values{region.name}; }},
         {"endpoint", [](const control::Region& region) { return Values{region.endpoint}; }},
         {"opt-in-status", [](const control::Region&) { return Values{"opt-in-not-required"}; }}});
    return table;
}

struct ZoneView {
    control::Zone zone;
    std::string region;
};

const control::FilterTable<ZoneView>& zone_filters() {
    static const control::FilterTable<ZoneView> table(
        [](const ZoneView&) -> const std::vector<model::Tag>& { return no_tags(); },
        {{"zone-name", [](const ZoneView& view) { return Values{view.zone.name}; }},
         {"zone-id", [](const ZoneView& view) { return Values{view.zone.id}; }},
         {"message", [](const ZoneView&) { return Values{}; }},
         {"parent-zone-id", [](const ZoneView&) { return Values{}; }},
         {"parent-zone-name", [](const ZoneView&) { return Values{}; }},
         {"group-long-name", [](const ZoneView&) { return Values{}; }},
         {"zone-type", [](const ZoneView&) { return Values{"availability-zone"}; }},
         {"region-name", [](const ZoneView& view) { return Values{view.region}; }},
         {"group-name", [](const ZoneView& view) { return Values{view.region}; }},
         {"state", [](const ZoneView&) { return Values{"available"}; }},
         {"opt-in-status", [](const ZoneView&) { return Values{"opt-in-not-required"}; }}});
    return table;
}

bool wanted(const List<std::string>& list, std::string_view value) {
    return list.empty() || std::find(list.begin(), list.end(), value) != list.end();
}

Result<DescribeRegionsResult> describe_regions(const control::Topology& topology,
                                               const DescribeRegionsRequest& request) {
    for (const std::string& name : request.region_names) {
        if (topology.find(name) == nullptr) {
            return control::errors::invalid_parameter_value("Invalid region names: '" + name + "'");
        }
    }
    const auto filters = to_filters(request.filters);
    TRY(region_filters().check(filters));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeRegionsResult result;
    result.regions.give();
    for (const control::Region& region : topology.regions()) {
        if (!wanted(request.region_names, region.name) ||
            !region_filters().matches(filters, region)) {
            continue;
        }
        Region& out = result.regions.emplace_back();
        out.region_name = region.name;
        out.endpoint = region.endpoint;
        out.opt_in_status = "opt-in-not-required";
    }
    return result;
}

AvailabilityZone from_zone(const ZoneView& view) {
    AvailabilityZone out;
    out.zone_name = view.zone.name;
    out.zone_id = view.zone.id;
    out.state = "available";
    out.region_name = view.region;
    out.zone_type = "availability-zone";
    out.group_name = view.region;
    out.network_border_group = view.region;
    out.opt_in_status = "opt-in-not-required";
    out.messages.give();
    return out;
}

Result<DescribeAvailabilityZonesResult> describe_zones(
    const control::Topology& topology, const std::string& region,
    const DescribeAvailabilityZonesRequest& request) {
    for (const List<std::string>* names : {&request.zone_names, &request.zone_ids}) {
        for (const std::string& name : *names) {
            TRY(topology.zone(region, name));
        }
    }
    const auto filters = to_filters(request.filters);
    TRY(zone_filters().check(filters));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeAvailabilityZonesResult result;
    result.availability_zones.give();
    for (const control::Zone& zone : topology.find(region)->zones) {
        const ZoneView view{zone, region};
        if (wanted(request.zone_names, zone.name) && wanted(request.zone_ids, zone.id) &&
            zone_filters().matches(filters, view)) {
            result.availability_zones.push_back(from_zone(view));
        }
    }
    return result;
}

}  // namespace

std::vector<std::string> region_filter_names() {
    return region_filters().names();
}

std::vector<std::string> zone_filter_names() {
    return zone_filters().names();
}

void add_region_handlers(Registry& registry, Services services) {
    registry.add<ops::DescribeRegions>([services](Context&, const DescribeRegionsRequest& request) {
        return describe_regions(services.topology, request);
    });
    registry.add<ops::DescribeAvailabilityZones>(
        [services](Context& context, const DescribeAvailabilityZonesRequest& request) {
            return describe_zones(services.topology, context.caller.region, request);
        });
}

}  // namespace kiln::api
