// SPDX-License-Identifier: Apache-2.0
#include "control/launch_network.h"

#include <fmt/format.h>

#include <array>
#include <set>

#include "control/api_errors.h"
#include "control/default_network.h"
#include "control/networks.h"
#include "control/security_groups.h"
#include "control/zones.h"
#include "model/cidr.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

Result<model::Subnet> choose_subnet(catalog::Transaction& tx, const Parts& parts,
                                    const Caller& caller, const model::SubnetId& wanted,
                                    const std::string& zone_text) {
    Zone zone;
    if (!zone_text.empty()) {
        TRY_ASSIGN(zone, usable_zone(tx, parts.topology, caller, zone_text));
    }
    if (wanted.empty()) {
        TRY_ASSIGN(const DefaultNetwork network, ensure_default_network(tx, parts, caller));
        for (const model::Subnet& subnet : network.subnets) {
            if (zone.name.empty() || subnet.availability_zone == zone.name) {
                return subnet;
            }
        }
        return Error::api(
            Code::failed_precondition, "MissingInput",
            fmt::format("No subnets found for the default VPC '{}'{}. Please specify a subnet.",
                        network.vpc.id.str(), zone.name.empty() ? "" : " in " + zone.name));
    }
    TRY_ASSIGN(auto subnet, find_own_subnet(tx, caller, wanted));
    if (!zone.name.empty() && subnet.availability_zone != zone.name) {
        return errors::invalid_parameter_value(
            fmt::format("The subnet '{}' is in the Availability Zone '{}', not in '{}'.",
                        wanted.str(), subnet.availability_zone, zone.name));
    }
    return subnet;
}

Result<std::set<std::uint32_t>> taken_addresses(catalog::Transaction& tx,
                                                const model::Subnet& subnet) {
    TRY_ASSIGN(const auto addresses, tx.addresses().taken(subnet.id));
    std::set<std::uint32_t> taken;
    for (const std::string& text : addresses) {
        if (const auto address = model::parse_ipv4(text)) {
            taken.insert(*address);
        }
    }
    return taken;
}

Result<std::string> wanted_address(const model::Subnet& subnet, const model::Ipv4Cidr& range,
                                   const std::set<std::uint32_t>& taken, const std::string& text) {
    const auto address = model::parse_ipv4(text);
    if (!address) {
        return errors::invalid_parameter_value(
            fmt::format("Value ({}) for parameter privateIpAddress is invalid.", text));
    }
    const std::uint64_t offset = *address - range.address;
    if (!range.contains(*address) || offset < kReservedAtStart ||
        offset >= range.size() - kReservedAtEnd) {
        return errors::invalid_parameter_value(
            fmt::format("Address {} does not fall within the addresses of the subnet {} that "
                        "instances may have",
                        text, subnet.id.str()));
    }
    if (taken.contains(*address)) {
        return Error::api(Code::already_exists, "InvalidIPAddress.InUse",
                          fmt::format("Address {} is in use.", text));
    }
    return model::format_ipv4(*address);
}

// From a random place on, so that an address is not handed out again as soon as it is free: what
// talks to it would find another machine there.
std::vector<std::string> free_addresses(io::Rng& rng, const model::Subnet& subnet,
                                        const model::Ipv4Cidr& range,
                                        const std::set<std::uint32_t>& taken, std::size_t count) {
    const std::uint32_t usable = usable_addresses(subnet);
    std::vector<std::string> found;
    if (usable == 0) {
        return found;
    }
    const auto start = static_cast<std::uint32_t>(rng.next_u64() % usable);
    for (std::uint32_t i = 0; i < usable && found.size() < count; ++i) {
        const std::uint32_t address = range.address + kReservedAtStart + (start + i) % usable;
        if (!taken.contains(address)) {
            found.push_back(model::format_ipv4(address));
        }
    }
    return found;
}

std::string random_mac(io::Rng& rng) {
    std::array<std::uint8_t, 5> bytes{};
    rng.fill(bytes);
    // 02: made by software, for one machine.
    return fmt::format("02:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2],
                       bytes[3], bytes[4]);
}

}  // namespace

