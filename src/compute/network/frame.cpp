// SPDX-License-Identifier: Apache-2.0
#include "compute/network/frame.h"

#include <algorithm>

namespace kiln::compute {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800;
constexpr std::uint16_t kEtherArp = 0x0806;
constexpr std::size_t kArpFrame = kEthernetHeader + 28;
constexpr std::size_t kTcpHeader = 20;
constexpr std::size_t kUdpHeader = 8;
constexpr std::size_t kIcmpHeader = 8;
// What every ICMP error quotes at least: the header and eight bytes, in which the ports are.
constexpr std::size_t kQuotedBytes = kIpHeader + 8;
constexpr std::size_t kPayload = kEthernetHeader + kIpHeader;
constexpr std::size_t kTcpChecksum = kPayload + 16;
constexpr std::size_t kUdpChecksum = kPayload + 6;
constexpr std::size_t kSourceAt = kEthernetHeader + 12;
constexpr std::size_t kDestinationAt = kEthernetHeader + 16;
constexpr std::uint8_t kTtl = 64;

std::uint16_t be16(ByteView frame, std::size_t at) {
    return get_be<std::uint16_t>(frame.data() + at);
}

void copy_mac(Bytes& frame, std::size_t at, const Mac& mac) {
    std::copy(mac.bytes.begin(), mac.bytes.end(), frame.begin() + static_cast<std::ptrdiff_t>(at));
}

Mac mac_at(ByteView frame, std::size_t at) {
    Mac mac;
    std::copy_n(frame.begin() + static_cast<std::ptrdiff_t>(at), mac.bytes.size(),
                mac.bytes.begin());
    return mac;
}

Bytes make_arp(std::uint16_t operation, const Mac& sender_mac, Ipv4 sender, const Mac& target_mac,
               Ipv4 target) {
    Bytes frame(kArpFrame, 0);
    copy_mac(frame, 0, operation == 2 ? target_mac : kBroadcastMac);
    copy_mac(frame, 6, sender_mac);
    put_be<std::uint16_t>(&frame[12], kEtherArp);
    put_be<std::uint16_t>(&frame[14], 1);
    put_be<std::uint16_t>(&frame[16], kEtherIpv4);
    frame[18] = 6;
    frame[19] = 4;
    put_be<std::uint16_t>(&frame[20], operation);
    copy_mac(frame, 22, sender_mac);
    sender.to_wire(&frame[28]);
    copy_mac(frame, 32, target_mac);
    target.to_wire(&frame[38]);
    return frame;
}

// Reads the part after the IP header as far as it is there.
void parse_payload(ByteView frame, Ipv4Packet& packet) {
    const std::size_t bytes = packet.frame_bytes - kPayload;
    switch (packet.protocol) {
        case kTcp:
            packet.has_ports = bytes >= kTcpHeader;
            break;
        case kUdp:
            packet.has_ports = bytes >= kUdpHeader;
            break;
        case kIcmp:
            packet.has_ports = bytes >= kIcmpHeader;
            break;
        default:
            return;
    }
    if (!packet.has_ports) {
        return;
    }
    if (packet.protocol == kIcmp) {
        packet.icmp_type = frame[kPayload];
        packet.icmp_code = frame[kPayload + 1];
        if (packet.icmp_type == kEchoRequest || packet.icmp_type == kEchoReply) {
            packet.source_port = be16(frame, kPayload + 4);
        }
        return;
    }
    packet.source_port = be16(frame, kPayload);
    packet.destination_port = be16(frame, kPayload + 2);
    if (packet.protocol == kTcp) {
        packet.tcp_flags = frame[kPayload + 13];
    }
}

void fill_ip_header(Bytes& frame, std::uint8_t protocol, Ipv4 from, Ipv4 to) {
    put_be<std::uint16_t>(&frame[12], kEtherIpv4);
    std::uint8_t* ip = &frame[kEthernetHeader];
    ip[0] = 0x45;
    put_be(ip + 2, static_cast<std::uint16_t>(frame.size() - kEthernetHeader));
    ip[8] = kTtl;
    ip[9] = protocol;
    from.to_wire(ip + 12);
    to.to_wire(ip + 16);
    put_be(ip + 10, checksum_finish(checksum_add({ip, kIpHeader})));
}

// The checksum of everything after the IP header, pseudo header included; its own field is zero.
std::uint16_t transport_checksum(const Bytes& frame, std::uint8_t protocol) {
    const ByteView payload = ByteView(frame).subspan(kPayload);
    std::uint32_t sum = checksum_add(ByteView(frame).subspan(kSourceAt, 8));
    sum += protocol;
    sum += static_cast<std::uint32_t>(payload.size());
    return checksum_finish(checksum_add(payload, sum));
}

// What a change of one address does to a checksum stored at `at`.
void fix_checksum(MutableByteView frame, std::size_t at, Ipv4 from, Ipv4 to) {
    auto sum = get_be<std::uint16_t>(&frame[at]);
    sum = checksum_replace(sum, static_cast<std::uint16_t>(from.value >> 16),
                           static_cast<std::uint16_t>(to.value >> 16));
    sum = checksum_replace(sum, static_cast<std::uint16_t>(from.value),
                           static_cast<std::uint16_t>(to.value));
    put_be(&frame[at], sum);
}

void replace_address(MutableByteView frame, const Ipv4Packet& packet, std::size_t at, Ipv4 from,
                     Ipv4 to) {
    to.to_wire(&frame[at]);
    fix_checksum(frame, kEthernetHeader + 10, from, to);
    if (!packet.has_ports) {
        return;
    }
    if (packet.protocol == kTcp) {
        fix_checksum(frame, kTcpChecksum, from, to);
    } else if (packet.protocol == kUdp && be16(frame, kUdpChecksum) != 0) {
        fix_checksum(frame, kUdpChecksum, from, to);  // 0 means: none was computed
        if (be16(frame, kUdpChecksum) == 0) {
            put_be<std::uint16_t>(&frame[kUdpChecksum], 0xffff);
        }
    }
}

// `at` is the address's place in an IP header.
void replace_quoted(MutableByteView frame, std::size_t at, Ipv4 from, Ipv4 to) {
    constexpr std::size_t kIcmpChecksum = kPayload + 2;
    constexpr std::size_t kQuoted = kPayload + kIcmpHeader;
    const std::uint16_t sum_before = be16(frame, kQuoted + 10);
    to.to_wire(&frame[kQuoted + at]);
    fix_checksum(frame, kQuoted + 10, from, to);
    // Both the address and the quoted header's checksum are data of the ICMP message.
    fix_checksum(frame, kIcmpChecksum, from, to);
    put_be(&frame[kIcmpChecksum],
           checksum_replace(be16(frame, kIcmpChecksum), sum_before, be16(frame, kQuoted + 10)));
}

}  // namespace

