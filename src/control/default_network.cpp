// SPDX-License-Identifier: Apache-2.0
#include "control/default_network.h"

#include "control/region_settings.h"
#include "model/cidr.h"
#include "util/check.h"

namespace kiln::control {
namespace {

constexpr model::Ipv4Cidr kVpcRange{0xAC1F0000U, 16};  // 172.31.0.0/16, as Amazon's
constexpr unsigned kSubnetPrefix = 20;

Result<std::optional<model::Vpc>> find_vpc(catalog::Transaction& tx, const Caller& caller) {
    catalog::VpcQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    query.is_default = true;
    TRY_ASSIGN(auto vpcs, tx.vpcs().list(query));
    if (vpcs.empty()) {
        return std::optional<model::Vpc>();
    }
    return std::optional<model::Vpc>(std::move(vpcs.front()));
}

Result<std::vector<model::Subnet>> subnets_of(catalog::Transaction& tx, const model::VpcId& vpc) {
    catalog::SubnetQuery query;
    query.vpc = vpc;
    return tx.subnets().list(query);
}

const model::Subnet* default_of_zone(const std::vector<model::Subnet>& subnets,
                                     const std::string& zone) {
    const auto found =
        std::find_if(subnets.begin(), subnets.end(), [&](const model::Subnet& subnet) {
            return subnet.default_for_zone && subnet.availability_zone == zone;
        });
    return found == subnets.end() ? nullptr : &*found;
}

bool goes_without(const model::Vpc& vpc, const std::string& zone) {
    const auto& zones = vpc.zones_without_subnet;
    return std::find(zones.begin(), zones.end(), zone) != zones.end();
}

bool overlap(const model::Ipv4Cidr& a, const model::Ipv4Cidr& b) {
    return a.contains(b.address) || b.contains(a.address);
}

Result<std::optional<model::SecurityGroup>> find_group(catalog::Transaction& tx,
                                                       const model::VpcId& vpc) {
    catalog::SecurityGroupQuery query;
    query.vpc = vpc;
    query.names = {kDefaultGroupName};
    TRY_ASSIGN(auto groups, tx.security_groups().list(query));
    if (groups.empty()) {
        return std::optional<model::SecurityGroup>();
    }
    return std::optional<model::SecurityGroup>(std::move(groups.front()));
}

Result<model::Vpc> make_vpc(catalog::Transaction& tx, const Parts& parts, const Caller& caller) {
    model::Vpc vpc;
    vpc.id = model::make_id<model::VpcId>(parts.rng);
    vpc.owner_id = caller.account;
    vpc.region = caller.region;
    vpc.cidr = model::format_cidr(kVpcRange);
    vpc.is_default = true;
    vpc.created = parts.clock.now();
    TRY(tx.vpcs().insert(vpc));
    return vpc;
}

// The first /20 of the VPC of which no subnet has a part. A zone that left the topology keeps its
// range.
std::string free_range(const std::vector<model::Subnet>& taken) {
    for (std::uint32_t i = 0; i < kMaxZonesPerRegion; ++i) {
        const std::uint32_t step = i << (32 - kSubnetPrefix);
        const model::Ipv4Cidr range{kVpcRange.address + step, kSubnetPrefix};
        const bool used = std::any_of(taken.begin(), taken.end(), [&](const model::Subnet& subnet) {
            const auto other = model::parse_ipv4_cidr(subnet.cidr);
            return other && overlap(*other, range);
        });
        if (!used) {
            return model::format_cidr(range);
        }
    }
    return {};
}

Result<model::Subnet> make_subnet(catalog::Transaction& tx, const Parts& parts,
                                  const model::Vpc& vpc, const Zone& zone, std::string range,
                                  const std::vector<model::Subnet>& taken) {
    model::Subnet subnet;
    subnet.id = model::make_id<model::SubnetId>(parts.rng);
    subnet.vpc_id = vpc.id;
    subnet.owner_id = vpc.owner_id;
    subnet.region = vpc.region;
    subnet.availability_zone = zone.name;
    subnet.availability_zone_id = zone.id;
    subnet.cidr = std::move(range);
    subnet.default_for_zone = true;
    subnet.map_public_ip = true;
    // Lists go by time: this one in the order of the zones, though all are made at once.
    subnet.created = UnixMillis{parts.clock.now().value + static_cast<std::int64_t>(taken.size())};
    TRY(tx.subnets().insert(subnet));
    return subnet;
}

}  // namespace

Result<model::SecurityGroup> make_default_group(catalog::Transaction& tx, const Parts& parts,
                                                const model::Vpc& vpc) {
    model::SecurityGroup group;
    group.id = model::make_id<model::SecurityGroupId>(parts.rng);
    group.owner_id = vpc.owner_id;
    group.region = vpc.region;
    group.vpc_id = vpc.id;
    group.name = kDefaultGroupName;
    group.description = "default VPC security group";
    group.created = parts.clock.now();
    model::SecurityGroupRule members;  // SG-1: from each other everything
    members.id = model::make_id<model::SecurityGroupRuleId>(parts.rng);
    members.protocol = model::kAllProtocols;
    members.referenced_group = group.id;
    group.rules = {members, allow_all_egress(parts.rng)};
    TRY(tx.security_groups().insert(group));
    return group;
}

Result<model::SecurityGroup> default_group(catalog::Transaction& tx, const model::VpcId& vpc) {
    TRY_ASSIGN(auto group, find_group(tx, vpc));
    if (!group) {
        return Error(Code::data_loss, vpc.str() + " has no default security group");
    }
    return std::move(*group);
}

Error no_default_vpc() {
    return Error::api(Code::failed_precondition, "VPCIdNotSpecified",
                      "No default VPC for this user");
}

Status choose_default_network(catalog::Transaction& tx, const Parts& parts, const Caller& caller,
                              bool none) {
    TRY_ASSIGN(auto settings, region_settings(tx, caller.account, caller.region));
    settings.no_default_vpc = none;
    return save_region_settings(tx, std::move(settings), parts.clock.now());
}

std::uint32_t usable_in_default_subnet() {
    return (1U << (32 - kSubnetPrefix)) - kReservedAtStart - kReservedAtEnd;
}

model::SecurityGroupRule allow_all_egress(io::Rng& rng) {
    model::SecurityGroupRule rule;
    rule.id = model::make_id<model::SecurityGroupRuleId>(rng);
    rule.egress = true;
    rule.protocol = model::kAllProtocols;
    rule.cidr_ipv4 = "0.0.0.0/0";
    return rule;
}

Result<std::optional<DefaultNetwork>> find_default_network(catalog::Transaction& tx,
                                                           const Parts& parts,
                                                           const Caller& caller) {
    using Found = std::optional<DefaultNetwork>;
    const Region* region = parts.topology.find(caller.region);
    INVARIANT_MSG(region != nullptr, "the door refuses unknown regions");
    TRY_ASSIGN(auto vpc, find_vpc(tx, caller));
    if (!vpc) {
        TRY_ASSIGN(const auto settings, region_settings(tx, caller.account, caller.region));
        return settings.no_default_vpc ? Result<Found>(no_default_vpc()) : Found();
    }
    DefaultNetwork network;
    network.vpc = std::move(*vpc);
    TRY_ASSIGN(const auto subnets, subnets_of(tx, network.vpc.id));
    for (const Zone& zone : region->zones) {
        if (zone.wants_opt_in()) {
            continue;  // as EC2: whoever wants a subnet there makes it
        }
        const model::Subnet* subnet = default_of_zone(subnets, zone.name);
        if (subnet != nullptr) {
            network.subnets.push_back(*subnet);
        } else if (!goes_without(network.vpc, zone.name)) {
            return Found();
        }
    }
    TRY_ASSIGN(auto group, find_group(tx, network.vpc.id));
    if (!group) {
        return Found();
    }
    network.group = std::move(*group);
    return Found(std::move(network));
}

Result<DefaultNetwork> ensure_default_network(catalog::Transaction& tx, const Parts& parts,
                                              const Caller& caller) {
    TRY_ASSIGN(auto complete, find_default_network(tx, parts, caller));
    if (complete) {
        return std::move(*complete);
    }
    DefaultNetwork network;
    TRY_ASSIGN(auto vpc, find_vpc(tx, caller));
    if (vpc) {
        network.vpc = std::move(*vpc);
    } else {
        TRY_ASSIGN(network.vpc, make_vpc(tx, parts, caller));
    }
    TRY_ASSIGN(auto subnets, subnets_of(tx, network.vpc.id));
    for (const Zone& zone : parts.topology.find(caller.region)->zones) {
        if (zone.wants_opt_in()) {
            continue;
        }
        if (const model::Subnet* known = default_of_zone(subnets, zone.name)) {
            network.subnets.push_back(*known);
            continue;
        }
        if (goes_without(network.vpc, zone.name)) {
            continue;
        }
        std::string range = free_range(subnets);
        if (range.empty()) {
            network.vpc.zones_without_subnet.push_back(zone.name);
            TRY(tx.vpcs().update(network.vpc));
            continue;
        }
        TRY_ASSIGN(const model::Subnet made,
                   make_subnet(tx, parts, network.vpc, zone, std::move(range), subnets));
        subnets.push_back(made);
        network.subnets.push_back(made);
    }
    TRY_ASSIGN(auto group, find_group(tx, network.vpc.id));
    if (group) {
        network.group = std::move(*group);
    } else {
        TRY_ASSIGN(network.group, make_default_group(tx, parts, network.vpc));
    }
    return network;
}

Result<DefaultNetwork> default_network(const Parts& parts, const Caller& caller) {
    TRY_ASSIGN(auto known, parts.store.read([&](catalog::Transaction& tx) {
        return find_default_network(tx, parts, caller);
    }));
    if (known) {
        return std::move(*known);
    }
    return parts.store.run(
        [&](catalog::Transaction& tx) { return ensure_default_network(tx, parts, caller); });
}

Status make_default_network(const Parts& parts, const Caller& caller) {
    const auto made = default_network(parts, caller);
    if (!made && made.error().api_code() != "VPCIdNotSpecified") {
        return made.error();
    }
    return ok();
}

}  // namespace kiln::control
