// SPDX-License-Identifier: Apache-2.0
// DescribeRegions, DescribeAvailabilityZones and ModifyAvailabilityZoneGroup (REG-3, REG-4).
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/filter_names.h"
#include "api/ec2/handlers.h"
#include "api/generated/ec2/describe_availability_zones.h"
#include "api/generated/ec2/describe_regions.h"
#include "api/generated/ec2/modify_availability_zone_group.h"
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
         {"opt-in-status", [](const control::Region& region) {
              return Values{std::string(model::to_string(region.opt_in))};
          }}});
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
        // One that is not opted in to is described to who names it or asks for all.
        const bool shown = request.region_names.empty()
                               ? region.enabled() || request.all_regions.value_or(false)
                               : wanted(request.region_names, region.name);
        if (!shown || !region_filters().matches(filters, region)) {
            continue;
        }
        Region& out = result.regions.emplace_back();
        out.region_name = region.name;
        out.endpoint = region.endpoint;
        out.opt_in_status = std::string(model::to_string(region.opt_in));
    }
    return result;
}

AvailabilityZone from_zone(const control::ZoneView& view) {
    const control::Zone& zone = view.zone;
    AvailabilityZone out;
    out.zone_name = zone.name;
    out.zone_id = zone.id;
    out.state = "available";
    out.region_name = view.region;
    out.zone_type = std::string(model::to_string(zone.type));
    out.group_name = zone.group;
    out.network_border_group = zone.border_group;
    out.opt_in_status = std::string(model::to_string(view.opt_in));
    if (!zone.parent.empty()) {
        out.parent_zone_name = zone.parent;
        out.parent_zone_id = view.parent_id;
    }
    if (!zone.group_long_name.empty()) {
        out.group_long_name = zone.group_long_name;
    }
    out.messages.give();
    return out;
}

Result<DescribeAvailabilityZonesResult> describe_zones(
    const Services& services, const Context& context,
    const DescribeAvailabilityZonesRequest& request) {
    control::DescribeZonesInput input;
    input.names = request.zone_names.items();
    input.ids = request.zone_ids.items();
    input.all = request.all_availability_zones.value_or(false);
    input.filters = to_filters(request.filters);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto views, services.zones.describe(context.caller, input));
    DescribeAvailabilityZonesResult result;
    result.availability_zones.give();
    for (const control::ZoneView& view : views) {
        result.availability_zones.push_back(from_zone(view));
    }
    return result;
}

Result<ModifyAvailabilityZoneGroupResult> modify_group(
    const Services& services, const Context& context,
    const ModifyAvailabilityZoneGroupRequest& request) {
    if (!given(request.group_name)) {
        return control::errors::missing_parameter("GroupName");
    }
    if (!given(request.opt_in_status)) {
        return control::errors::missing_parameter("OptInStatus");
    }
    TRY(services.zones.modify_group(context.caller, {*request.group_name, *request.opt_in_status,
                                                     request.dry_run.value_or(false)}));
    ModifyAvailabilityZoneGroupResult result;
    result.return_ = true;
    return result;
}

}  // namespace

std::vector<std::string> region_filter_names() {
    return region_filters().names();
}

std::vector<std::string> zone_filter_names() {
    return control::zone_filters().names();
}

void add_region_handlers(Registry& registry, Services services) {
    registry.add<ops::DescribeRegions>([services](Context&, const DescribeRegionsRequest& request) {
        return describe_regions(services.topology, request);
    });
    registry.add<ops::DescribeAvailabilityZones>(
        [services](Context& context, const DescribeAvailabilityZonesRequest& request) {
            return describe_zones(services, context, request);
        });
    registry.add<ops::ModifyAvailabilityZoneGroup>(
        [services](Context& context, const ModifyAvailabilityZoneGroupRequest& request) {
            return modify_group(services, context, request);
        });
}

}  // namespace kiln::api
