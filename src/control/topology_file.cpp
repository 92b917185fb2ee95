// SPDX-License-Identifier: Apache-2.0
#include "control/topology_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "control/config_json.h"
#include "control/default_network.h"
#include "util/fs.h"

namespace kiln::control {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxRegions = 100;
constexpr std::size_t kMaxNameLength = 64;
constexpr std::size_t kMaxEndpointLength = 253;  // of a host name
constexpr std::size_t kMaxLongName = 255;
constexpr std::size_t kMaxOutpostsPerRegion = 16;

Status check_members(const json& object, const std::string& where,
                     std::initializer_list<std::string_view> known) {
    if (!object.is_object()) {
        return wrong_config(where, "must be an object");
    }
    for (const auto& [name, value] : object.items()) {
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return wrong_config(where, fmt::format("has an unknown member '{}'", name));
        }
    }
    return ok();
}

Result<const json*> list_of(const json& object, const char* name, const std::string& where,
                            std::size_t max) {
    const auto found = object.find(name);
    if (found == object.end()) {
        return wrong_config(where, "is missing");
    }
    if (!found->is_array() || found->empty()) {
        return wrong_config(where, "must be a list with at least one entry");
    }
    if (found->size() > max) {
        return wrong_config(
            where, fmt::format("has {} entries; at most {} are possible", found->size(), max));
    }
    return &*found;
}

Result<std::string> text_of(const json& object, const char* name, const std::string& where) {
    const auto found = object.find(name);
    if (found == object.end()) {
        return wrong_config(where, "is missing");
    }
    if (!found->is_string()) {
        return wrong_config(where, "must be a text");
    }
    return found->get<std::string>();
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kMaxNameLength && text.front() != '-' &&
           text.back() != '-' && std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
           });
}

bool is_host(std::string_view text) {
    return !text.empty() && text.size() <= kMaxEndpointLength &&
           std::all_of(text.begin(), text.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
                      c == ':';
           });
}

bool is_letter(char c) {
    return c >= 'a' && c <= 'z';
}

// Clients take the region of a zone to be its name without the last letter.
bool belongs_to(std::string_view zone, std::string_view region) {
    return zone.size() == region.size() + 1 && zone.starts_with(region) && is_letter(zone.back());
}

// us-west-2-lax-1a, us-east-1-wl1-bos-wlz-1: more than the region's name, after a hyphen.
bool extends(std::string_view name, std::string_view region) {
    return is_name(name) && name.size() > region.size() + 1 && name.starts_with(region) &&
           name[region.size()] == '-';
}

// arn:aws:outposts:us-east-1:111111111111:outpost/op-0123456789abcdef0
bool is_outpost_arn(std::string_view arn, std::string_view region) {
    const std::string start = fmt::format("arn:aws:outposts:{}:", region);
    constexpr std::string_view kMiddle = ":outpost/op-";
    constexpr std::size_t kAccountDigits = 12;
    constexpr std::size_t kIdDigits = 17;
    if (arn.size() != start.size() + kAccountDigits + kMiddle.size() + kIdDigits ||
        !arn.starts_with(start)) {
        return false;
    }
    arn.remove_prefix(start.size());
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    const auto hex = [&](char c) { return digit(c) || (c >= 'a' && c <= 'f'); };
    const std::string_view id = arn.substr(arn.size() - kIdDigits);
    return std::all_of(arn.begin(), arn.begin() + kAccountDigits, digit) &&
           arn.substr(kAccountDigits, kMiddle.size()) == kMiddle &&
           std::all_of(id.begin(), id.end(), hex);
}

