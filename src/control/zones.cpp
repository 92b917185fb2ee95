// SPDX-License-Identifier: Apache-2.0
#include "control/zones.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/region_settings.h"
#include "util/check.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;

const std::vector<model::Tag>& no_tags() {
    static const std::vector<model::Tag> none;
    return none;
}

const Region& region_of(const Topology& topology, const Caller& caller) {
    const Region* region = topology.find(caller.region);
    INVARIANT_MSG(region != nullptr, "the door refuses unknown regions");
    return *region;
}

bool holds(const std::vector<std::string>& list, const std::string& text) {
    return std::find(list.begin(), list.end(), text) != list.end();
}

OptInStatus status_of(const Zone& zone, const model::RegionSettings& settings) {
    if (!zone.wants_opt_in()) {
        return OptInStatus::not_required;
    }
    return holds(settings.zone_groups, zone.group) ? OptInStatus::opted_in
                                                   : OptInStatus::not_opted_in;
}

Result<std::vector<ZoneView>> load_views(catalog::Transaction& tx, const Topology& topology,
                                         const Caller& caller) {
    const Region& region = region_of(topology, caller);
    TRY_ASSIGN(const auto settings, region_settings(tx, caller.account, caller.region));
    std::vector<ZoneView> views;
    for (const Zone& zone : region.zones) {
        ZoneView& view = views.emplace_back();
        view.zone = zone;
        view.region = region.name;
        view.opt_in = status_of(zone, settings);
        if (!zone.parent.empty()) {
            TRY_ASSIGN(const Zone parent, topology.zone(region.name, zone.parent));
            view.parent_id = parent.id;
        }
    }
    return views;
}

Error zone_not_found(std::string_view name) {
    return Error::api(Code::not_found, "InvalidZone.NotFound",
                      fmt::format("The zone '{}' does not exist.", name));
}

// Each that is named is there; without `all` only what was opted in to is.
Status check_named(const DescribeZonesInput& input, const std::vector<ZoneView>& views) {
    const auto there = [&](const std::string& text, bool by_name) {
        return std::any_of(views.begin(), views.end(), [&](const ZoneView& view) {
            return (by_name ? view.zone.name : view.zone.id) == text &&
                   (input.all || view.opt_in != OptInStatus::not_opted_in);
        });
    };
    for (const std::string& name : input.names) {
        if (!there(name, true)) {
            return zone_not_found(name);
        }
    }
    for (const std::string& id : input.ids) {
        if (!there(id, false)) {
            return zone_not_found(id);
        }
    }
    return ok();
}

}  // namespace

Result<Zone> usable_zone(catalog::Transaction& tx, const Topology& topology, const Caller& caller,
                         std::string_view name_or_id) {
    TRY_ASSIGN(Zone zone, topology.zone(caller.region, name_or_id));
    if (zone.wants_opt_in()) {
        TRY_ASSIGN(const auto settings, region_settings(tx, caller.account, caller.region));
        if (status_of(zone, settings) == OptInStatus::not_opted_in) {
            return zone_not_found(name_or_id);
        }
    }
    return zone;
}

Result<std::vector<Zone>> usable_zones(catalog::Transaction& tx, const Topology& topology,
                                       const Caller& caller) {
    TRY_ASSIGN(const auto views, load_views(tx, topology, caller));
    std::vector<Zone> zones;
    for (const ZoneView& view : views) {
        if (view.opt_in != OptInStatus::not_opted_in) {
            zones.push_back(view.zone);
        }
    }
    return zones;
}

bool has_uefi(const Topology& topology, const std::string& region, const std::string& zone,
              const std::string& outpost_arn) {
    const auto found = topology.zone(region, zone);
    return outpost_arn.empty() && (!found || found->type == ZoneType::availability_zone);
}

Status check_outpost(const Topology& topology, const Caller& caller, const Zone& zone,
                     const std::string& outpost_arn) {
    if (outpost_arn.empty()) {
        return ok();
    }
    TRY_ASSIGN(const Outpost outpost, topology.outpost(caller.region, outpost_arn, "outpostArn"));
    if (outpost.zone != zone.name) {
        return errors::invalid_parameter_value(
            fmt::format("The outpost '{}' belongs to the Availability Zone '{}', not to '{}'.",
                        outpost_arn, outpost.zone, zone.name));
    }
    return ok();
}

