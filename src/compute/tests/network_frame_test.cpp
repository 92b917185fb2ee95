// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <random>

#include "compute/network/dhcp.h"
#include "compute/network/metadata_path.h"
#include "compute/network/stream_link.h"
#include "compute/tests/guest_peer.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

namespace {

const Mac kGuest = *Mac::parse("0e:01:02:03:04:05");
const Ipv4 kPrivate = *Ipv4::parse("172.31.5.10");
const Ipv4 kAlias = *Ipv4::parse("172.31.0.3");

Bytes syn_to_metadata() {
    return tcp_frame(kGuest, {kPrivate, kMetadataAddress, 40000, 80, kTcpSyn, 1000, 0, ""});
}

void feed(FrameDecoder& decoder, ByteView bytes) {
    const auto space = decoder.space();
    REQUIRE(space.size() >= bytes.size());
    std::copy(bytes.begin(), bytes.end(), space.begin());
    decoder.commit(bytes.size());
}

Bytes option(std::uint8_t code, std::initializer_list<std::uint8_t> value) {
    Bytes out = {code, static_cast<std::uint8_t>(value.size())};
    out.insert(out.end(), value);
    return out;
}

Bytes operator+(Bytes left, const Bytes& right) {
    left.insert(left.end(), right.begin(), right.end());
    return left;
}

}  // namespace

TEST_CASE("frames come out of the stream as they went in, however it is cut") {
    Bytes stream;
    std::vector<Bytes> frames;
    for (std::size_t size : {1U, 60U, 1514U, 42U}) {
        Bytes frame(size);
        std::iota(frame.begin(), frame.end(), static_cast<std::uint8_t>(size));
        const std::uint8_t length[4] = {0, 0, static_cast<std::uint8_t>(size >> 8),
                                        static_cast<std::uint8_t>(size)};
        stream.insert(stream.end(), length, length + 4);
        stream.insert(stream.end(), frame.begin(), frame.end());
        frames.push_back(std::move(frame));
    }
    for (const std::size_t step :
         {std::size_t{1}, std::size_t{3}, std::size_t{100}, stream.size()}) {
        FrameDecoder decoder;
        std::vector<Bytes> seen;
        for (std::size_t at = 0; at < stream.size(); at += step) {
            feed(decoder, ByteView(stream).subspan(at, std::min(step, stream.size() - at)));
            while (const auto frame = decoder.next()) {
                seen.emplace_back(frame->begin(), frame->end());
            }
        }
        CHECK(seen == frames);
        CHECK_FALSE(decoder.broken());
    }
}

TEST_CASE("a length that QEMU never sends breaks the stream until it is begun anew") {
    FrameDecoder decoder;
    feed(decoder, Bytes{0, 1, 0x10, 1, 7});  // 69633
    CHECK_FALSE(decoder.next());
    CHECK(decoder.broken());
    decoder.reset();
    feed(decoder, Bytes{0, 0, 0, 1, 7});
    CHECK(decoder.next().value()[0] == 7);
}

