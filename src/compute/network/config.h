// SPDX-License-Identifier: Apache-2.0
// The one file a network process reads: JSON, written atomically by the daemon, read again on
// `reload`. It is the specification, the ports that the rules open to clients on this host, and the
// user to run as. Format: docs/internals/guest-network.md.
// Thread model: plain value, pure functions.
#pragma once

#include <sys/types.h>

#include <span>

#include "compute/network/guest_network.h"

namespace kiln::compute {

// Bounds that keep one file, one lookup and one process small. EC2 allows 1,000 rules per NIC.
inline constexpr std::size_t kMaxTrafficRules = 4096;
inline constexpr std::size_t kMaxBlockedNetworks = 256;
inline constexpr std::size_t kMaxForwards = 512;  // each is a listening socket
inline constexpr std::size_t kMaxGuestNetworkConfigBytes = 2U << 20;
inline constexpr std::size_t kMaxGroupNameBytes = 64;

struct GuestNetworkConfig {
    GuestNetworkSpec spec;
    std::vector<std::uint16_t> forwards;  // ascending
    std::optional<uid_t> user;            // and group; nothing: as started

    friend bool operator==(const GuestNetworkConfig&, const GuestNetworkConfig&) = default;
};

// invalid_argument says what is wrong.
Status check_guest_network(const GuestNetworkSpec& spec);
// Has a part in a network that means something to this host and its processes and can be nobody's
// VPC: loopback, link-local, multicast.
bool is_reserved(const Cidr& network);
Status check_guest_network_rules(const GuestNetworkRules& rules);

std::string encode_guest_network_config(const GuestNetworkConfig& config);
// Checks all that check_guest_network() checks.
Result<GuestNetworkConfig> decode_guest_network_config(std::string_view text);

// In the runtime directory.
std::string guest_network_config_path(const std::string& runtime_directory);
std::string guest_network_control_path(const std::string& runtime_directory);
// Where the processes of neighbours connect to (peer_links.h).
std::string guest_network_peer_path(const std::string& runtime_directory);

// The address metadata connections are led to inside the process: the subnet's fourth, which EC2
// keeps unused, so no instance and no service has it.
Ipv4 metadata_alias(const GuestNetworkSpec& spec);
// The same for connections to the API: the subnet's first address.
Ipv4 api_alias(const GuestNetworkSpec& spec);

// Whether a client on this host is meant by `peer` (D20): it is anybody, covers the loopback
// network, or names one of the host's own addresses.
bool matches_local_client(const Cidr& peer, std::span<const Ipv4> host_addresses);

// The TCP ports that `ingress` opens to clients on this host: ranges up to 64 ports entirely, of
// wider ones the well-known ports (22, 80, 443, 3389, 5985, 5986, 8080, 8443). Ascending; at most
// kMaxForwards, the well-known first.
std::vector<std::uint16_t> ports_to_forward(std::span<const TrafficRule> ingress,
                                            std::span<const Ipv4> host_addresses);

// Whether `ingress` opens a TCP port to clients on this host.
bool opens_to_local_clients(std::span<const TrafficRule> ingress, std::uint16_t port,
                            std::span<const Ipv4> host_addresses);

// The IPv4 addresses of this host's interfaces.
std::vector<Ipv4> host_addresses();

}  // namespace kiln::compute