class Reader {
  public:
    Result<Region> region(const json& object, const std::string& where) {
        TRY(check_members(object, where, {"name", "endpoint", "optInStatus", "zones", "outposts"}));
        Region region;
        TRY_ASSIGN(region.name, text_of(object, "name", where + ".name"));
        if (!is_name(region.name)) {
            return wrong_config(
                where + ".name",
                fmt::format("'{}' is not a name of lower-case letters, digits and hyphens",
                            region.name));
        }
        TRY(unique(region.name, where + ".name"));
        region.endpoint = "ec2." + region.name + ".amazonaws.com";
        if (object.contains("endpoint")) {
            TRY_ASSIGN(region.endpoint, text_of(object, "endpoint", where + ".endpoint"));
            if (!is_host(region.endpoint)) {
                return wrong_config(where + ".endpoint", "must be a host name");
            }
        }
        if (object.contains("optInStatus")) {
            TRY_ASSIGN(region.opt_in,
                       one_of<OptInStatus>(object, "optInStatus", where + ".optInStatus"));
        }
        const std::string zones_at = where + ".zones";
        TRY_ASSIGN(const json* zones, list_of(object, "zones", zones_at, kMaxZonesPerRegion));
        for (std::size_t i = 0; i < zones->size(); ++i) {
            TRY_ASSIGN(region.zones.emplace_back(),
                       zone((*zones)[i], region.name, fmt::format("{}[{}]", zones_at, i)));
        }
        TRY(check_zones(region, zones_at));
        if (object.contains("outposts")) {
            const std::string outposts_at = where + ".outposts";
            TRY_ASSIGN(const json* outposts,
                       list_of(object, "outposts", outposts_at, kMaxOutpostsPerRegion));
            for (std::size_t i = 0; i < outposts->size(); ++i) {
                TRY_ASSIGN(region.outposts.emplace_back(),
                           outpost((*outposts)[i], region, fmt::format("{}[{}]", outposts_at, i)));
            }
        }
        return region;
    }

  private:
    Result<Zone> zone(const json& object, const std::string& region, const std::string& where) {
        TRY(check_members(
            object, where,
            {"name", "id", "type", "group", "groupLongName", "networkBorderGroup", "parent"}));
        Zone zone;
        TRY_ASSIGN(zone.name, text_of(object, "name", where + ".name"));
        if (object.contains("type")) {
            TRY_ASSIGN(zone.type, one_of<ZoneType>(object, "type", where + ".type"));
        }
        TRY(check_zone_name(zone, region, where + ".name"));
        TRY(groups_of(object, zone, region, where));
        TRY_ASSIGN(zone.id, text_of(object, "id", where + ".id"));
        if (!is_name(zone.id)) {
            return wrong_config(
                where + ".id",
                fmt::format("'{}' is not a name of lower-case letters, digits and hyphens",
                            zone.id));
        }
        TRY(unique(zone.name, where + ".name"));
        TRY(unique(zone.id, where + ".id"));
        return zone;
    }

    static Status check_zone_name(const Zone& zone, const std::string& region,
                                  const std::string& where) {
        if (!zone.wants_opt_in() && !belongs_to(zone.name, region)) {
            return wrong_config(where,
                                fmt::format("'{}' must be the region's name and one lower-case "
                                            "letter, as {}a",
                                            zone.name, region));
        }
        if (zone.wants_opt_in() && !extends(zone.name, region)) {
            return wrong_config(where,
                                fmt::format("'{}' must be the region's name, a hyphen and more, as "
                                            "{}-lax-1a",
                                            zone.name, region));
        }
        if (zone.is_local() && !is_letter(zone.name.back())) {
            return wrong_config(where, fmt::format("'{}' must end in a letter", zone.name));
        }
        return ok();
    }

    // What only zones have that accounts opt in to.
    static Status groups_of(const json& object, Zone& zone, const std::string& region,
                            const std::string& where) {
        if (!zone.wants_opt_in()) {
            for (const char* name : {"group", "groupLongName", "networkBorderGroup", "parent"}) {
                if (object.contains(name)) {
                    return wrong_config(where + "." + name, "an availability zone has none");
                }
            }
            zone.group = zone.border_group = region;
            return ok();
        }
        TRY_ASSIGN(zone.parent, text_of(object, "parent", where + ".parent"));
        if (object.contains("group") || !zone.is_local()) {
            TRY_ASSIGN(zone.group, text_of(object, "group", where + ".group"));
        } else {
            zone.group = zone.name.substr(0, zone.name.size() - 1);
        }
        zone.border_group = zone.group;
        if (object.contains("networkBorderGroup")) {
            TRY_ASSIGN(zone.border_group,
                       text_of(object, "networkBorderGroup", where + ".networkBorderGroup"));
        }
        for (const auto& [name, member] : {std::pair(&zone.group, ".group"),
                                           std::pair(&zone.border_group, ".networkBorderGroup")}) {
            if (!extends(*name, region)) {
                return wrong_config(
                    where + member,
                    fmt::format("'{}' must be the region's name, a hyphen and more", *name));
            }
        }
        if (object.contains("groupLongName")) {
            TRY_ASSIGN(zone.group_long_name,
                       text_of(object, "groupLongName", where + ".groupLongName"));
            if (zone.group_long_name.size() > kMaxLongName) {
                return wrong_config(where + ".groupLongName",
                                    fmt::format("has more than {} bytes", kMaxLongName));
            }
        }
        return ok();
    }

