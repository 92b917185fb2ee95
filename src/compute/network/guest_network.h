// SPDX-License-Identifier: Apache-2.0
// GuestNetworks: the network of every instance of one host. Each instance has a small process of
// its own (network/process.h) between its NIC's socket and the world. Like machines, these
// processes outlive the object and the daemon: adopt() takes them over again.
//
//     networks->start(spec, deadline);        // before Hypervisor::start: its DHCP must be there
//     hypervisor.start(machine, deadline);    // NicSpec{.mac = spec.mac, .socket =
//     spec.nic_socket} networks->update(id, rules, deadline);  // a rule or the hop limit changed;
//     guests notice nothing networks->status(id, deadline);         // where port 22 is reached:
//     DescribeInstances, kiln ssh hypervisor.kill(id, deadline); networks->stop(id, spec.directory,
//     deadline);
//
// After a restart of the daemon: bind the metadata sockets, then adopt(id, directory) for every
// instance whose machine lives. A process that ends while its network is known is started again at
// once (then ever later, up to five seconds apart, if it keeps ending); a guest's connections break
// then, its address and new connections do not.
//
// Errors: not_found (nothing known of that id), invalid_argument (the specification; nothing was
// changed), failed_precondition (started already with another specification), unavailable and
// deadline_exceeded (the process does not answer; its configuration is written and will be read).
//
// Thread-safe and blocking. No call may be in progress at destruction.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "compute/hypervisor.h"
#include "compute/network/address.h"

namespace kiln::compute {

// One line of a security group.
struct TrafficRule {
    static constexpr int kAll = -1;
    int protocol = kAll;  // 1 ICMP, 6 TCP, 17 UDP; others are accepted and match nothing
    // TCP and UDP: ports. ICMP: from is the type, to the code. kAll in both: any.
    int from = kAll;
    int to = kAll;
    Cidr peer;  // where a packet comes from (ingress) or goes to (egress)
    // When not empty the other side are the neighbours in this group, and `peer` is kNobody.
    std::string group{};

    friend bool operator==(const TrafficRule&, const TrafficRule&) = default;
};

// What may change under a running guest.
struct GuestNetworkRules {
    std::vector<TrafficRule> ingress;
    std::vector<TrafficRule> egress;
    // A connection to the metadata service is reset when false. (An instance whose endpoint is
    // `disabled` gets 403 from the service itself and has this true.)
    bool metadata_enabled = true;
    unsigned metadata_hop_limit = 1;  // the IP TTL of metadata replies (IMDS-3), 1 to 64
    // The instance's own loopback address, which `ingress` opens ports of; nothing: no inbound but
    // by a tunnel.
    std::optional<Ipv4> public_address;
    // Never reached by the guest, whatever `egress` says. Loopback, link-local and multicast
    // addresses, the VPC and this host's own addresses are refused besides.
    std::vector<Cidr> blocked;

    friend bool operator==(const GuestNetworkRules&, const GuestNetworkRules&) = default;
};

// An instance whose network runs, as the others of its VPC see it.
struct Neighbour {
    MachineId id;
    Ipv4 address;
    Mac mac;
    std::string socket;               // guest_network_peer_path()
    std::vector<std::string> groups;  // security groups
    std::optional<uid_t> user{};      // its process's; nothing: ours. set_neighbours() fills it in

    friend bool operator==(const Neighbour&, const Neighbour&) = default;
};

// A public address that the host has a device for, so that every port of it is the guest's
// (tunnel.h).
struct TunnelSpec {
    Ipv4 address;  // the guest's
    Ipv4 host;     // as which clients on this host appear

