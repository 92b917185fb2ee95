// SPDX-License-Identifier: Apache-2.0
#include "compute/network/config.h"

#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>

#include "compute/qemu/unix_socket.h"

namespace kiln::compute {
namespace {

constexpr std::uint32_t kAliasOffset = 3;
constexpr int kTcp = 6;
constexpr int kUdp = 17;
constexpr int kIcmp = 1;
constexpr int kWidestWholeRange = 64;
constexpr std::array<std::uint16_t, 8> kWellKnownPorts = {22,   80,   443,  3389,
                                                          5985, 5986, 8080, 8443};

Error refuse(std::string_view what) {
    return Error(Code::invalid_argument, "guest network: " + std::string(what));
}

// A host name or domain as DHCP clients put it into files and shells.
bool is_dns_name(std::string_view text, std::size_t max) {
    return !text.empty() && text.size() <= max && std::all_of(text.begin(), text.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-' || c == '.';
    });
}

bool is_socket_path(std::string_view path) {
    return !path.empty() && path[0] == '/' && path.size() <= kMaxSocketPathBytes;
}

bool overlaps(const Cidr& a, const Cidr& b) {
    return a.contains(b) || b.contains(a);
}

Status check_rule(const TrafficRule& rule) {
    if (!rule.group.empty() &&
        (!is_dns_name(rule.group, kMaxGroupNameBytes) || rule.peer != kNobody)) {
        return refuse("bad group in a rule");
    }
    const bool any = rule.from == TrafficRule::kAll && rule.to == TrafficRule::kAll;
    if (rule.protocol < TrafficRule::kAll || rule.protocol > 255) {
        return refuse("bad protocol in a rule");
    }
    if ((rule.protocol == kTcp || rule.protocol == kUdp) && !any &&
        (rule.from < 0 || rule.to > 65535 || rule.from > rule.to)) {
        return refuse("bad ports in a rule");
    }
    if (rule.protocol == kIcmp && (rule.from < TrafficRule::kAll || rule.from > 255 ||
                                   rule.to < TrafficRule::kAll || rule.to > 255)) {
        return refuse("bad ICMP type or code in a rule");
    }
    return ok();
}

Status check_addresses(const GuestNetworkSpec& spec) {
    if (spec.subnet.prefix < 8 || spec.subnet.prefix > 28 || spec.network.prefix < 8) {
        return refuse("the subnet must have 8 to 28 bits, its network at least 8");
    }
    if (!spec.network.contains(spec.subnet) || is_reserved(spec.network)) {
        return refuse("the subnet must lie in a network that is neither loopback nor reserved");
    }
    if (!spec.subnet.contains(spec.address) || !spec.subnet.contains(spec.router) ||
        !spec.network.contains(spec.dns)) {
        return refuse("address and router must lie in the subnet, the resolver in its network");
    }
    std::array<Ipv4, 5> all = {spec.address, spec.router, spec.dns, metadata_alias(spec),
                               api_alias(spec)};
    std::sort(all.begin(), all.end());
    if (std::adjacent_find(all.begin(), all.end()) != all.end()) {
        return refuse(
            "address, router, resolver, the subnet's first and fourth address must differ");
    }
    const std::uint32_t host_bits = ~spec.subnet.mask();
    for (const Ipv4 address : {spec.address, spec.router}) {
        if ((address.value & host_bits) == 0 || (address.value & host_bits) == host_bits) {
            return refuse("the subnet's first and last address are nobody's");
        }
    }
    return ok();
}

Status check_tunnel(const GuestNetworkSpec& spec) {
    if (!spec.tunnel) {
        return ok();
    }
    for (const Ipv4 address : {spec.tunnel->address, spec.tunnel->host}) {
        if (is_reserved({address, 32}) || spec.network.contains(address)) {
            return refuse("the tunnel's addresses must lie outside of the VPC and be usable");
        }
    }
    if (spec.tunnel->address == spec.tunnel->host || spec.rules.public_address) {
        return refuse("a tunnel needs two addresses and excludes a loopback address");
    }
    return ok();
}

}  // namespace

Status check_guest_network_rules(const GuestNetworkRules& rules) {
    if (rules.ingress.size() > kMaxTrafficRules || rules.egress.size() > kMaxTrafficRules ||
        rules.blocked.size() > kMaxBlockedNetworks) {
        return refuse("too many rules");
    }
    for (const auto* list : {&rules.ingress, &rules.egress}) {
        for (const auto& rule : *list) {
            TRY(check_rule(rule));
        }
    }
    if (rules.metadata_hop_limit < 1 || rules.metadata_hop_limit > 64) {
        return refuse("the hop limit must be 1 to 64");
    }
    if (rules.public_address && !kLoopbackNetwork.contains(*rules.public_address)) {
        return refuse("the public address must be a loopback address");
    }
    return ok();
}