    // What can be said of the zones once all are known.
    static Status check_zones(const Region& region, const std::string& where) {
        if (region.zones.front().wants_opt_in()) {
            return wrong_config(where + "[0].type", "the first zone must be an availability zone");
        }
        for (std::size_t i = 0; i < region.zones.size(); ++i) {
            const Zone& zone = region.zones[i];
            if (zone.wants_opt_in() && !is_availability_zone(region, zone.parent)) {
                return wrong_config(
                    fmt::format("{}[{}].parent", where, i),
                    fmt::format("'{}' is no availability zone of {}", zone.parent, region.name));
            }
            for (std::size_t j = 0; j < i; ++j) {
                if (region.zones[j].group == zone.group && region.zones[j].type != zone.type) {
                    return wrong_config(fmt::format("{}[{}].group", where, i),
                                        fmt::format("'{}' has zones of another type", zone.group));
                }
            }
        }
        return ok();
    }

    static bool is_availability_zone(const Region& region, const std::string& name) {
        return std::any_of(region.zones.begin(), region.zones.end(), [&](const Zone& zone) {
            return zone.name == name && !zone.wants_opt_in();
        });
    }

    Result<Outpost> outpost(const json& object, const Region& region, const std::string& where) {
        TRY(check_members(object, where, {"arn", "zone"}));
        Outpost outpost;
        TRY_ASSIGN(outpost.arn, text_of(object, "arn", where + ".arn"));
        if (!is_outpost_arn(outpost.arn, region.name)) {
            return wrong_config(
                where + ".arn",
                fmt::format("'{}' must be as arn:aws:outposts:{}:111111111111:outpost/"
                            "op-0123456789abcdef0",
                            outpost.arn, region.name));
        }
        TRY_ASSIGN(outpost.zone, text_of(object, "zone", where + ".zone"));
        if (!is_availability_zone(region, outpost.zone)) {
            return wrong_config(where + ".zone", fmt::format("'{}' is no availability zone of {}",
                                                             outpost.zone, region.name));
        }
        TRY(unique(outpost.arn, where + ".arn"));
        return outpost;
    }

    template <class E>
    static Result<E> one_of(const json& object, const char* name, const std::string& where) {
        TRY_ASSIGN(const std::string text, text_of(object, name, where));
        if (const auto value = model::parse<E>(text)) {
            return *value;
        }
        std::string words;
        for (const auto& entry : enum_names(E{})) {
            words += (words.empty() ? "" : ", ") + std::string(entry.name);
        }
        return wrong_config(where, fmt::format("'{}' is none of {}", text, words));
    }

    Status unique(const std::string& name, const std::string& where) {
        if (!names_.insert(name).second) {
            return wrong_config(where, fmt::format("'{}' is used twice", name));
        }
        return ok();
    }

    std::set<std::string> names_;  // of regions, zones and outposts, and the zones' ids
};

}  // namespace

Result<Topology> parse_topology(std::string_view text) {
    TRY(check_config(text));
    const json document = json::parse(text);
    TRY(check_members(document, "the document", {"regions"}));
    TRY_ASSIGN(const json* list, list_of(document, "regions", "regions", kMaxRegions));
    Reader reader;
    std::vector<Region> regions;
    for (std::size_t i = 0; i < list->size(); ++i) {
        TRY_ASSIGN(regions.emplace_back(),
                   reader.region((*list)[i], fmt::format("regions[{}]", i)));
    }
    if (!regions.front().enabled()) {  // the one a new profile names
        return wrong_config("regions[0].optInStatus",
                            "the first region must be one that can be used");
    }
    return Topology(std::move(regions));
}

Result<Topology> load_topology(const std::string& path) {
    TRY_ASSIGN(const std::string text, read_file(path, kMaxConfigBytes), "topology file");
    TRY_ASSIGN(auto topology, parse_topology(text), "topology file " + path);
    return topology;
}

}  // namespace kiln::control