    friend bool operator==(const TunnelSpec&, const TunnelSpec&) = default;
};

struct GuestNetworkSpec {
    MachineId id;
    Mac mac;       // the NIC's, and what the metadata say
    Ipv4 address;  // private
    Cidr subnet;   // `address` and `router` lie in it; its fourth address (base + 3) stays unused
    Cidr network;  // the VPC's: traffic to it never leaves the host
    Ipv4 router;
    Ipv4 dns;                // in `network`; answered by the host's resolver
    std::string hostname;    // DHCP, e.g. "ip-172-31-5-10"
    std::string domain;      // DHCP, e.g. "ec2.internal"
    std::string nic_socket;  // NicSpec::socket: the machine listens, we connect
    // Must be listening when start() and adopt() are called (they give it to the process's user),
    // with a backlog of at least 64.
    std::string metadata_socket;
    // The same for the API (kApiAddress); empty: it is not reached.
    std::string api_socket{};
    std::string directory;          // durable: process record, log. Made if absent.
    std::string runtime_directory;  // short, for the control socket and the configuration
    // Where set_neighbours() writes who else is in the VPC; empty: nobody is reached.
    std::string neighbours_file{};
    // Takes CAP_NET_ADMIN to start. Then rules.public_address is empty.
    std::optional<TunnelSpec> tunnel{};
    GuestNetworkRules rules;

    friend bool operator==(const GuestNetworkSpec&, const GuestNetworkSpec&) = default;
};

// A port of the guest and where it is reached on this host.
struct PortForward {
    std::uint16_t guest_port = 0;
    Ipv4 address;
    std::uint16_t port = 0;        // 0: could not be bound at all
    bool bound_as_wanted = false;  // port == guest_port

    friend bool operator==(const PortForward&, const PortForward&) = default;
};

struct TunnelStatus {
    Ipv4 address;
    std::string device;  // "kiln0"

    friend bool operator==(const TunnelStatus&, const TunnelStatus&) = default;
};

struct GuestNetworkStatus {
    bool connected = false;  // to the machine's NIC
    std::vector<PortForward> forwards;
    std::optional<TunnelStatus> tunnel;  // of GuestNetworkSpec::tunnel
    // Frames of the guest that were not let through, and frames to it.
    std::uint64_t dropped_from_guest = 0;
    std::uint64_t dropped_to_guest = 0;
    int pid = 0;                 // 0 for fake ones
    std::uint64_t restarts = 0;  // since it is known here

    friend bool operator==(const GuestNetworkStatus&, const GuestNetworkStatus&) = default;
};

class GuestNetworks {
  public:
    virtual ~GuestNetworks() = default;

    // Returns when the process answers. Repeating it with the same specification changes nothing;
    // a process left over from an earlier run of the instance is ended first.
    virtual Status start(const GuestNetworkSpec& spec, Deadline deadline) = 0;
    // Takes over the process recorded in `directory`, or starts it again from its configuration
    // when it has ended. not_found when there is no record or no configuration: start() then.
    virtual Status adopt(const MachineId& id, const std::string& directory, Deadline deadline) = 0;
    // Takes effect for new connections; those that exist go on, as EC2's tracked connections do.
    virtual Status update(const MachineId& id, const GuestNetworkRules& rules,
                          Deadline deadline) = 0;
    // Who is in one VPC from now on, the instance itself included: networks that were started with
    // this `path` reach each other as their rules allow. In force when a process next looks, which
    // is before it handles anything that arrives later. An empty list removes the file.
    virtual Status set_neighbours(const std::string& path,
                                  const std::vector<Neighbour>& neighbours) = 0;
    // Ends the process recorded in `directory`, known here or not, and removes the record. Succeeds
    // when there is none.
    virtual Status stop(const MachineId& id, const std::string& directory, Deadline deadline) = 0;
    virtual Result<GuestNetworkStatus> status(const MachineId& id, Deadline deadline) = 0;
    // The user the process of this machine runs as, who must be able to open the metadata socket;
    // nothing: ours. A fixed function, for machines not known as well.
    virtual std::optional<uid_t> user_of(const MachineId& id) const = 0;
    // Every known network. Does not ask the processes.
    virtual std::vector<MachineId> networks() = 0;
};

struct GuestNetworkOptions {
    // The program that has the subcommand guest-network, and what comes before that word; empty:
    // this program itself.
    std::string program;
    // When root: run each process under its machine's user id.
    bool separate_users = true;
};

Result<std::unique_ptr<GuestNetworks>> make_guest_networks(const GuestNetworkOptions& options);

}  // namespace kiln::compute
