// SPDX-License-Identifier: Apache-2.0
// What passes between a tunnel and a guest, and how it is rewritten.
#include <doctest/doctest.h>

#include "compute/network/frame_filter.h"
#include "compute/network/tunnel_path.h"
#include "compute/tests/guest_peer.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;
using Route = FrameFilter::Route;

namespace {

const Ipv4 kPublic = *Ipv4::parse("203.0.113.5");
const Ipv4 kHost = *Ipv4::parse("203.0.113.1");
const Ipv4 kClient = *Ipv4::parse("198.51.100.7");
const Ipv4 kElsewhere = *Ipv4::parse("198.51.101.7");

GuestNetworkSpec tunnel_spec() {
    GuestNetworkSpec spec = network_spec("/run/kiln");
    spec.rules = {};
    spec.rules.egress = {{TrafficRule::kAll, -1, -1, *Cidr::parse("0.0.0.0/0")}};
    spec.rules.ingress = {{6, 22, 22, *Cidr::parse("198.51.100.0/24")},
                          {17, 53, 53, *Cidr::parse("0.0.0.0/0")},
                          {1, 8, -1, *Cidr::parse("198.51.100.0/24")},
                          {6, 23, 23, *Cidr::parse("127.0.0.0/8")}};
    spec.tunnel = {kPublic, kHost};
    return spec;
}

// The packet of a frame, as the tunnel has it.
Bytes packet_of(const Bytes& frame) {
    return Bytes(frame.begin() + kEthernetHeader, frame.end());
}

Bytes frame_of(const Bytes& packet) {
    Bytes frame(kEthernetHeader);
    frame[12] = 8;
    frame.insert(frame.end(), packet.begin(), packet.end());
    return frame;
}

// An ICMP error from `from` to `to` about `quoted`, of which it carries `quoted_bytes`.
Bytes icmp_error(Ipv4 from, Ipv4 to, const Bytes& quoted, std::size_t quoted_bytes = 28) {
    const GuestNetworkSpec spec = tunnel_spec();
    Bytes frame = icmp_frame(from == spec.address ? spec.mac : Mac{}, from, to, 3, 3, 0);
    frame.resize(kEthernetHeader + kIpHeader + 8);
    frame.insert(frame.end(), quoted.begin() + kEthernetHeader,
                 quoted.begin() + static_cast<std::ptrdiff_t>(kEthernetHeader + quoted_bytes));
    put_be(&frame[16], static_cast<std::uint16_t>(frame.size() - kEthernetHeader));
    put_be<std::uint16_t>(&frame[24], 0);
    put_be(&frame[24], naive_checksum(Bytes(frame.begin() + 14, frame.begin() + 34)));
    put_be<std::uint16_t>(&frame[36], 0);
    put_be(&frame[36], naive_checksum(Bytes(frame.begin() + 34, frame.end())));
    REQUIRE(checksums_right(frame));
    return frame;
}

bool quoted_header_right(const Bytes& frame) {
    return naive_checksum(Bytes(frame.begin() + 42, frame.begin() + 62)) == 0;
}

struct World {
    Bytes tcp_in(Ipv4 from, std::uint16_t port, std::uint8_t flags = kTcpSyn) const {
        return tcp_frame(Mac{}, {from, spec.address, 5000, port, flags, 1, 0, ""});
    }
    Bytes tcp_out(Ipv4 to, std::uint16_t port, std::uint8_t flags = kTcpSyn | kTcpAck,
                  std::uint16_t to_port = 5000) const {
        return tcp_frame(spec.mac, {spec.address, to, port, to_port, flags, 1, 2, ""});
    }
    bool in(const Bytes& frame) { return filter.from_tunnel(frame, now); }
    Route out(const Bytes& frame) { return filter.from_guest(frame, now); }

    GuestNetworkSpec spec = tunnel_spec();
    FrameFilter filter{spec};
    TunnelPath path{spec};
    FlowTable::Time now{};
};

}  // namespace

TEST_CASE(
    "NET-11: packets to the public address become frames to the private one, checksums kept") {
    const World world;
    const Bytes all[] = {
        tcp_frame(Mac{}, {kClient, kPublic, 5000, 22, kTcpSyn, 77, 0, "odd"}),
        udp_frame(Mac{}, kClient, 5000, kPublic, 53, "question"),
        icmp_frame(Mac{}, kClient, kPublic, 8, 0, 7),
    };
    for (const Bytes& sent : all) {
        const auto frame = world.path.to_guest(packet_of(sent));
        REQUIRE(frame);
        CHECK(checksums_right(*frame));
        const auto packet = parse_ipv4(*frame);
        REQUIRE(packet);
        CHECK(packet->source == kClient);
        CHECK(packet->destination == world.spec.address);
        CHECK(source_mac(*frame) == router_mac(world.spec.router));
        CHECK(std::equal(world.spec.mac.bytes.begin(), world.spec.mac.bytes.end(), frame->begin()));
        // Nothing else has changed.
        Bytes back = *frame;
        replace_destination(back, *packet, kPublic);
        CHECK(packet_of(back) == packet_of(sent));
    }
}