Mac router_mac(Ipv4 router) {
    Mac mac{{0x52, 0x55}};
    router.to_wire(&mac.bytes[2]);
    return mac;
}

std::optional<Mac> source_mac(ByteView frame) {
    return frame.size() < kEthernetHeader ? std::nullopt : std::optional(mac_at(frame, 6));
}

std::optional<ArpRequest> parse_arp_request(ByteView frame) {
    if (frame.size() < kArpFrame || be16(frame, 12) != kEtherArp || be16(frame, 14) != 1 ||
        be16(frame, 16) != kEtherIpv4 || frame[18] != 6 || frame[19] != 4 || be16(frame, 20) != 1) {
        return std::nullopt;
    }
    return ArpRequest{mac_at(frame, 22), Ipv4::from_wire(&frame[28]), Ipv4::from_wire(&frame[38])};
}

Bytes make_arp_reply(const ArpRequest& request, const Mac& answer) {
    return make_arp(2, answer, request.target, request.sender_mac, request.sender);
}

Bytes make_gratuitous_arp(const Mac& mac, Ipv4 address) {
    return make_arp(1, mac, address, Mac{}, address);
}

std::optional<Ipv4Packet> parse_ipv4(ByteView frame) {
    if (frame.size() < kPayload || be16(frame, 12) != kEtherIpv4 ||
        frame[kEthernetHeader] != 0x45) {
        return std::nullopt;
    }
    const std::size_t total = be16(frame, kEthernetHeader + 2);
    if (total < kIpHeader || total > frame.size() - kEthernetHeader) {
        return std::nullopt;
    }
    Ipv4Packet packet;
    packet.frame_bytes = kEthernetHeader + total;
    packet.protocol = frame[kEthernetHeader + 9];
    packet.source = Ipv4::from_wire(&frame[kSourceAt]);
    packet.destination = Ipv4::from_wire(&frame[kDestinationAt]);
    const std::uint16_t flags = be16(frame, kEthernetHeader + 6);
    packet.fragment = (flags & 0x3fff) != 0;
    if ((flags & 0x1fff) == 0) {
        parse_payload(frame, packet);
    }
    return packet;
}

