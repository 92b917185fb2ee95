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

// Clients take the region of a zone to be its name without the last letter.
bool belongs_to(std::string_view zone, std::string_view region) {
    return zone.size() == region.size() + 1 && zone.starts_with(region) && zone.back() >= 'a' &&
           zone.back() <= 'z';
}

class Reader {
  public:
    Result<Region> region(const json& object, const std::string& where) {
        TRY(check_members(object, where, {"name", "endpoint", "zones"}));
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
        const std::string zones_at = where + ".zones";
        TRY_ASSIGN(const json* zones, list_of(object, "zones", zones_at, kMaxZonesPerRegion));
        for (std::size_t i = 0; i < zones->size(); ++i) {
            TRY_ASSIGN(region.zones.emplace_back(),
                       zone((*zones)[i], region.name, fmt::format("{}[{}]", zones_at, i)));
        }
        return region;
    }

  private:
    Result<Zone> zone(const json& object, const std::string& region, const std::string& where) {
        TRY(check_members(object, where, {"name", "id"}));
        Zone zone;
        TRY_ASSIGN(zone.name, text_of(object, "name", where + ".name"));
        if (!belongs_to(zone.name, region)) {
            return wrong_config(
                where + ".name",
                fmt::format("'{}' must be the region's name and one lower-case letter, as "
                            "{}a",
                            zone.name, region));
        }
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

    Status unique(const std::string& name, const std::string& where) {
        if (!names_.insert(name).second) {
            return wrong_config(where, fmt::format("'{}' is used twice", name));
        }
        return ok();
    }

    std::set<std::string> names_;  // of regions and zones, and the zones' ids
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
    return Topology(std::move(regions));
}

Result<Topology> load_topology(const std::string& path) {
    TRY_ASSIGN(const std::string text, read_file(path, kMaxConfigBytes), "topology file");
    TRY_ASSIGN(auto topology, parse_topology(text), "topology file " + path);
    return topology;
}

}  // namespace kiln::control