TEST_CASE("NET-11: a UDP checksum stays absent where it was, and never becomes absent") {
    const World world;
    Bytes without = udp_frame(Mac{}, kClient, 5000, kPublic, 53, "x");
    without[40] = without[41] = 0;
    const auto frame = world.path.to_guest(packet_of(without));
    REQUIRE(frame);
    CHECK(((*frame)[40] == 0 && (*frame)[41] == 0));
    // Among all two-byte contents there is one whose rewritten sum is zero.
    bool met = false;
    for (unsigned content = 0; content < 65536; ++content) {
        const std::string text{static_cast<char>(content >> 8), static_cast<char>(content)};
        const Bytes sent = udp_frame(Mac{}, kClient, 5000, kPublic, 53, text);
        if (sent[40] == 0 && sent[41] == 0) {
            continue;  // made by hand, without that care
        }
        const auto made = world.path.to_guest(packet_of(sent));
        REQUIRE(made);
        const unsigned sum = static_cast<unsigned>((*made)[40]) << 8 | (*made)[41];
        REQUIRE(sum != 0);
        met = met || sum == 0xffff;
    }
    CHECK(met);
}

TEST_CASE("NET-11: the guest's answers carry the public address, and no padding") {
    const World world;
    Bytes answer = world.tcp_out(kClient, 22);
    answer.resize(64, 0xaa);
    const Bytes packet = world.path.to_host(answer);
    CHECK(packet.size() == 40);
    const Bytes frame = frame_of(packet);
    CHECK(checksums_right(frame));
    CHECK(parse_ipv4(frame)->source == kPublic);
    CHECK(parse_ipv4(frame)->destination == kClient);
}

TEST_CASE("NET-11: what ICMP errors quote is rewritten too, both ways") {
    const World world;
    const Bytes asked = udp_frame(Mac{}, kClient, 5000, world.spec.address, 53, "question");
    const Bytes refusal = icmp_error(world.spec.address, kClient, asked);
    const Bytes sent = frame_of(world.path.to_host(refusal));
    CHECK(checksums_right(sent));
    CHECK(quoted_header_right(sent));
    const auto quoted = parse_quoted(sent, *parse_ipv4(sent));
    REQUIRE(quoted);
    CHECK(quoted->source == kClient);
    CHECK(quoted->destination == kPublic);

    const Bytes answered = udp_frame(Mac{}, kPublic, 53, kClient, 5000, "answer");
    const auto got = world.path.to_guest(packet_of(icmp_error(kElsewhere, kPublic, answered)));
    REQUIRE(got);
    CHECK(checksums_right(*got));
    CHECK(quoted_header_right(*got));
    CHECK(parse_quoted(*got, *parse_ipv4(*got))->source == world.spec.address);
}

TEST_CASE("NET-11: what is not for the public address, or no IPv4, does not become a frame") {
    const World world;
    CHECK_FALSE(world.path.to_guest(packet_of(world.tcp_in(kClient, 22))));
    Bytes packet = packet_of(tcp_frame(Mac{}, {kClient, kPublic, 1, 22, kTcpSyn, 1, 0, ""}));
    for (std::size_t size = 0; size < kIpHeader; ++size) {
        CHECK_FALSE(world.path.to_guest(ByteView(packet).first(size)));
    }
    packet[0] = 0x60;  // IPv6, as the host's own announcements
    CHECK_FALSE(world.path.to_guest(packet));
    CHECK_FALSE(world.path.to_guest(Bytes(kMtu + 1, 0x45)));
}

TEST_CASE("NET-11: rules name the real client, and its flow alone is answered through the tunnel") {
    World world;
    CHECK(world.out(world.tcp_out(kClient, 22)) == Route::uplink);  // the guest's own beginning
    CHECK(world.in(world.tcp_in(kClient, 22)));
    CHECK(world.out(world.tcp_out(kClient, 22)) == Route::tunnel);
    CHECK(world.out(world.tcp_out(kClient, 22, kTcpAck, 5001)) == Route::uplink);
    CHECK_FALSE(world.in(world.tcp_in(kElsewhere, 22)));
    CHECK_FALSE(world.in(world.tcp_in(kClient, 23)));
    const Bytes question = udp_frame(Mac{}, kElsewhere, 5000, world.spec.address, 53, "x");
    CHECK(world.in(question));
    CHECK(world.out(udp_frame(world.spec.mac, world.spec.address, 53, kElsewhere, 5000, "y")) ==
          Route::tunnel);
    CHECK(world.in(icmp_frame(Mac{}, kClient, world.spec.address, 8, 0, 7)));
    CHECK(world.out(icmp_frame(world.spec.mac, world.spec.address, kClient, 0, 0, 7)) ==
          Route::tunnel);
    CHECK(world.out(icmp_frame(world.spec.mac, world.spec.address, kClient, 8, 0, 7)) ==
          Route::uplink);
}