const FilterTable<ZoneView>& zone_filters() {
    static const FilterTable<ZoneView> table(
        [](const ZoneView&) -> const std::vector<model::Tag>& { return no_tags(); },
        {{"group-long-name",
          [](const ZoneView& view) { return Values{view.zone.group_long_name}; }},
         {"group-name", [](const ZoneView& view) { return Values{view.zone.group}; }},
         {"message", [](const ZoneView&) { return Values{}; }},
         {"opt-in-status",
          [](const ZoneView& view) { return Values{std::string(model::to_string(view.opt_in))}; }},
         {"parent-zone-id", [](const ZoneView& view) { return Values{view.parent_id}; }},
         {"parent-zone-name", [](const ZoneView& view) { return Values{view.zone.parent}; }},
         {"region-name", [](const ZoneView& view) { return Values{view.region}; }},
         {"state", [](const ZoneView&) { return Values{"available"}; }},
         {"zone-id", [](const ZoneView& view) { return Values{view.zone.id}; }},
         {"zone-name", [](const ZoneView& view) { return Values{view.zone.name}; }},
         {"zone-type", [](const ZoneView& view) {
              return Values{std::string(model::to_string(view.zone.type))};
          }}});
    return table;
}

Result<std::vector<ZoneView>> Zones::describe(const Caller& caller,
                                              const DescribeZonesInput& input) {
    TRY(zone_filters().check(input.filters));
    TRY_ASSIGN(auto views, parts_.store.read([&](catalog::Transaction& tx) {
        return load_views(tx, parts_.topology, caller);
    }));
    TRY(check_named(input, views));
    if (input.dry_run) {
        return errors::dry_run();
    }
    std::erase_if(views, [&](const ZoneView& view) {
        return (!input.all && view.opt_in == OptInStatus::not_opted_in) ||
               (!input.names.empty() && !holds(input.names, view.zone.name)) ||
               (!input.ids.empty() && !holds(input.ids, view.zone.id)) ||
               !zone_filters().matches(input.filters, view);
    });
    return views;
}

Status Zones::modify_group(const Caller& caller, const ModifyZoneGroupInput& input) {
    const Region& region = region_of(parts_.topology, caller);
    const auto zone = std::find_if(region.zones.begin(), region.zones.end(),
                                   [&](const Zone& one) { return one.group == input.group; });
    if (zone == region.zones.end()) {
        return errors::invalid_parameter_value(fmt::format(
            "Value ({}) for parameter groupName is invalid. DescribeAvailabilityZones with "
            "AllAvailabilityZones lists the groups there are.",
            input.group));
    }
    const auto status = model::parse<OptInStatus>(input.status);
    if (!status || *status == OptInStatus::not_required) {
        return errors::invalid_parameter_value(fmt::format(
            "Value ({}) for parameter optInStatus is invalid. It is opted-in.", input.status));
    }
    if (!zone->wants_opt_in()) {
        return errors::invalid_parameter_value(fmt::format(
            "The zones of the group '{}' are availability zones, which need no opting in.",
            input.group));
    }
    if (*status == OptInStatus::not_opted_in) {
        return errors::unsupported(
            "A group of zones cannot be opted out of by a request; ask whoever runs the service.");
    }
    if (input.dry_run) {
        return errors::dry_run();
    }
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto settings, region_settings(tx, caller.account, caller.region));
        if (holds(settings.zone_groups, input.group)) {
            return ok();
        }
        settings.zone_groups.push_back(input.group);
        std::sort(settings.zone_groups.begin(), settings.zone_groups.end());
        return save_region_settings(tx, std::move(settings), parts_.clock.now());
    });
}

Result<Region> Zones::region(const Caller& caller) {
    Region region = region_of(parts_.topology, caller);
    TRY_ASSIGN(region.zones, parts_.store.read([&](catalog::Transaction& tx) {
        return usable_zones(tx, parts_.topology, caller);
    }));
    return region;
}

}  // namespace kiln::control
