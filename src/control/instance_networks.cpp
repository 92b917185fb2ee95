// SPDX-License-Identifier: Apache-2.0
#include "control/instance_networks.h"

#include <algorithm>

#include "compute/network/config.h"
#include "control/effective_rules.h"
#include "control/metadata_facts.h"
#include "util/fs.h"
#include "util/log.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::chrono::seconds kTellTime{10};
// What Amazon keeps of a subnet and of a VPC: the router is its first address, the resolver its
// second.
constexpr std::uint32_t kRouterOffset = 1;
constexpr std::uint32_t kResolverOffset = 2;
constexpr std::pair<std::string_view, int> kProtocols[] = {
    {"icmp", 1}, {"tcp", 6}, {"udp", 17}, {"-1", compute::TrafficRule::kAll}};

bool has_ports(int protocol) {
    return protocol == 1 || protocol == 6 || protocol == 17;
}

// Nothing for what the network does not carry: IPv6.
std::optional<compute::TrafficRule> traffic_rule(const EffectiveRule& rule) {
    const auto peer = rule.group.empty() ? compute::Cidr::parse(rule.cidr)
                                         : Result<compute::Cidr>(compute::kNobody);
    if (!peer || rule.protocol == "icmpv6") {
        return std::nullopt;
    }
    compute::TrafficRule out;
    out.peer = *peer;
    out.group = rule.group;
    const auto* named =
        std::find_if(std::begin(kProtocols), std::end(kProtocols),
                     [&](const auto& known) { return known.first == rule.protocol; });
    out.protocol =
        named != std::end(kProtocols) ? named->second : parse_int<int>(rule.protocol).value_or(255);
    if (has_ports(out.protocol)) {
        out.from = rule.from;
        out.to = rule.to;
    }
    return out;
}

std::vector<compute::TrafficRule> traffic_rules(const std::vector<EffectiveRule>& rules) {
    std::vector<compute::TrafficRule> out;
    for (const EffectiveRule& rule : rules) {
        if (const auto made = traffic_rule(rule)) {
            out.push_back(*made);
        }
    }
    return out;
}

Result<std::optional<compute::Ipv4>> public_address_of(const model::Instance& instance) {
    if (instance.public_ip.empty()) {
        return std::optional<compute::Ipv4>();
    }
    TRY_ASSIGN(const compute::Ipv4 address, compute::Ipv4::parse(instance.public_ip));
    return std::optional(address);
}

}  // namespace

std::string InstanceNetworks::directory(const model::InstanceId& id) const {
    return parts_.settings.instances_directory + "/" + id.str();
}

std::string InstanceNetworks::runtime_directory(const model::InstanceId& id) const {
    return parts_.settings.runtime_directory + "/" + id.str();
}

std::string InstanceNetworks::neighbours_file(const model::VpcId& vpc) const {
    return parts_.settings.runtime_directory + "/" + vpc.str() + ".json";
}

Result<compute::GuestNetworkRules> InstanceNetworks::rules_of(const model::Instance& instance) {
    TRY_ASSIGN(const EffectiveRules effective, parts_.store.read([&](catalog::Transaction& tx) {
        return load_effective_rules(tx, instance);
    }));
    compute::GuestNetworkRules rules;
    rules.ingress = traffic_rules(effective.ingress);
    rules.egress = traffic_rules(effective.egress);
    rules.metadata_hop_limit = instance.metadata_options.hop_limit;
    TRY_ASSIGN(const auto address, public_address_of(instance));
    if (address && compute::kLoopbackNetwork.contains(*address)) {
        rules.public_address = address;
    }
    if (const auto pool = addresses_.pool()) {
        // Guests would appear there as this host.
        rules.blocked.push_back(*pool);
    }
    return rules;
}

