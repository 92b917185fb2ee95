// SPDX-License-Identifier: Apache-2.0
#include "control/topology.h"

#include <fmt/format.h>

#include "control/api_errors.h"

namespace kiln::control {
namespace {

Region make_region(const std::string& name, const std::string& id_prefix,
                   std::string_view letters) {
    Region region{name, "ec2." + name + ".amazonaws.com", {}};
    int number = 1;
    for (char letter : letters) {
        Zone& zone = region.zones.emplace_back();
        zone.name = name + letter;
        zone.id = id_prefix + "-az" + std::to_string(number++);
        zone.group = zone.border_group = name;
    }
    return region;
}

}  // namespace

Topology Topology::built_in() {
    return Topology({
        make_region("us-east-1", "use1", "abcdef"),
        make_region("us-east-2", "use2", "abc"),
        make_region("us-west-1", "usw1", "ab"),
        make_region("us-west-2", "usw2", "abcd"),
        make_region("ca-central-1", "cac1", "abc"),
        make_region("sa-east-1", "sae1", "abc"),
        make_region("eu-west-1", "euw1", "abc"),
        make_region("eu-west-2", "euw2", "abc"),
        make_region("eu-west-3", "euw3", "abc"),
        make_region("eu-central-1", "euc1", "abc"),
        make_region("eu-north-1", "eun1", "abc"),
        make_region("ap-south-1", "aps1", "abc"),
        make_region("ap-northeast-1", "apne1", "abc"),
        make_region("ap-northeast-2", "apne2", "abcd"),
        make_region("ap-southeast-1", "apse1", "abc"),
        make_region("ap-southeast-2", "apse2", "abc"),
    });
}

const Region* Topology::find(std::string_view region) const {
    for (const Region& candidate : regions_) {
        if (candidate.name == region) {
            return &candidate;
        }
    }
    return nullptr;
}

const Region* Topology::find_enabled(std::string_view region) const {
    const Region* found = find(region);
    return found != nullptr && found->enabled() ? found : nullptr;
}

Result<Outpost> Topology::outpost(std::string_view region, std::string_view arn,
                                  std::string_view parameter) const {
    if (const Region* found = find(region)) {
        for (const Outpost& outpost : found->outposts) {
            if (outpost.arn == arn) {
                return outpost;
            }
        }
    }
    return errors::invalid_parameter_value(
        fmt::format("Value ({}) for parameter {} is invalid. There is no such outpost in this "
                    "region.",
                    arn, parameter));
}

std::string Topology::zone_id(std::string_view region, std::string_view name) const {
    const auto found = zone(region, name);
    return found ? found->id : std::string();
}

Result<Zone> Topology::zone(std::string_view region, std::string_view name_or_id) const {
    if (const Region* found = find(region)) {
        for (const Zone& zone : found->zones) {
            if (zone.name == name_or_id || zone.id == name_or_id) {
                return zone;
            }
        }
    }
    return Error::api(Code::not_found, "InvalidZone.NotFound",
                      "The zone '" + std::string(name_or_id) + "' does not exist.");
}

}  // namespace kiln::control