TEST_CASE("IPv4 packets are read with their ports, and nothing malformed is") {
    Bytes frame = tcp_frame(kGuest, {kPrivate, kAlias, 1234, 80, kTcpSyn, 5, 0, "data"});
    const auto packet = parse_ipv4(frame);
    REQUIRE(packet);
    CHECK(packet->source == kPrivate);
    CHECK(packet->destination == kAlias);
    CHECK(packet->protocol == kTcp);
    CHECK(packet->source_port == 1234);
    CHECK(packet->destination_port == 80);
    CHECK(packet->tcp_flags == kTcpSyn);
    CHECK(packet->frame_bytes == frame.size());
    CHECK_FALSE(packet->fragment);

    // Short frames are padded on the wire.
    Bytes padded = frame;
    padded.resize(frame.size() + 9, 0xee);
    CHECK(parse_ipv4(padded)->frame_bytes == frame.size());

    for (std::size_t size = 0; size < frame.size(); ++size) {
        CHECK_FALSE(parse_ipv4(ByteView(frame).first(size)));
    }
    const auto changed = [&](std::size_t at, std::uint8_t value) {
        Bytes copy = frame;
        copy[at] = value;
        return parse_ipv4(copy);
    };
    CHECK_FALSE(changed(12, 0x86));           // IPv6
    CHECK_FALSE(changed(14, 0x65));           // version
    CHECK_FALSE(changed(14, 0x44));           // header too short
    CHECK_FALSE(changed(14, 0x46));           // options
    CHECK_FALSE(changed(16, 0xff));           // longer than the frame
    CHECK_FALSE(changed(17, 19));             // shorter than the header
    CHECK_FALSE(changed(17, 39)->has_ports);  // no room for TCP
    CHECK(changed(20, 0x20)->fragment);       // more fragments: still with ports
    CHECK(changed(20, 0x20)->has_ports);
    CHECK(changed(21, 0x01)->fragment);
    CHECK_FALSE(changed(21, 0x01)->has_ports);
    CHECK_FALSE(changed(23, 47)->has_ports);  // GRE
}

TEST_CASE("ARP requests are answered for the address asked about") {
    const Bytes frame = arp_request(kGuest, kPrivate, kMetadataAddress);
    const auto request = parse_arp_request(frame);
    REQUIRE(request);
    CHECK(request->sender_mac == kGuest);
    CHECK(request->sender == kPrivate);
    CHECK(request->target == kMetadataAddress);
    const Mac router = router_mac(*Ipv4::parse("172.31.0.1"));
    CHECK(router.text() == "52:55:ac:1f:00:01");
    const Bytes reply = make_arp_reply(*request, router);
    const Bytes expected =
        Bytes(kGuest.bytes.begin(), kGuest.bytes.end()) +
        Bytes(router.bytes.begin(), router.bytes.end()) + Bytes{8, 6, 0, 1, 8, 0, 6, 4, 0, 2} +
        Bytes(router.bytes.begin(), router.bytes.end()) + Bytes{169, 254, 169, 254} +
        Bytes(kGuest.bytes.begin(), kGuest.bytes.end()) + Bytes{172, 31, 5, 10};
    CHECK(reply == expected);
    CHECK_FALSE(parse_arp_request(reply));
    for (std::size_t size = 0; size < frame.size(); ++size) {
        CHECK_FALSE(parse_arp_request(ByteView(frame).first(size)));
    }
}

TEST_CASE("rewritten addresses leave checksums right, as an independent computation finds") {
    std::mt19937 random(20240607);
    for (int round = 0; round < 2000; ++round) {
        const Ipv4 from{static_cast<std::uint32_t>(random())};
        const Ipv4 to{static_cast<std::uint32_t>(random())};
        const Ipv4 other{static_cast<std::uint32_t>(random())};
        const std::string data(random() % 40, static_cast<char>(random()));
        const auto port = static_cast<std::uint16_t>(random());
        Bytes frame = round % 2 == 0
                          ? tcp_frame(kGuest, {from, to, port, 80, kTcpAck,
                                               static_cast<std::uint32_t>(random()), 0, data})
                          : udp_frame(kGuest, from, port, to, 53, data);
        REQUIRE(checksums_right(frame));
        replace_destination(frame, *parse_ipv4(frame), other);
        REQUIRE(parse_ipv4(frame)->destination == other);
        REQUIRE(checksums_right(frame));
        replace_source(frame, *parse_ipv4(frame), to);
        REQUIRE(parse_ipv4(frame)->source == to);
        replace_ttl(frame, static_cast<std::uint8_t>(1 + random() % 64));
        REQUIRE(checksums_right(frame));
    }
}

