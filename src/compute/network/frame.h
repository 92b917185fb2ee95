// SPDX-License-Identifier: Apache-2.0
// Ethernet frames of a guest, read with every offset checked, and the few that are made here.
// Whatever is not plainly formed is no frame to us: VLAN tags, IPv6, IP options, lengths that do
// not fit. Nothing is read beyond what a parse function has checked.
// Thread model: pure functions over the caller's bytes.
#pragma once

#include <optional>

#include "compute/network/address.h"

namespace kiln::compute {

inline constexpr std::size_t kMtu = 1500;
inline constexpr std::size_t kEthernetHeader = 14;
inline constexpr std::size_t kIpHeader = 20;
inline constexpr std::size_t kMaxFrameBytes = kEthernetHeader + kMtu;

inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;

inline constexpr Mac kBroadcastMac{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
inline constexpr Ipv4 kBroadcastAddress{0xffffffff};

// The station all of a guest's frames go to and come from; libslirp derives the same one.
Mac router_mac(Ipv4 router);

std::optional<Mac> source_mac(ByteView frame);

struct ArpRequest {
    Mac sender_mac;
    Ipv4 sender;
    Ipv4 target;
};
// Nothing for other frames, replies included.
std::optional<ArpRequest> parse_arp_request(ByteView frame);
Bytes make_arp_reply(const ArpRequest& request, const Mac& answer);
// The announcement of one's own address.
Bytes make_gratuitous_arp(const Mac& mac, Ipv4 address);

struct Ipv4Packet {
    Ipv4 source;
    Ipv4 destination;
    std::uint8_t protocol = 0;
    std::size_t frame_bytes = 0;  // without padding
    bool fragment = false;        // any part of a larger packet
    bool has_ports = false;       // false for all fragments but the first, and where too short
    // TCP and UDP: ports. ICMP: both zero but for echo, where source_port is the identifier.
    std::uint16_t source_port = 0;
    std::uint16_t destination_port = 0;
    std::uint8_t icmp_type = 0;
    std::uint8_t icmp_code = 0;
    std::uint8_t tcp_flags = 0;
};
inline constexpr std::uint8_t kTcpFin = 1;
inline constexpr std::uint8_t kTcpSyn = 2;
inline constexpr std::uint8_t kTcpRst = 4;
inline constexpr std::uint8_t kTcpAck = 16;
inline constexpr std::uint8_t kEchoReply = 0;
inline constexpr std::uint8_t kEchoRequest = 8;

std::optional<Ipv4Packet> parse_ipv4(ByteView frame);
// The packet that an ICMP error is about, as far as the error quotes it: addresses, protocol and
// ports. `packet` is parse_ipv4() of `frame`. Nothing for all that is no error, and where what is
// quoted is too short, a later fragment, or itself an ICMP error.
std::optional<Ipv4Packet> parse_quoted(ByteView frame, const Ipv4Packet& packet);
bool is_icmp_error(const Ipv4Packet& packet);

// The Internet checksum (RFC 1071) of `data`, whose sum may begin with that of a pseudo header.
std::uint32_t checksum_add(ByteView data, std::uint32_t sum = 0);
std::uint16_t checksum_finish(std::uint32_t sum);
// RFC 1624: the checksum after a 16-bit word of the data changed.
std::uint16_t checksum_replace(std::uint16_t checksum, std::uint16_t from, std::uint16_t to);

// Rewriting in place, checksums kept right; `packet` is parse_ipv4() of `frame`.
void replace_source(MutableByteView frame, const Ipv4Packet& packet, Ipv4 to);
void replace_destination(MutableByteView frame, const Ipv4Packet& packet, Ipv4 to);
// The same for the packet that an ICMP error quotes: nothing happens where parse_quoted() finds
// none. The quoted packet's own transport checksum stays, as nobody who gets a quotation looks at
// it.
void replace_quoted_source(MutableByteView frame, const Ipv4Packet& packet, Ipv4 to);
void replace_quoted_destination(MutableByteView frame, const Ipv4Packet& packet, Ipv4 to);
void replace_stations(MutableByteView frame, const Mac& from, const Mac& to);
void replace_ttl(MutableByteView frame, std::uint8_t ttl);

struct UdpAddressing {
    Mac from_mac;
    Mac to_mac;
    Ipv4 from;
    Ipv4 to;
    std::uint16_t from_port = 0;
    std::uint16_t to_port = 0;
};
Bytes make_udp(const UdpAddressing& addressing, ByteView payload);

// Answers a TCP segment with a reset, as if from its destination. `packet` is parse_ipv4() of
// `frame` and has_ports.
Bytes make_reset(ByteView frame, const Ipv4Packet& packet);

}  // namespace kiln::compute
