// SPDX-License-Identifier: Apache-2.0
#include "compute/network/frame_filter.h"

#include <algorithm>

namespace kiln::compute {
namespace {

// A busy server has a few thousand connections; one entry takes about 150 bytes.
constexpr std::size_t kMaxFlows = 16384;
constexpr std::uint16_t kDnsPort = 53;
constexpr std::uint16_t kHttpPort = 80;
constexpr std::uint16_t kDhcpServerPort = 67;
constexpr std::uint16_t kDhcpClientPort = 68;

// Networks that are never beyond the uplink: this network, loopback, link-local, multicast and
// above.
constexpr Cidr kNowhere[] = {{{0}, 8}, kLoopbackNetwork, {{0xa9fe0000}, 16}, {{0xe0000000}, 3}};

FlowKey flow_from_guest(const Ipv4Packet& packet) {
    return {packet.protocol, packet.destination, packet.destination_port, packet.source_port};
}

// An echo reply carries its identifier where the request did.
FlowKey flow_to_guest(const Ipv4Packet& packet) {
    if (packet.protocol == kIcmp) {
        return {packet.protocol, packet.source, 0, packet.source_port};
    }
    return {packet.protocol, packet.source, packet.source_port, packet.destination_port};
}

bool is_icmp_error(const Ipv4Packet& packet) {
    constexpr std::uint8_t kErrors[] = {3, 11, 12};  // unreachable, time exceeded, bad parameter
    return packet.protocol == kIcmp &&
           std::find(std::begin(kErrors), std::end(kErrors), packet.icmp_type) != std::end(kErrors);
}

}  // namespace

bool covers(const TrafficRule& rule, const Ipv4Packet& packet) {
    if (rule.protocol == TrafficRule::kAll) {
        return true;
    }
    if (rule.protocol != packet.protocol) {
        return false;
    }
    if (packet.protocol == kIcmp) {
        return (rule.from == TrafficRule::kAll || rule.from == packet.icmp_type) &&
               (rule.to == TrafficRule::kAll || rule.to == packet.icmp_code);
    }
    return rule.from == TrafficRule::kAll ||
           (rule.from <= packet.destination_port && packet.destination_port <= rule.to);
}

FrameFilter::FrameFilter(const GuestNetworkSpec& spec)
    : mac_(spec.mac),
      address_(spec.address),
      router_(spec.router),
      dns_(spec.dns),
      network_(spec.network),
      rules_(spec.rules),
      flows_(kMaxFlows) {}

void FrameFilter::set_rules(const GuestNetworkRules& rules) {
    rules_ = rules;
}

void FrameFilter::set_host_addresses(std::vector<Ipv4> addresses) {
    host_addresses_ = std::move(addresses);
}

FrameFilter::Route FrameFilter::from_guest(ByteView frame, FlowTable::Time now) {
    if (frame.size() > kMaxFrameBytes || source_mac(frame) != mac_) {
        return Route::drop;
    }
    if (const auto arp = parse_arp_request(frame)) {
        // A client that probes an address before taking it has none yet.
        const bool own =
            arp->sender_mac == mac_ && (arp->sender == address_ || arp->sender == Ipv4{});
        const bool ours =
            arp->target == router_ || arp->target == dns_ || arp->target == kMetadataAddress;
        return own && ours ? Route::arp : Route::drop;
    }
    const auto packet = parse_ipv4(frame);
    if (!packet || packet->fragment || !packet->has_ports) {
        return Route::drop;
    }
    return route_ip(*packet, now);
}

FrameFilter::Route FrameFilter::route_ip(const Ipv4Packet& packet, FlowTable::Time now) {
    const bool dhcp = packet.protocol == kUdp && packet.source_port == kDhcpClientPort &&
                      packet.destination_port == kDhcpServerPort &&
                      (packet.destination == kBroadcastAddress || packet.destination == router_);
    if (dhcp && (packet.source == address_ || packet.source == Ipv4{})) {
        return Route::dhcp;
    }
    if (packet.source != address_) {
        return Route::drop;
    }
    if (packet.destination == kMetadataAddress) {
        const bool http = packet.protocol == kTcp && packet.destination_port == kHttpPort;
        return http ? Route::metadata : Route::drop;
    }
    const bool echo = packet.protocol == kIcmp && packet.icmp_type == kEchoRequest;
    if (packet.protocol == kIcmp && !echo) {
        return Route::drop;
    }
    if (packet.destination == router_) {
        // As the router the guest sees clients on this host; it may only answer them.
        const bool answer = !echo && flows_.touch(flow_from_guest(packet), now);
        return echo || answer ? Route::uplink : Route::drop;
    }
    if (packet.destination == dns_) {
        // The stack leads every port of this address to the host's resolver, which may well be a
        // loopback address: nothing but DNS may pass.
        return echo || packet.destination_port == kDnsPort ? Route::uplink : Route::drop;
    }
    if (refused_destination(packet.destination)) {
        return Route::drop;
    }
    const FlowKey flow = flow_from_guest(packet);
    if (flows_.touch(flow, now)) {
        return Route::uplink;
    }
    if (!may_send(packet)) {
        return Route::drop;
    }
    flows_.insert(flow, now);
    return Route::uplink;
}

bool FrameFilter::to_guest(ByteView frame, FlowTable::Time now) {
    const auto packet = parse_ipv4(frame);
    if (!packet || packet->destination != address_) {
        return false;
    }
    if (packet->source == kMetadataAddress || packet->source == dns_) {
        return true;
    }
    // The stack sends fragments and errors in answer to the guest alone; none carries the ports.
    if (packet->fragment || is_icmp_error(*packet)) {
        return true;
    }
    if (!packet->has_ports) {
        return false;
    }
    if (packet->protocol == kIcmp && packet->icmp_type == kEchoReply && packet->source == router_) {
        return true;
    }
    const FlowKey flow = flow_to_guest(*packet);
    if (flows_.touch(flow, now)) {
        return true;
    }
    if (!may_receive(*packet)) {
        return false;
    }
    flows_.insert(flow, now);
    return true;
}

bool FrameFilter::refused_destination(Ipv4 address) const {
    const auto contains = [address](const Cidr& cidr) { return cidr.contains(address); };
    return std::any_of(std::begin(kNowhere), std::end(kNowhere), contains) ||
           network_.contains(address) ||
           std::any_of(rules_.blocked.begin(), rules_.blocked.end(), contains) ||
           std::find(host_addresses_.begin(), host_addresses_.end(), address) !=
               host_addresses_.end();
}

bool FrameFilter::may_send(const Ipv4Packet& packet) const {
    return std::any_of(rules_.egress.begin(), rules_.egress.end(), [&](const TrafficRule& rule) {
        return rule.peer.contains(packet.destination) && covers(rule, packet);
    });
}

bool FrameFilter::may_receive(const Ipv4Packet& packet) const {
    const bool local = packet.source == router_;
    return std::any_of(rules_.ingress.begin(), rules_.ingress.end(), [&](const TrafficRule& rule) {
        const bool peer = local ? matches_local_client(rule.peer, host_addresses_)
                                : rule.peer.contains(packet.source);
        return peer && covers(rule, packet);
    });
}

}  // namespace kiln::compute