TEST_CASE("a UDP packet without checksum stays without") {
    Bytes frame = udp_frame(kGuest, kPrivate, 1, kAlias, 53, "x");
    frame[40] = frame[41] = 0;
    replace_destination(frame, *parse_ipv4(frame), kMetadataAddress);
    CHECK(frame[40] == 0);
    CHECK(frame[41] == 0);
}

TEST_CASE("packets made here carry right checksums") {
    UdpAddressing to{kGuest, kBroadcastMac, kPrivate, kBroadcastAddress, 67, 68};
    for (std::size_t size = 0; size < 70; ++size) {
        const Bytes frame = make_udp(to, Bytes(size, static_cast<std::uint8_t>(size)));
        CHECK(checksums_right(frame));
        CHECK(parse_ipv4(frame)->destination_port == 68);
    }
}

TEST_CASE("IMDS-3: metadata connections go to the alias, answers come back with the hop limit") {
    MetadataPath path(kAlias, 2, true);
    Bytes frame = syn_to_metadata();
    CHECK_FALSE(path.to_service(frame));
    CHECK(parse_ipv4(frame)->destination == kAlias);
    CHECK(checksums_right(frame));

    Bytes answer =
        tcp_frame(kGuest, {kAlias, kPrivate, 80, 40000, kTcpSyn | kTcpAck, 7, 1001, "abc"});
    path.to_guest(answer);
    CHECK(parse_ipv4(answer)->source == kMetadataAddress);
    CHECK(answer[22] == 2);
    CHECK(checksums_right(answer));

    path.set(64, true);
    answer = tcp_frame(kGuest, {kAlias, kPrivate, 80, 40000, kTcpAck, 7, 1001, ""});
    path.to_guest(answer);
    CHECK(answer[22] == 64);

    // Others are left alone.
    const Bytes foreign = tcp_frame(kGuest, {kPrivate, kPrivate, 80, 40000, kTcpAck, 7, 1, ""});
    Bytes copy = foreign;
    path.to_guest(copy);
    CHECK(copy == foreign);
}

TEST_CASE("a metadata service that is off resets connections at once") {
    const MetadataPath path(kAlias, 1, false);
    Bytes frame = syn_to_metadata();
    auto reset = path.to_service(frame);
    REQUIRE(reset);
    CHECK(checksums_right(*reset));
    auto segment = read_tcp(*reset);
    REQUIRE(segment);
    CHECK(segment->from == kMetadataAddress);
    CHECK(segment->to == kPrivate);
    CHECK(segment->to_port == 40000);
    CHECK(segment->flags == (kTcpRst | kTcpAck));
    CHECK(segment->acknowledged == 1001);
    CHECK(Bytes(reset->begin(), reset->begin() + 6) ==
          Bytes(kGuest.bytes.begin(), kGuest.bytes.end()));

    frame = tcp_frame(kGuest, {kPrivate, kMetadataAddress, 40000, 80, kTcpAck, 5, 777, "GET"});
    segment = read_tcp(*path.to_service(frame));
    CHECK(segment->flags == kTcpRst);
    CHECK(segment->sequence == 777);

    // A reset gets no answer.
    frame = tcp_frame(kGuest, {kPrivate, kMetadataAddress, 40000, 80, kTcpRst, 5, 0, ""});
    CHECK(path.to_service(frame)->empty());
}