Result<std::vector<model::SecurityGroupId>> find_groups(
    catalog::Transaction& tx, const Parts& parts, const Caller& caller, const model::VpcId& vpc,
    const std::vector<model::SecurityGroupId>& ids, const std::vector<std::string>& names) {
    std::vector<model::SecurityGroupId> found;
    const auto take = [&](const GroupName& name) -> Status {
        TRY_ASSIGN(const model::SecurityGroup group, find_group(tx, parts, caller, name));
        if (group.vpc_id != vpc) {
            return Error::api(Code::invalid_argument, "InvalidParameter",
                              fmt::format("Security group {} and the interface's subnet belong to "
                                          "different networks: {} and {}.",
                                          group.id.str(), group.vpc_id.str(), vpc.str()));
        }
        if (std::find(found.begin(), found.end(), group.id) == found.end()) {
            found.push_back(group.id);
        }
        return ok();
    };
    for (const model::SecurityGroupId& id : ids) {
        TRY(take({id, ""}));
    }
    for (const std::string& name : names) {
        TRY(take({{}, name}));
    }
    if (found.size() > kMaxGroupsPerInterface) {
        return Error::api(Code::resource_exhausted, "SecurityGroupsPerInterfaceLimitExceeded",
                          "The maximum number of security groups per interface has been reached.");
    }
    return found;
}

Status check_interface_description(std::string_view description) {
    constexpr std::size_t kMost = 255;
    if (character_count(description) > kMost) {
        return errors::invalid_parameter_value(
            fmt::format("The description of an interface is limited to {} characters.", kMost));
    }
    return ok();
}

Status check_network(const LaunchNetworkInput& input, std::int64_t max_count) {
    if (!input.private_ip.empty() && max_count > 1) {
        return errors::invalid_parameter_combination(
            "A private address may be given for one instance only; MaxCount must be 1.");
    }
    if (!input.subnet.empty() && !input.group_names.empty()) {
        return errors::invalid_parameter_combination(
            "The parameter groupName cannot be used with the parameter subnet");
    }
    return check_interface_description(input.description);
}

Result<LaunchNetwork> plan_network(catalog::Transaction& tx, const Parts& parts,
                                   const Caller& caller, const LaunchNetworkInput& input,
                                   const std::string& zone, std::size_t min_count,
                                   std::size_t max_count) {
    LaunchNetwork plan;
    TRY_ASSIGN(plan.subnet, choose_subnet(tx, parts, caller, input.subnet, zone));
    plan.description = input.description;
    plan.no_public_ip = !input.public_ip.value_or(plan.subnet.map_public_ip);
    TRY_ASSIGN(plan.groups,
               find_groups(tx, parts, caller, plan.subnet.vpc_id, input.groups, input.group_names));
    if (plan.groups.empty()) {
        TRY_ASSIGN(const auto group, default_group(tx, plan.subnet.vpc_id));
        plan.groups.push_back(group.id);
    }
    const auto range = model::parse_ipv4_cidr(plan.subnet.cidr);
    if (!range) {
        return Error(Code::data_loss, "the range of " + plan.subnet.id.str() + " is not readable");
    }
    TRY_ASSIGN(const auto taken, taken_addresses(tx, plan.subnet));
    if (!input.private_ip.empty()) {
        TRY_ASSIGN(plan.addresses.emplace_back(),
                   wanted_address(plan.subnet, *range, taken, input.private_ip));
        return plan;
    }
    plan.addresses = free_addresses(parts.rng, plan.subnet, *range, taken, max_count);
    if (plan.addresses.size() < min_count) {
        return Error::api(Code::resource_exhausted, "InsufficientFreeAddressesInSubnet",
                          fmt::format("There are not enough free addresses in subnet '{}' to "
                                      "satisfy the requested number of instances.",
                                      plan.subnet.id.str()));
    }
    return plan;
}

void join_network(model::Instance& instance, const LaunchNetwork& network, std::size_t index,
                  io::Rng& rng) {
    instance.availability_zone = network.subnet.availability_zone;
    instance.outpost_arn = network.subnet.outpost_arn;
    instance.vpc_id = network.subnet.vpc_id;
    instance.subnet_id = network.subnet.id;
    instance.security_groups = network.groups;
    instance.no_public_ip = network.no_public_ip;
    instance.interface_description = network.description;
    instance.private_ip = network.addresses[index];
    instance.network_interface_id = model::make_id<model::NetworkInterfaceId>(rng);
    instance.mac = random_mac(rng);
}

Result<std::string> token_scope(catalog::Transaction& tx, const Parts& parts, const Caller& caller,
                                const std::string& zone, const model::SubnetId& subnet) {
    if (!zone.empty()) {
        TRY_ASSIGN(const Zone found, usable_zone(tx, parts.topology, caller, zone));
        return found.name;
    }
    if (!subnet.empty()) {
        TRY_ASSIGN(const model::Subnet found, find_own_subnet(tx, caller, subnet));
        return found.availability_zone;
    }
    return caller.region;
}

}  // namespace kiln::control
