// SPDX-License-Identifier: Apache-2.0
#include "control/topology_file.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <set>

#include "control/default_network.h"
#include "util/fs.h"

namespace kiln::control {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxFileBytes = 1U << 20;
constexpr std::size_t kMaxRegions = 100;
constexpr std::size_t kMaxNameLength = 64;
constexpr std::size_t kMaxEndpointLength = 253;  // of a host name
constexpr int kMaxDepth = 8;                     // a topology is five deep

Error wrong(const std::string& where, std::string_view what) {
    return Error(Code::invalid_argument, fmt::format("{}: {}", where, what));
}

std::string position(std::string_view text, std::size_t byte) {
    const std::string_view before = text.substr(0, std::min(byte == 0 ? 0 : byte - 1, text.size()));
    const auto line = std::count(before.begin(), before.end(), '\n') + 1;
    const auto start = before.rfind('\n');
    const std::size_t column = before.size() - (start == before.npos ? 0 : start + 1) + 1;
    return fmt::format("line {}, column {}", line, column);
}

// Watches the library parse: it would silently keep the last of two members of one name, and nest
// as deep as the file says.
class Watch {
  public:
    bool operator()(int depth, json::parse_event_t event, json& parsed) {
        if (event == json::parse_event_t::object_start) {
            open_.emplace_back();
        } else if (event == json::parse_event_t::object_end) {
            open_.pop_back();
        } else if (event == json::parse_event_t::key) {
            const auto& name = parsed.get_ref<const std::string&>();
            if (!open_.back().insert(name).second && trouble_.empty()) {
                trouble_ = fmt::format("the member '{}' stands twice in one object", name);
            }
        }
        if (depth > kMaxDepth && trouble_.empty()) {
            trouble_ = "it is nested too deep";
        }
        return true;
    }
    const std::string& trouble() const { return trouble_; }

  private:
    std::vector<std::set<std::string>> open_;
    std::string trouble_;
};

Result<json> parse_json(std::string_view text) {
    Watch watch;
    json document;
    // The library says where a text breaks off only by an exception.
    try {
        document = json::parse(text, std::ref(watch));
    } catch (const json::parse_error& error) {
        return wrong(position(text, error.byte), "this is not JSON");
    }
    if (!watch.trouble().empty()) {
        return Error(Code::invalid_argument, watch.trouble());
    }
    return document;
}

Status check_members(const json& object, const std::string& where,
                     std::initializer_list<std::string_view> known) {
    if (!object.is_object()) {
        return wrong(where, "must be an object");
    }
    for (const auto& [name, value] : object.items()) {
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            return wrong(where, fmt::format("has an unknown member '{}'", name));
        }
    }
    return ok();
}

Result<const json*> list_of(const json& object, const char* name, const std::string& where,
                            std::size_t max) {
    const auto found = object.find(name);
    if (found == object.end()) {
        return wrong(where, "is missing");
    }
    if (!found->is_array() || found->empty()) {
        return wrong(where, "must be a list with at least one entry");
    }
    if (found->size() > max) {
        return wrong(where,
                     fmt::format("has {} entries; at most {} are possible", found->size(), max));
    }
    return &*found;
}

Result<std::string> text_of(const json& object, const char* name, const std::string& where) {
    const auto found = object.find(name);
    if (found == object.end()) {
        return wrong(where, "is missing");
    }
    if (!found->is_string()) {
        return wrong(where, "must be a text");
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
            return wrong(where + ".name",
                         fmt::format("'{}' is not a name of lower-case letters, digits and hyphens",
                                     region.name));
        }
        TRY(unique(region.name, where + ".name"));
        region.endpoint = "ec2." + region.name + ".amazonaws.com";
        if (object.contains("endpoint")) {
            TRY_ASSIGN(region.endpoint, text_of(object, "endpoint", where + ".endpoint"));
            if (!is_host(region.endpoint)) {
                return wrong(where + ".endpoint", "must be a host name");
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
            return wrong(where + ".name",
                         fmt::format("'{}' must be the region's name and one lower-case letter, as "
                                     "{}a",
                                     zone.name, region));
        }
        TRY_ASSIGN(zone.id, text_of(object, "id", where + ".id"));
        if (!is_name(zone.id)) {
            return wrong(where + ".id",
                         fmt::format("'{}' is not a name of lower-case letters, digits and hyphens",
                                     zone.id));
        }
        TRY(unique(zone.name, where + ".name"));
        TRY(unique(zone.id, where + ".id"));
        return zone;
    }

    Status unique(const std::string& name, const std::string& where) {
        if (!names_.insert(name).second) {
            return wrong(where, fmt::format("'{}' is used twice", name));
        }
        return ok();
    }

    std::set<std::string> names_;  // of regions and zones, and the zones' ids
};

}  // namespace

Result<Topology> parse_topology(std::string_view text) {
    TRY_ASSIGN(const json document, parse_json(text));
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
    TRY_ASSIGN(const std::string text, read_file(path, kMaxFileBytes), "topology file");
    TRY_ASSIGN(auto topology, parse_topology(text), "topology file " + path);
    return topology;
}

}  // namespace kiln::control
