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

// Of an echo both directions have the same flow: the reply carries the request's identifier.
FlowKey echo_flow(Ipv4 remote, const Ipv4Packet& packet, std::uint8_t type_when_guest_asked) {
    const bool guest_asked = packet.icmp_type == type_when_guest_asked;
    return {packet.protocol, remote, static_cast<std::uint16_t>(guest_asked ? 0 : 1),
            packet.source_port};
}

FlowKey flow_from_guest(const Ipv4Packet& packet) {
    if (packet.protocol == kIcmp) {
        return echo_flow(packet.destination, packet, kEchoRequest);
    }
    return {packet.protocol, packet.destination, packet.destination_port, packet.source_port};
}

FlowKey flow_to_guest(const Ipv4Packet& packet) {
    if (packet.protocol == kIcmp) {
        return echo_flow(packet.source, packet, kEchoReply);
    }
    return {packet.protocol, packet.source, packet.source_port, packet.destination_port};
}

bool is_echo(const Ipv4Packet& packet) {
    return packet.icmp_type == kEchoRequest || packet.icmp_type == kEchoReply;
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
      subnet_(spec.subnet),
      network_(spec.network),
      api_(!spec.api_socket.empty()),
      rules_(spec.rules),
      tunnel_(spec.tunnel),
      flows_(kMaxFlows),
      tunnel_flows_(kMaxFlows) {}

void FrameFilter::set_rules(const GuestNetworkRules& rules) {
    rules_ = rules;
}

void FrameFilter::set_host_addresses(std::vector<Ipv4> addresses) {
    host_addresses_ = std::move(addresses);
}

void FrameFilter::set_tunnelled(std::vector<Ipv4> addresses) {
    tunnelled_ = std::move(addresses);
}

void FrameFilter::set_neighbours(Neighbours neighbours) {
    flows_.forget([&](Ipv4 remote) {
        const Neighbour* before = neighbours_.find(remote);
        const Neighbour* after = neighbours.find(remote);
        return before != nullptr && (after == nullptr || after->id != before->id);
    });
    neighbours_ = std::move(neighbours);
}

const Neighbour* FrameFilter::neighbour(Ipv4 address) const {
    const bool ours = address == address_ || address == router_ || address == dns_;
    return ours || !network_.contains(address) ? nullptr : neighbours_.find(address);
}

Mac FrameFilter::station_of(Ipv4 address) const {
    const Neighbour* other = subnet_.contains(address) ? neighbour(address) : nullptr;
    return other != nullptr ? other->mac : router_mac(router_);
}

FrameFilter::Route FrameFilter::from_guest(ByteView frame, FlowTable::Time now) {
    if (frame.size() > kMaxFrameBytes || source_mac(frame) != mac_) {
        return Route::drop;
    }
    if (const auto arp = parse_arp_request(frame)) {
        // A client that probes an address before taking it has none yet.
        const bool own =
            arp->sender_mac == mac_ && (arp->sender == address_ || arp->sender == Ipv4{});
        const bool ours = arp->target == router_ || arp->target == dns_ ||
                          arp->target == kMetadataAddress || (api_ && arp->target == kApiAddress) ||
                          (subnet_.contains(arp->target) && neighbour(arp->target) != nullptr);
        return own && ours ? Route::arp : Route::drop;
    }
    const auto packet = parse_ipv4(frame);
    if (!packet || packet->fragment || !packet->has_ports) {
        return Route::drop;
    }
    return route_ip(frame, *packet, now);
}

FrameFilter::Route FrameFilter::route_ip(ByteView frame, const Ipv4Packet& packet,
                                         FlowTable::Time now) {
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
    if (api_ && packet.destination == kApiAddress) {
        const bool http = packet.protocol == kTcp && packet.destination_port == kHttpPort;
        return http && passes_out(packet, now) ? Route::api : Route::drop;
    }
    if (neighbour(packet.destination) != nullptr) {
        return passes_to_neighbour(frame, packet, now) ? Route::neighbour : Route::drop;
    }
    if (passes_to_tunnel(frame, packet, now)) {
        return Route::tunnel;
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
    return passes_out(packet, now) ? Route::uplink : Route::drop;
}

// Of a flow that is known, or one that the egress rules let begin.
bool FrameFilter::passes_out(const Ipv4Packet& packet, FlowTable::Time now) {
    const FlowKey flow = flow_from_guest(packet);
    if (flows_.touch(flow, now)) {
        return true;
    }
    if (!may_send(packet)) {
        return false;
    }
    flows_.insert(flow, now);
    return true;
}

bool FrameFilter::to_guest(ByteView frame, FlowTable::Time now) {
    const auto packet = parse_ipv4(frame);
    if (!packet || packet->destination != address_) {
        return false;
    }
    if (packet->source == kMetadataAddress || packet->source == dns_) {
        return true;
    }
    if (packet->source == kApiAddress) {
        return packet->has_ports && flows_.touch(flow_to_guest(*packet), now);
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
    if (!may_receive(*packet, packet->source == router_)) {
        return false;
    }
    flows_.insert(flow, now);
    return true;
}

bool FrameFilter::passes_to_neighbour(ByteView frame, const Ipv4Packet& packet,
                                      FlowTable::Time now) {
    if (is_icmp_error(packet)) {
        // About something that its receiver sent to the guest.
        const auto quoted = parse_quoted(frame, packet);
        return quoted && quoted->source == packet.destination && quoted->destination == address_ &&
               flows_.touch(flow_to_guest(*quoted), now);
    }
    if (packet.protocol == kIcmp && !is_echo(packet)) {
        return false;
    }
    return passes_out(packet, now);
}

std::optional<Mac> FrameFilter::from_neighbour(ByteView frame, uid_t sender, FlowTable::Time now) {
    const auto packet = parse_ipv4(frame);
    if (frame.size() > kMaxFrameBytes || !packet || packet->fragment || !packet->has_ports ||
        packet->destination != address_) {
        return std::nullopt;
    }
    const Neighbour* from = neighbour(packet->source);
    if (from == nullptr || (from->user && *from->user != sender) ||
        !passes_from_neighbour(frame, *packet, now)) {
        return std::nullopt;
    }
    return station_of(packet->source);
}

bool FrameFilter::passes_from_neighbour(ByteView frame, const Ipv4Packet& packet,
                                        FlowTable::Time now) {
    if (is_icmp_error(packet)) {
        const auto quoted = parse_quoted(frame, packet);
        return quoted && quoted->source == address_ && quoted->destination == packet.source &&
               flows_.touch(flow_from_guest(*quoted), now);
    }
    if (packet.protocol == kIcmp && !is_echo(packet)) {
        return false;
    }
    const FlowKey flow = flow_to_guest(packet);
    if (flows_.touch(flow, now)) {
        return true;
    }
    if (!may_receive(packet, /*local=*/false)) {
        return false;
    }
    flows_.insert(flow, now);
    return true;
}

// What is nobody's beyond the tunnel would be taken for a neighbour or a service by rules and
// guest.
bool FrameFilter::may_come_by_tunnel(Ipv4 source) const {
    return tunnel_ && source != tunnel_->address && !network_.contains(source) &&
           std::none_of(std::begin(kNowhere), std::end(kNowhere),
                        [source](const Cidr& cidr) { return cidr.contains(source); });
}

bool FrameFilter::from_tunnel(ByteView frame, FlowTable::Time now) {
    const auto packet = parse_ipv4(frame);
    if (frame.size() > kMaxFrameBytes || !packet || packet->fragment || !packet->has_ports ||
        packet->destination != address_ || !may_come_by_tunnel(packet->source)) {
        return false;
    }
    if (is_icmp_error(*packet)) {
        // Of any router on the way, about an answer of the guest.
        const auto quoted = parse_quoted(frame, *packet);
        return quoted && quoted->source == address_ &&
               tunnel_flows_.touch(flow_from_guest(*quoted), now);
    }
    if (packet->protocol == kIcmp && packet->icmp_type != kEchoRequest) {
        return false;  // also replies: the guest's own requests go another way
    }
    const FlowKey flow = flow_to_guest(*packet);
    if (tunnel_flows_.touch(flow, now)) {
        return true;
    }
    const bool local = std::find(host_addresses_.begin(), host_addresses_.end(), packet->source) !=
                       host_addresses_.end();
    if (!may_receive(*packet, local)) {
        return false;
    }
    tunnel_flows_.insert(flow, now);
    return true;
}

bool FrameFilter::passes_to_tunnel(ByteView frame, const Ipv4Packet& packet, FlowTable::Time now) {
    if (is_icmp_error(packet)) {
        const auto quoted = parse_quoted(frame, packet);
        return quoted && quoted->source == packet.destination && quoted->destination == address_ &&
               tunnel_flows_.touch(flow_to_guest(*quoted), now);
    }
    if (packet.protocol == kIcmp && packet.icmp_type != kEchoReply) {
        return false;
    }
    // Else a server on the port a client once used would be reached as long as the flow is known.
    const bool begins =
        packet.protocol == kTcp && (packet.tcp_flags & (kTcpSyn | kTcpAck)) == kTcpSyn;
    return !begins && tunnel_flows_.touch(flow_from_guest(packet), now);
}

bool FrameFilter::names(const TrafficRule& rule, Ipv4 address) const {
    return rule.group.empty() ? rule.peer.contains(address)
                              : neighbours_.is_member(rule.group, address);
}

bool FrameFilter::refused_destination(Ipv4 address) const {
    const auto contains = [address](const Cidr& cidr) { return cidr.contains(address); };
    const auto among = [address](const std::vector<Ipv4>& list) {
        return std::find(list.begin(), list.end(), address) != list.end();
    };
    return std::any_of(std::begin(kNowhere), std::end(kNowhere), contains) ||
           network_.contains(address) ||
           std::any_of(rules_.blocked.begin(), rules_.blocked.end(), contains) ||
           among(host_addresses_) || among(tunnelled_);
}

bool FrameFilter::may_send(const Ipv4Packet& packet) const {
    return std::any_of(rules_.egress.begin(), rules_.egress.end(), [&](const TrafficRule& rule) {
        return covers(rule, packet) && names(rule, packet.destination);
    });
}

bool FrameFilter::may_receive(const Ipv4Packet& packet, bool local) const {
    return std::any_of(rules_.ingress.begin(), rules_.ingress.end(), [&](const TrafficRule& rule) {
        return covers(rule, packet) && (local ? matches_local_client(rule.peer, host_addresses_)
                                              : names(rule, packet.source));
    });
}

}  // namespace kiln::compute