TEST_CASE("NET-11: a flow outlives its rule, not its time") {
    World world;
    REQUIRE(world.in(world.tcp_in(kClient, 22)));
    world.filter.set_rules({});
    CHECK(world.in(world.tcp_in(kClient, 22, kTcpAck)));
    CHECK(world.out(world.tcp_out(kClient, 22)) == Route::tunnel);
    world.now += std::chrono::hours(2);
    CHECK_FALSE(world.in(world.tcp_in(kClient, 22, kTcpAck)));
    CHECK(world.out(world.tcp_out(kClient, 22)) == Route::drop);
}

TEST_CASE("NET-11: a client on this host is local, whatever address of the host it has") {
    World world;
    CHECK_FALSE(world.in(world.tcp_in(kHost, 23)));
    world.filter.set_host_addresses({*Ipv4::parse("127.0.0.1"), kHost});
    CHECK(world.in(world.tcp_in(kHost, 23)));
    CHECK_FALSE(world.in(world.tcp_in(kHost, 22)));
    CHECK_FALSE(world.in(world.tcp_in(kClient, 23)));
}

TEST_CASE("NET-12: the tunnel lets the guest begin nothing, with the host least of all") {
    World world;
    world.filter.set_host_addresses({*Ipv4::parse("127.0.0.1"), kHost});
    CHECK(world.out(world.tcp_out(kHost, 23, kTcpSyn)) == Route::drop);
    REQUIRE(world.in(world.tcp_in(kHost, 23)));
    CHECK(world.out(world.tcp_out(kHost, 23)) == Route::tunnel);
    // The port the client uses may be another program's next.
    CHECK(world.out(world.tcp_out(kHost, 23, kTcpSyn)) == Route::drop);
    CHECK(world.out(world.tcp_out(kHost, 23, kTcpAck, 5001)) == Route::drop);
    const Bytes about_nothing = tcp_frame(Mac{}, {kHost, world.spec.address, 9, 9, 2, 1, 0, ""});
    CHECK(world.out(icmp_error(world.spec.address, kHost, about_nothing)) == Route::drop);
}

TEST_CASE("NET-12: other instances' public addresses are refused to a guest") {
    World world;
    const Ipv4 other{kPublic.value + 1};
    CHECK(world.out(world.tcp_out(other, 40000, kTcpSyn)) == Route::uplink);
    world.filter.set_tunnelled({kPublic, other});
    CHECK(world.out(world.tcp_out(other, 40001, kTcpSyn)) == Route::drop);
    CHECK(world.out(world.tcp_out(kPublic, 40001, kTcpSyn)) == Route::drop);
}

TEST_CASE("NET-12: sources that are the VPC's or nobody's do not come by the tunnel") {
    World world;
    GuestNetworkRules open;
    open.ingress = {{TrafficRule::kAll, -1, -1, *Cidr::parse("0.0.0.0/0")}};
    world.filter.set_rules(open);
    CHECK(world.in(world.tcp_in(kClient, 22)));
    for (const char* source : {"172.31.0.1", "172.31.5.11", "127.0.0.1", "169.254.169.254",
                               "0.0.0.0", "224.0.0.1", "255.255.255.255", "203.0.113.5"}) {
        CHECK_FALSE(world.in(world.tcp_in(*Ipv4::parse(source), 22)));
    }
}

TEST_CASE("NET-11: of ICMP, echo requests and errors about known flows pass") {
    World world;
    GuestNetworkRules open;
    open.ingress = {{TrafficRule::kAll, -1, -1, *Cidr::parse("0.0.0.0/0")}};
    world.filter.set_rules(open);
    for (const std::uint8_t type : {0, 5, 13}) {  // a reply nobody asked for, redirect, timestamp
        CHECK_FALSE(world.in(icmp_frame(Mac{}, kClient, world.spec.address, type, 0, 7)));
    }
    const Bytes answer = world.tcp_out(kClient, 22);
    CHECK_FALSE(world.in(icmp_error(kElsewhere, world.spec.address, answer)));
    REQUIRE(world.in(world.tcp_in(kClient, 22)));
    CHECK(world.in(icmp_error(kElsewhere, world.spec.address, answer)));
    CHECK(world.out(icmp_error(world.spec.address, kClient, world.tcp_in(kClient, 22))) ==
          Route::tunnel);
}

TEST_CASE("NET-11: fragments and what is cut short do not pass, nor anything without a tunnel") {
    World world;
    Bytes fragment = world.tcp_in(kClient, 22);
    fragment[20] = 0x20;
    CHECK_FALSE(world.in(fragment));
    const Bytes whole = world.tcp_in(kClient, 22);
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CHECK_FALSE(world.in(Bytes(whole.begin(), whole.begin() + static_cast<long>(size))));
    }
    GuestNetworkSpec spec = tunnel_spec();
    spec.tunnel.reset();
    FrameFilter plain(spec);
    CHECK_FALSE(plain.from_tunnel(whole, {}));
}