bool is_reserved(const Cidr& network) {
    constexpr Cidr kReserved[] = {
        {{0}, 8}, kLoopbackNetwork, {{0xa9fe0000}, 16}, {{0xe0000000}, 3}};
    return std::any_of(std::begin(kReserved), std::end(kReserved),
                       [&](const Cidr& reserved) { return overlaps(reserved, network); });
}

Status check_guest_network(const GuestNetworkSpec& spec) {
    if (spec.id.empty() || spec.id.str().size() > 64) {
        return refuse("bad id");
    }
    if ((spec.mac.bytes[0] & 1) != 0 || spec.mac == Mac{}) {
        return refuse("the Ethernet address must be one station's");
    }
    TRY(check_addresses(spec));
    if (!is_dns_name(spec.hostname, 63) || !is_dns_name(spec.domain, 200)) {
        return refuse("bad host name or domain");
    }
    TRY(check_tunnel(spec));
    if (!is_socket_path(spec.nic_socket) || !is_socket_path(spec.metadata_socket) ||
        (!spec.api_socket.empty() && !is_socket_path(spec.api_socket)) ||
        !is_socket_path(guest_network_control_path(spec.runtime_directory))) {
        return refuse("socket paths must be absolute and have at most 107 bytes");
    }
    if (!spec.neighbours_file.empty() &&
        (spec.neighbours_file[0] != '/' ||
         !is_socket_path(guest_network_peer_path(spec.runtime_directory)))) {
        return refuse("the neighbours' paths must be absolute, that of the socket short");
    }
    if (spec.directory.empty() || spec.directory[0] != '/') {
        return refuse("the directory must be an absolute path");
    }
    return check_guest_network_rules(spec.rules);
}

std::string guest_network_config_path(const std::string& runtime_directory) {
    return runtime_directory + "/network.json";
}

std::string guest_network_control_path(const std::string& runtime_directory) {
    return runtime_directory + "/network.sock";
}

std::string guest_network_peer_path(const std::string& runtime_directory) {
    return runtime_directory + "/peers.sock";
}

Ipv4 metadata_alias(const GuestNetworkSpec& spec) {
    return {spec.subnet.base.value + kAliasOffset};
}

Ipv4 api_alias(const GuestNetworkSpec& spec) {
    return spec.subnet.base;
}

bool matches_local_client(const Cidr& peer, std::span<const Ipv4> host_addresses) {
    return peer.contains(kLoopbackNetwork) ||
           std::any_of(host_addresses.begin(), host_addresses.end(),
                       [&](Ipv4 address) { return peer.contains(address); });
}

bool opens_to_local_clients(std::span<const TrafficRule> ingress, std::uint16_t port,
                            std::span<const Ipv4> host_addresses) {
    return std::any_of(ingress.begin(), ingress.end(), [&](const TrafficRule& rule) {
        const bool any = rule.protocol == TrafficRule::kAll ||
                         (rule.protocol == kTcp && rule.from == TrafficRule::kAll);
        const bool covered = any || (rule.protocol == kTcp && rule.from <= port && port <= rule.to);
        return covered && matches_local_client(rule.peer, host_addresses);
    });
}

std::vector<std::uint16_t> ports_to_forward(std::span<const TrafficRule> ingress,
                                            std::span<const Ipv4> host_addresses) {
    std::vector<std::uint16_t> well_known;
    std::vector<std::uint16_t> others;
    for (const auto& rule : ingress) {
        const bool tcp = rule.protocol == TrafficRule::kAll || rule.protocol == kTcp;
        if (!tcp || !matches_local_client(rule.peer, host_addresses)) {
            continue;
        }
        const bool any = rule.protocol == TrafficRule::kAll || rule.from == TrafficRule::kAll;
        const int from = any ? 1 : std::max(rule.from, 1);
        const int to = any ? 65535 : rule.to;
        for (const std::uint16_t port : kWellKnownPorts) {
            if (port >= from && port <= to) {
                well_known.push_back(port);
            }
        }
        if (to - from < kWidestWholeRange) {
            for (int port = from; port <= to; ++port) {
                others.push_back(static_cast<std::uint16_t>(port));
            }
        }
    }
    const auto sort_unique = [](std::vector<std::uint16_t>& ports) {
        std::sort(ports.begin(), ports.end());
        ports.erase(std::unique(ports.begin(), ports.end()), ports.end());
    };
    sort_unique(others);
    others.resize(std::min(others.size(), kMaxForwards - kWellKnownPorts.size()));
    others.insert(others.end(), well_known.begin(), well_known.end());
    sort_unique(others);
    return others;
}

std::vector<Ipv4> host_addresses() {
    std::vector<Ipv4> found;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return found;
    }
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr != nullptr && entry->ifa_addr->sa_family == AF_INET) {
            sockaddr_in address{};
            std::memcpy(&address, entry->ifa_addr, sizeof address);
            found.push_back({ntohl(address.sin_addr.s_addr)});
        }
    }
    ::freeifaddrs(list);
    return found;
}

}  // namespace kiln::compute