bool is_icmp_error(const Ipv4Packet& packet) {
    constexpr std::uint8_t kErrors[] = {3, 11, 12};  // unreachable, time exceeded, bad parameter
    return packet.protocol == kIcmp &&
           std::find(std::begin(kErrors), std::end(kErrors), packet.icmp_type) != std::end(kErrors);
}

std::optional<Ipv4Packet> parse_quoted(ByteView frame, const Ipv4Packet& packet) {
    if (!is_icmp_error(packet) || packet.frame_bytes < kPayload + kIcmpHeader + kQuotedBytes) {
        return std::nullopt;
    }
    const ByteView ip = frame.subspan(kPayload + kIcmpHeader, kQuotedBytes);
    Ipv4Packet quoted;
    quoted.protocol = ip[9];
    quoted.source = Ipv4::from_wire(&ip[12]);
    quoted.destination = Ipv4::from_wire(&ip[16]);
    if (ip[0] != 0x45 || (be16(ip, 6) & 0x1fff) != 0) {
        return std::nullopt;
    }
    if (quoted.protocol == kTcp || quoted.protocol == kUdp) {
        quoted.source_port = be16(ip, kIpHeader);
        quoted.destination_port = be16(ip, kIpHeader + 2);
    } else if (quoted.protocol == kIcmp &&
               (ip[kIpHeader] == kEchoRequest || ip[kIpHeader] == kEchoReply)) {
        quoted.icmp_type = ip[kIpHeader];
        quoted.source_port = be16(ip, kIpHeader + 4);
    } else {
        return std::nullopt;
    }
    quoted.has_ports = true;
    return quoted;
}

std::uint32_t checksum_add(ByteView data, std::uint32_t sum) {
    std::uint64_t wide = sum;
    for (std::size_t i = 0; i + 1 < data.size(); i += 2) {
        wide += get_be<std::uint16_t>(data.data() + i);
    }
    if (data.size() % 2 != 0) {
        wide += static_cast<std::uint32_t>(data.back()) << 8;
    }
    while (wide >> 16 != 0) {
        wide = (wide & 0xffff) + (wide >> 16);
    }
    return static_cast<std::uint32_t>(wide);
}

std::uint16_t checksum_finish(std::uint32_t sum) {
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint16_t>(~sum);
}

std::uint16_t checksum_replace(std::uint16_t checksum, std::uint16_t from, std::uint16_t to) {
    const std::uint32_t sum = static_cast<std::uint16_t>(~checksum) +
                              static_cast<std::uint32_t>(static_cast<std::uint16_t>(~from)) + to;
    return checksum_finish(sum);
}

void replace_source(MutableByteView frame, const Ipv4Packet& packet, Ipv4 to) {
    replace_address(frame, packet, kSourceAt, packet.source, to);
}