Result<compute::GuestNetworkSpec> InstanceNetworks::spec_of(const model::Instance& instance) {
    TRY_ASSIGN(const Place place, parts_.store.read([&](catalog::Transaction& tx) -> Result<Place> {
        Place found;
        TRY_ASSIGN(found.subnet, tx.subnets().get(instance.subnet_id));
        TRY_ASSIGN(found.vpc, tx.vpcs().get(instance.vpc_id));
        return found;
    }));
    compute::GuestNetworkSpec spec;
    spec.id = machine_id(instance.id);
    TRY_ASSIGN(spec.mac, compute::Mac::parse(instance.mac));
    TRY_ASSIGN(spec.address, compute::Ipv4::parse(instance.private_ip));
    TRY_ASSIGN(spec.subnet, compute::Cidr::parse(place.subnet.cidr));
    TRY_ASSIGN(spec.network, compute::Cidr::parse(place.vpc.cidr));
    spec.router = {spec.subnet.base.value + kRouterOffset};
    spec.dns = {spec.network.base.value + kResolverOffset};
    const std::string name = private_dns_name(instance);
    const auto dot = name.find('.');
    spec.hostname = name.substr(0, dot);
    spec.domain = name.substr(dot + 1);
    spec.directory = directory(instance.id);
    spec.runtime_directory = runtime_directory(instance.id);
    spec.nic_socket = spec.runtime_directory + "/nic.sock";
    spec.metadata_socket = spec.runtime_directory + "/metadata.sock";
    spec.api_socket = spec.runtime_directory + "/api.sock";
    spec.neighbours_file = neighbours_file(instance.vpc_id);
    TRY_ASSIGN(const auto public_address, public_address_of(instance));
    spec.tunnel = public_address ? addresses_.tunnel_of(*public_address) : std::nullopt;
    TRY_ASSIGN(spec.rules, rules_of(instance));
    return spec;
}

// STP-2: a public address is had from one start to the next stop.
Result<model::Instance> InstanceNetworks::give_public_address(const model::InstanceId& id) {
    std::optional<compute::Ipv4> taken;
    auto given = parts_.store.run([&](catalog::Transaction& tx) -> Result<model::Instance> {
        TRY_ASSIGN(model::Instance instance, tx.instances().get(id));
        TRY_ASSIGN(const auto before, public_address_of(instance));
        const bool has_one = before && addresses_.serves(*before);
        if (has_one || instance.no_public_ip || instance.subnet_id.empty()) {
            return instance;
        }
        if (!taken) {  // the transaction may be run again
            TRY_ASSIGN(taken, addresses_.take());
        }
        instance.public_ip = taken->text();
        TRY(tx.instances().update(instance));
        return instance;
    });
    if (taken && (!given || given->public_ip != taken->text())) {
        addresses_.give_back(*taken);
    }
    return given;
}

Status InstanceNetworks::open_services(const compute::GuestNetworkSpec& spec) {
    const model::InstanceId id(spec.id.str());
    TRY(metadata_.open(id, spec.metadata_socket, networks_.user_of(spec.id)));
    return api_.open(id, spec.api_socket, networks_.user_of(spec.id));
}

Status InstanceNetworks::start_network(const compute::GuestNetworkSpec& spec, Deadline deadline) {
    TRY(make_directories(spec.directory, 0700));
    TRY(make_directories(spec.runtime_directory, 0711));
    TRY(open_services(spec));
    Status started = networks_.start(spec, deadline);
    if (!started && started.error().code() == Code::failed_precondition) {
        // Of an earlier attempt, before the rules changed.
        TRY(networks_.stop(spec.id, spec.directory, deadline));
        started = networks_.start(spec, deadline);
    }
    return started;
}

Result<std::optional<compute::NicSpec>> InstanceNetworks::start(const model::InstanceId& id,
                                                                Deadline deadline) {
    using Nic = std::optional<compute::NicSpec>;
    TRY_ASSIGN(const model::Instance instance, give_public_address(id));
    if (instance.network_interface_id.empty()) {
        return Nic();
    }
    TRY_ASSIGN(const compute::GuestNetworkSpec spec, spec_of(instance));
    TRY(start_network(spec, deadline), "start the network of " + id.str());
    {
        MutexLock lock(telling_);
        ended_.erase(id);
    }
    // What changed while it started was told to nobody.
    instance_changed(id);
    return Nic(compute::NicSpec{.id = "nic0", .mac = spec.mac.text(), .socket = spec.nic_socket});
}

