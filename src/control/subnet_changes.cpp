// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/default_network.h"
#include "control/network_changes.h"
#include "control/zones.h"
#include "model/cidr.h"

namespace kiln::control {
namespace {

constexpr unsigned kWidestPrefix = 16;  // NET-16
constexpr unsigned kNarrowestPrefix = 28;

Error subnet_error(const char* code, const std::string& cidr, const char* what) {
    return Error::api(Code::invalid_argument, code, fmt::format("The CIDR '{}' {}", cidr, what));
}

// The zone that is named; without a name that of the outpost, or the region's first.
Result<Zone> zone_for(catalog::Transaction& tx, const Parts& parts, const Caller& caller,
                      const CreateSubnetInput& input) {
    TRY_ASSIGN(const auto zones, usable_zones(tx, parts.topology, caller));
    if (input.zone.empty() && input.zone_id.empty()) {
        if (input.outpost_arn.empty()) {
            return zones.front();
        }
        TRY_ASSIGN(const Outpost outpost,
                   parts.topology.outpost(caller.region, input.outpost_arn, "outpostArn"));
        return parts.topology.zone(caller.region, outpost.zone);
    }
    for (const Zone& zone : zones) {
        if ((input.zone.empty() || zone.name == input.zone) &&
            (input.zone_id.empty() || zone.id == input.zone_id)) {
            return zone;
        }
    }
    std::string names;
    for (const Zone& zone : zones) {
        names += (names.empty() ? "" : ", ") + zone.name;
    }
    return errors::invalid_parameter_value(fmt::format(
        "Value ({}) for parameter {} is invalid. Subnets can currently only be created in the "
        "following availability zones: {}.",
        input.zone.empty() ? input.zone_id : input.zone,
        input.zone.empty() ? "availabilityZoneId" : "availabilityZone", names));
}

// NET-16: within the VPC, clear of its other subnets.
Status check_range(catalog::Transaction& tx, const model::Vpc& vpc, const model::Ipv4Cidr& range,
                   const std::string& text) {
    const auto whole = model::parse_ipv4_cidr(vpc.cidr);
    if (!whole) {
        return Error(Code::data_loss, "the range of " + vpc.id.str() + " is not readable");
    }
    if (range.prefix < kWidestPrefix || range.prefix > kNarrowestPrefix ||
        range.prefix < whole->prefix || !whole->contains(range.address)) {
        return subnet_error("InvalidSubnet.Range", text, "is invalid.");
    }
    catalog::SubnetQuery query;
    query.vpc = vpc.id;
    TRY_ASSIGN(const auto others, tx.subnets().list(query));
    if (others.size() >= kMaxSubnetsPerVpc) {
        return Error::api(Code::resource_exhausted, "SubnetLimitExceeded",
                          "The maximum number of subnets has been reached.");
    }
    for (const model::Subnet& other : others) {
        const auto taken = model::parse_ipv4_cidr(other.cidr);
        if (!taken || taken->contains(range.address) || range.contains(taken->address)) {
            return subnet_error("InvalidSubnet.Conflict", text, "conflicts with another subnet");
        }
    }
    return ok();
}

// Stopped instances have their addresses too; terminated ones have none (NET-6).
Result<bool> has_instances(catalog::Transaction& tx, const model::SubnetId& id) {
    catalog::InstanceQuery query;
    query.subnet = id;
    TRY_ASSIGN(const auto instances, tx.instances().list(query));
    return std::any_of(instances.begin(), instances.end(),
                       [](const model::Instance& instance) { return has_interface(instance); });
}

}  // namespace

Result<SubnetView> NetworkChanges::create_subnet(const Caller& caller,
                                                 const CreateSubnetInput& input) {
    TRY(check_tag_specifications(input.tags, {"subnet"}));
    const auto range = model::parse_ipv4_cidr(input.cidr);
    if (!range) {
        return errors::invalid_parameter_value(fmt::format(
            "Value ({}) for parameter cidrBlock is invalid. This is not a valid CIDR block.",
            input.cidr));
    }
    if (!input.zone.empty() && !input.zone_id.empty()) {  // REG-2
        return errors::invalid_parameter_combination(
            "AvailabilityZone and AvailabilityZoneId may not be given together.");
    }
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<SubnetView> {
        TRY_ASSIGN(const Zone zone, zone_for(tx, parts_, caller, input));
        TRY(check_outpost(parts_.topology, caller, zone, input.outpost_arn));
        TRY_ASSIGN(const model::Vpc vpc, find_own_vpc(tx, caller, input.vpc));
        TRY(check_range(tx, vpc, *range, input.cidr));
        SubnetView view;
        view.tags = tags_for(input.tags, "subnet");
        model::Subnet& subnet = view.subnet;
        subnet.id = model::make_id<model::SubnetId>(parts_.rng);
        subnet.vpc_id = vpc.id;
        subnet.owner_id = caller.account;
        subnet.region = caller.region;
        subnet.availability_zone = zone.name;
        subnet.availability_zone_id = zone.id;
        subnet.outpost_arn = input.outpost_arn;
        subnet.cidr = model::format_cidr(*range);
        subnet.created = parts_.clock.now();
        view.available_addresses = usable_addresses(subnet);
        TRY(tx.subnets().insert(subnet));
        TRY(put_tags(tx, caller, "subnet", subnet.id.str(), view.tags));
        if (input.dry_run) {
            return errors::dry_run();  // rolls everything back
        }
        return view;
    });
}

Status NetworkChanges::delete_subnet(const Caller& caller, const model::SubnetId& id,
                                     bool dry_run) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const model::Subnet subnet, find_own_subnet(tx, caller, id));
        TRY_ASSIGN(const bool used, has_instances(tx, id));
        if (used) {
            return Error::api(
                Code::failed_precondition, "DependencyViolation",
                fmt::format("The subnet '{}' has dependencies and cannot be deleted.", id.str()));
        }
        if (subnet.default_for_zone) {  // NET-15: none is made anew
            TRY_ASSIGN(model::Vpc vpc, tx.vpcs().get(subnet.vpc_id));
            vpc.zones_without_subnet.push_back(subnet.availability_zone);
            TRY(tx.vpcs().update(vpc));
        }
        TRY(tx.tags().erase_resource(id.str()));
        TRY(tx.subnets().erase(id));
        return dry_run ? Status(errors::dry_run()) : ok();
    });
}

Status NetworkChanges::modify_subnet(const Caller& caller, const model::SubnetId& id,
                                     std::optional<bool> map_public_ip) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::Subnet subnet, find_own_subnet(tx, caller, id));
        subnet.map_public_ip = map_public_ip.value_or(subnet.map_public_ip);
        return tx.subnets().update(subnet);
    });
}

}  // namespace kiln::control
