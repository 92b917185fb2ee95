// SPDX-License-Identifier: Apache-2.0
// FrameFilter decides what becomes of each frame of one guest and which frames may reach it:
// the guest's identity (nobody else's MAC or address), the services at fixed addresses, security
// groups, and the addresses that no guest may reach through us.
//
// Security groups are stateful: what one side was allowed to begin, the other may answer. ARP,
// DHCP, the resolver and the metadata service are not subject to them, as in EC2; the API is, as an
// address of the outside. Of IP only TCP,
// UDP and echo requests leave the guest, unfragmented; the network stack behind can carry nothing
// else. Between instances of a VPC echo replies and ICMP errors about known flows pass as well; the
// sender's filter has let them out by its rules, the receiver's lets them in by its own.
//
// A client on this host appears to the guest as its router (the stack translates loopback addresses
// so), or through a tunnel as the tunnel's host address; the ingress rules that mean such clients
// are found by matches_local_client(). All others appear through a tunnel with their own address.
//
// Thread model: one owner thread. Time comes from the caller.
#pragma once

#include "compute/network/config.h"
#include "compute/network/flow_table.h"
#include "compute/network/frame.h"
#include "compute/network/neighbours.h"

namespace kiln::compute {

class FrameFilter {
  public:
    enum class Route {
        drop,
        arp,        // a request for an address of ours
        dhcp,       // to the DHCP service
        metadata,   // TCP to the metadata service
        api,        // TCP to the API
        uplink,     // to the network stack
        neighbour,  // to the instance that has the destination's address
        tunnel,     // an answer to what came by the tunnel
    };

    explicit FrameFilter(const GuestNetworkSpec& spec);

    // The rules in force from now on. Known flows stay.
    void set_rules(const GuestNetworkRules& rules);
    // The host's own addresses, which the guest may not reach and which tell local clients.
    void set_host_addresses(std::vector<Ipv4> addresses);

    // Addresses that reach other instances of this host by tunnels: refused to the guest as well,
    // since to those it would appear as this host.
    void set_tunnelled(std::vector<Ipv4> addresses);

    // Who else is in the VPC. Flows with an instance that is gone end.
    void set_neighbours(Neighbours neighbours);
    const Neighbours& neighbours() const { return neighbours_; }
    // The station that ARP finds for an address of Route::arp.
    Mac station_of(Ipv4 address) const;

    Route from_guest(ByteView frame, FlowTable::Time now);
    // `frame` comes from the network stack, metadata answers already translated.
    bool to_guest(ByteView frame, FlowTable::Time now);
    // `frame` comes from the process of another instance, which runs as user `sender`. The station
    // that the guest is to see it come from, when it may.
    std::optional<Mac> from_neighbour(ByteView frame, uid_t sender, FlowTable::Time now);
    // What came by the tunnel, already addressed to the guest's own address; whether it may have
    // it.
    bool from_tunnel(ByteView frame, FlowTable::Time now);

  private:
    Route route_ip(ByteView frame, const Ipv4Packet& packet, FlowTable::Time now);
    bool passes_out(const Ipv4Packet& packet, FlowTable::Time now);
    bool passes_to_neighbour(ByteView frame, const Ipv4Packet& packet, FlowTable::Time now);
    bool passes_from_neighbour(ByteView frame, const Ipv4Packet& packet, FlowTable::Time now);
    bool passes_to_tunnel(ByteView frame, const Ipv4Packet& packet, FlowTable::Time now);
    bool may_come_by_tunnel(Ipv4 source) const;
    const Neighbour* neighbour(Ipv4 address) const;
    bool names(const TrafficRule& rule, Ipv4 address) const;
    bool refused_destination(Ipv4 address) const;
    bool may_send(const Ipv4Packet& packet) const;
    bool may_receive(const Ipv4Packet& packet, bool local) const;

    const Mac mac_;
    const Ipv4 address_;
    const Ipv4 router_;
    const Ipv4 dns_;
    const Cidr subnet_;
    const Cidr network_;
    const bool api_;  // there is one to reach
    GuestNetworkRules rules_;
    const std::optional<TunnelSpec> tunnel_;
    std::vector<Ipv4> host_addresses_;
    std::vector<Ipv4> tunnelled_;
    Neighbours neighbours_;
    FlowTable flows_;
    // Begun from outside through the tunnel; their answers take no other way, and nothing else
    // takes that one.
    FlowTable tunnel_flows_;
};

// Whether `rule` covers the packet's protocol and port (TCP, UDP: the destination's; ICMP: type and
// code); its peer is the caller's to compare.
bool covers(const TrafficRule& rule, const Ipv4Packet& packet);

}  // namespace kiln::compute