Status InstanceNetworks::stop(const model::InstanceId& id, Deadline deadline) {
    const Status stopped = networks_.stop(machine_id(id), directory(id), deadline);
    metadata_.close(id);
    api_.close(id);
    if (stopped) {
        leave_neighbours(id);
    } else {
        MutexLock lock(telling_);
        neighbourhoods_.reset();  // whether it has a network is for its row to say
    }
    return stopped;
}

void InstanceNetworks::give_back(const std::string& public_ip) {
    if (const auto address = compute::Ipv4::parse(public_ip)) {
        addresses_.give_back(*address);
    }
}

Status InstanceNetworks::adopt(const model::Instance& instance, Deadline deadline) {
    if (const auto address = compute::Ipv4::parse(instance.public_ip)) {
        addresses_.hold(*address);
    }
    if (instance.network_interface_id.empty() ||
        instance.state == model::InstanceState::pending) {  // its launch goes on by itself
        return ok();
    }
    TRY_ASSIGN(const compute::GuestNetworkSpec spec, spec_of(instance));
    TRY(open_services(spec));
    tell_of_vpc(instance.vpc_id);
    const Status adopted = networks_.adopt(spec.id, spec.directory, deadline);
    if (!adopted && adopted.error().code() == Code::not_found) {
        return start_network(spec, deadline);
    }
    TRY(adopted);
    return networks_.update(spec.id, spec.rules, deadline);
}

void InstanceNetworks::group_changed(const model::SecurityGroupId& group) {
    const auto instances = parts_.store.read([&](catalog::Transaction& tx) {
        catalog::InstanceQuery query;
        query.states = model::states_with_machine();
        return tx.instances().list(query);
    });
    if (!instances) {
        log_error("network", "rules of " + group.str() +
                                 " are not in force yet: " + instances.error().to_string());
        return;
    }
    for (const model::Instance& instance : *instances) {
        const auto& groups = instance.security_groups;
        if (std::find(groups.begin(), groups.end(), group) != groups.end()) {
            MutexLock lock(telling_);
            tell_rules(instance.id);
        }
    }
}

void InstanceNetworks::instance_changed(const model::InstanceId& id) {
    MutexLock lock(telling_);
    const auto instance = tell_rules(id);
    if (instance && !instance->vpc_id.empty()) {
        tell_neighbours(instance->vpc_id);
    }
}

std::optional<model::Instance> InstanceNetworks::tell_rules(const model::InstanceId& id) {
    std::optional<model::Instance> found;
    const Status told = [&]() -> Status {
        TRY_ASSIGN(const model::Instance instance, parts_.store.read([&](catalog::Transaction& tx) {
            return tx.instances().get(id);
        }));
        found = instance;
        TRY_ASSIGN(const auto rules, rules_of(instance));
        return networks_.update(machine_id(id), rules, Deadline::after(kTellTime));
    }();
    if (found) {
        know(*found);
    }
    // Without a network nothing is to be told: its start reads the rules.
    if (!told && told.error().code() != Code::not_found) {
        log_error("network",
                  "rules of " + id.str() + " are not in force yet: " + told.error().to_string());
    }
    return found;
}

Result<std::optional<compute::PortForward>> InstanceNetworks::forward_of(
    const model::Instance& instance, std::uint16_t port, Deadline deadline) {
    TRY_ASSIGN(const auto network, status(instance.id, deadline));
    for (const compute::PortForward& forward : network.forwards) {
        if (forward.guest_port == port && forward.port != 0) {
            return std::optional(forward);
        }
    }
    if (!network.tunnel) {
        return std::optional<compute::PortForward>();
    }
    TRY_ASSIGN(const auto rules, rules_of(instance));
    if (!compute::opens_to_local_clients(rules.ingress, port, compute::host_addresses())) {
        return std::optional<compute::PortForward>();
    }
    return std::optional(compute::PortForward{port, network.tunnel->address, port, true});
}

Result<compute::GuestNetworkStatus> InstanceNetworks::status(const model::InstanceId& id,
                                                             Deadline deadline) {
    return networks_.status(machine_id(id), deadline);
}

}  // namespace kiln::control