TEST_CASE("DHCP offers and acknowledges the one address, with router, resolver, names and MTU") {
    const GuestNetworkSpec spec = network_spec("/run/kiln");
    const auto offer = answer_dhcp(spec, dhcp_frame(spec, option(53, {1})));
    REQUIRE(offer);
    CHECK(checksums_right(*offer));
    const auto packet = parse_ipv4(*offer);
    CHECK(packet->source == spec.router);
    CHECK(packet->destination == kBroadcastAddress);
    CHECK(packet->source_port == 67);
    CHECK(packet->destination_port == 68);
    const ByteView message = ByteView(*offer).subspan(42);
    CHECK(message[0] == 2);
    CHECK(Bytes(message.begin() + 4, message.begin() + 8) == Bytes{0xfe, 0xed, 0xbe, 0xef});
    CHECK(Ipv4::from_wire(&message[16]) == spec.address);
    CHECK(dhcp_option(*offer, 53) == Bytes{2});
    CHECK(dhcp_option(*offer, 54) == Bytes{172, 31, 0, 1});
    CHECK(dhcp_option(*offer, 1) == Bytes{255, 255, 240, 0});
    CHECK(dhcp_option(*offer, 3) == Bytes{172, 31, 0, 1});
    CHECK(dhcp_option(*offer, 6) == Bytes{172, 31, 0, 2});
    CHECK(as_text(dhcp_option(*offer, 12)) == "ip-172-31-5-10");
    CHECK(as_text(dhcp_option(*offer, 15)) == "ec2.internal");
    CHECK(dhcp_option(*offer, 26) == Bytes{5, 220});
    CHECK(dhcp_option(*offer, 51) == Bytes{0, 0, 14, 16});

    const Bytes wanted = option(50, {172, 31, 5, 10});
    const auto ack =
        answer_dhcp(spec, dhcp_frame(spec, option(53, {3}) + option(54, {172, 31, 0, 1}) + wanted));
    CHECK(dhcp_option(*ack, 53) == Bytes{5});

    // A renewal comes from the address and is answered there.
    const auto renewed = answer_dhcp(spec, dhcp_frame(spec, option(53, {3}), spec.address));
    CHECK(dhcp_option(*renewed, 53) == Bytes{5});
    CHECK(parse_ipv4(*renewed)->destination == spec.address);

    const auto informed = answer_dhcp(spec, dhcp_frame(spec, option(53, {8}), spec.address));
    CHECK(dhcp_option(*informed, 53) == Bytes{5});
    CHECK(dhcp_option(*informed, 51).empty());
    CHECK(Ipv4::from_wire(&(*informed)[42 + 16]) == Ipv4{});
}

TEST_CASE("DHCP refuses a remembered foreign address and is silent to what does not concern it") {
    const GuestNetworkSpec spec = network_spec("/run/kiln");
    const auto nak =
        answer_dhcp(spec, dhcp_frame(spec, option(53, {3}) + option(50, {172, 31, 5, 11})));
    REQUIRE(nak);
    CHECK(dhcp_option(*nak, 53) == Bytes{6});
    CHECK(dhcp_option(*nak, 3).empty());
    CHECK(Ipv4::from_wire(&(*nak)[42 + 16]) == Ipv4{});
    CHECK(parse_ipv4(*nak)->destination == kBroadcastAddress);

    // To another server, releases, declines, another station's, not DHCP at all.
    CHECK_FALSE(answer_dhcp(spec, dhcp_frame(spec, option(53, {3}) + option(54, {1, 2, 3, 4}) +
                                                       option(50, {172, 31, 5, 10}))));
    for (const std::uint8_t type : {4, 7, 0, 99}) {
        CHECK_FALSE(answer_dhcp(spec, dhcp_frame(spec, option(53, {type}))));
    }
    CHECK_FALSE(answer_dhcp(spec, dhcp_frame(spec, {})));
    GuestNetworkSpec other = spec;
    other.mac.bytes[5] ^= 1;
    CHECK_FALSE(answer_dhcp(spec, dhcp_frame(other, option(53, {1}))));
    const Bytes whole = dhcp_frame(spec, option(53, {1}));
    Bytes cookie = whole;
    cookie[42 + 236] ^= 1;
    CHECK_FALSE(answer_dhcp(spec, cookie));
    for (std::size_t size = 0; size < whole.size(); ++size) {
        CHECK_FALSE(answer_dhcp(spec, ByteView(whole).first(size)));
    }
    // An option that says it is longer than the message.
    CHECK_FALSE(answer_dhcp(spec, dhcp_frame(spec, option(53, {1}) + Bytes{60, 200, 1})));
}