void replace_destination(MutableByteView frame, const Ipv4Packet& packet, Ipv4 to) {
    replace_address(frame, packet, kDestinationAt, packet.destination, to);
}

void replace_quoted_source(MutableByteView frame, const Ipv4Packet& packet, Ipv4 to) {
    if (const auto quoted = parse_quoted(frame, packet)) {
        replace_quoted(frame, 12, quoted->source, to);
    }
}

void replace_quoted_destination(MutableByteView frame, const Ipv4Packet& packet, Ipv4 to) {
    if (const auto quoted = parse_quoted(frame, packet)) {
        replace_quoted(frame, 16, quoted->destination, to);
    }
}

void replace_stations(MutableByteView frame, const Mac& from, const Mac& to) {
    std::copy(to.bytes.begin(), to.bytes.end(), frame.begin());
    std::copy(from.bytes.begin(), from.bytes.end(), frame.begin() + 6);
}

void replace_ttl(MutableByteView frame, std::uint8_t ttl) {
    std::uint8_t* word = &frame[kEthernetHeader + 8];  // TTL and protocol
    const auto from = get_be<std::uint16_t>(word);
    word[0] = ttl;
    std::uint8_t* sum = &frame[kEthernetHeader + 10];
    put_be(sum, checksum_replace(get_be<std::uint16_t>(sum), from, get_be<std::uint16_t>(word)));
}

Bytes make_udp(const UdpAddressing& addressing, ByteView payload) {
    Bytes frame(kPayload + kUdpHeader + payload.size(), 0);
    std::copy(payload.begin(), payload.end(),
              frame.begin() + static_cast<std::ptrdiff_t>(kPayload + kUdpHeader));
    copy_mac(frame, 0, addressing.to_mac);
    copy_mac(frame, 6, addressing.from_mac);
    fill_ip_header(frame, kUdp, addressing.from, addressing.to);
    put_be(&frame[kPayload], addressing.from_port);
    put_be(&frame[kPayload + 2], addressing.to_port);
    put_be(&frame[kPayload + 4], static_cast<std::uint16_t>(kUdpHeader + payload.size()));
    const std::uint16_t sum = transport_checksum(frame, kUdp);
    put_be<std::uint16_t>(&frame[kUdpChecksum], sum == 0 ? 0xffff : sum);
    return frame;
}

Bytes make_reset(ByteView frame, const Ipv4Packet& packet) {
    Bytes reset(kPayload + kTcpHeader, 0);
    copy_mac(reset, 0, mac_at(frame, 6));
    copy_mac(reset, 6, mac_at(frame, 0));
    fill_ip_header(reset, kTcp, packet.destination, packet.source);
    std::uint8_t* tcp = &reset[kPayload];
    put_be(tcp, packet.destination_port);
    put_be(tcp + 2, packet.source_port);
    // RFC 9293 3.10.7.1: a segment with ACK is reset at the number it acknowledges, another by
    // acknowledging all of it.
    const auto sequence = get_be<std::uint32_t>(&frame[kPayload + 4]);
    const auto acknowledged = get_be<std::uint32_t>(&frame[kPayload + 8]);
    const std::size_t header = static_cast<std::size_t>(frame[kPayload + 12] >> 4) * 4;
    const std::size_t data = packet.frame_bytes - kPayload;
    std::uint32_t length = static_cast<std::uint32_t>(data > header ? data - header : 0);
    length += (packet.tcp_flags & kTcpSyn) != 0 ? 1 : 0;
    length += (packet.tcp_flags & kTcpFin) != 0 ? 1 : 0;
    if ((packet.tcp_flags & kTcpAck) != 0) {
        put_be(tcp + 4, acknowledged);
        tcp[13] = kTcpRst;
    } else {
        put_be(tcp + 8, sequence + length);
        tcp[13] = kTcpRst | kTcpAck;
    }
    tcp[12] = 5 << 4;
    put_be(tcp + 16, transport_checksum(reset, kTcp));
    return reset;
}

}  // namespace kiln::compute
