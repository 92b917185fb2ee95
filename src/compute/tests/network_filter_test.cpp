// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "compute/network/frame_filter.h"
#include "compute/tests/guest_peer.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;
using Route = FrameFilter::Route;

namespace {

const Cidr kAll = *Cidr::parse("0.0.0.0/0");
const Ipv4 kOutside = *Ipv4::parse("93.184.216.34");

// A filter with its guest's view, and time that only the test moves.
struct World {
    explicit World(GuestNetworkRules rules, bool with_api = false)
        : spec(network_spec("/run/kiln")) {
        spec.rules = std::move(rules);
        spec.api_socket = with_api ? "/run/kiln/api" : "";
        filter = std::make_unique<FrameFilter>(spec);
        filter->set_host_addresses({*Ipv4::parse("127.0.0.1"), *Ipv4::parse("192.0.2.7")});
    }
    World() : World(network_spec("/run/kiln").rules) {}

    Route tcp(Ipv4 to, std::uint16_t port, std::uint16_t from_port = 40000) {
        return send(tcp_frame(spec.mac, {spec.address, to, from_port, port, kTcpSyn, 1, 0, ""}));
    }
    Route udp(Ipv4 to, std::uint16_t port) {
        return send(udp_frame(spec.mac, spec.address, 40000, to, port, "x"));
    }
    Route ping(Ipv4 to, std::uint8_t type = 8) {
        return send(icmp_frame(spec.mac, spec.address, to, type, 0, 77));
    }
    Route send(const Bytes& frame) { return filter->from_guest(frame, now); }
    bool tcp_in(Ipv4 from, std::uint16_t from_port, std::uint16_t port) {
        return filter->to_guest(
            tcp_frame(spec.mac, {from, spec.address, from_port, port, kTcpSyn, 1, 0, ""}), now);
    }
    bool udp_in(Ipv4 from, std::uint16_t from_port, std::uint16_t port) {
        return filter->to_guest(udp_frame(spec.mac, from, from_port, spec.address, port, "x"), now);
    }
    bool icmp_in(Ipv4 from, std::uint8_t type, std::uint16_t identifier = 77) {
        return filter->to_guest(icmp_frame(spec.mac, from, spec.address, type, 0, identifier), now);
    }

    GuestNetworkSpec spec;
    std::unique_ptr<FrameFilter> filter;
    FlowTable::Time now{};
};

GuestNetworkRules rules(std::vector<TrafficRule> ingress, std::vector<TrafficRule> egress) {
    GuestNetworkRules out;
    out.ingress = std::move(ingress);
    out.egress = std::move(egress);
    return out;
}

Ipv4 address(const char* text) {
    return *Ipv4::parse(text);
}

}  // namespace

TEST_CASE("a guest cannot pretend to be another station or address") {
    World world;
    CHECK(world.tcp(kOutside, 80) == Route::uplink);
    Mac other = world.spec.mac;
    other.bytes[5] ^= 1;
    const Segment segment{world.spec.address, kOutside, 1, 80, kTcpSyn, 1, 0, ""};
    CHECK(world.send(tcp_frame(other, segment)) == Route::drop);
    Segment spoofed = segment;
    spoofed.from = address("172.31.5.11");
    CHECK(world.send(tcp_frame(world.spec.mac, spoofed)) == Route::drop);
    spoofed.from = Ipv4{};
    CHECK(world.send(tcp_frame(world.spec.mac, spoofed)) == Route::drop);
    // ARP: only in its own name.
    const Ipv4 router = world.spec.router;
    CHECK(world.send(arp_request(world.spec.mac, world.spec.address, router)) == Route::arp);
    CHECK(world.send(arp_request(world.spec.mac, Ipv4{}, router)) == Route::arp);
    CHECK(world.send(arp_request(world.spec.mac, address("172.31.5.11"), router)) == Route::drop);
    CHECK(world.send(arp_request(other, world.spec.address, router)) == Route::drop);
    Bytes lying = arp_request(world.spec.mac, world.spec.address, router);
    lying[27] ^= 1;  // the sender inside differs from the frame's
    CHECK(world.send(lying) == Route::drop);
}

TEST_CASE("ARP is answered for router, resolver and metadata service alone") {
    World world;
    const auto ask = [&](Ipv4 target) {
        return world.send(arp_request(world.spec.mac, world.spec.address, target));
    };
    CHECK(ask(world.spec.router) == Route::arp);
    CHECK(ask(world.spec.dns) == Route::arp);
    CHECK(ask(kMetadataAddress) == Route::arp);
    CHECK(ask(world.spec.address) == Route::drop);  // else the guest finds its address taken
    CHECK(ask(address("172.31.5.11")) == Route::drop);
    CHECK(ask(metadata_alias(world.spec)) == Route::drop);
}

TEST_CASE("a guest reaches neither this host nor its services, whatever the rules say") {
    World world;
    for (const char* refused :
         {"127.0.0.1", "127.1.2.3", "0.0.0.0", "0.1.2.3", "192.0.2.7", "169.254.1.1",
          "169.254.169.253", "224.0.0.1", "239.255.255.250", "255.255.255.255", "240.0.0.1",
          "172.31.0.3", "172.31.5.11", "172.31.200.1"}) {
        CAPTURE(refused);
        CHECK(world.tcp(address(refused), 22) == Route::drop);
        CHECK(world.udp(address(refused), 5353) == Route::drop);
        CHECK(world.ping(address(refused)) == Route::drop);
    }
    CHECK(world.tcp(address("192.0.2.8"), 22) == Route::uplink);

    GuestNetworkRules blocking = world.spec.rules;
    blocking.blocked = {*Cidr::parse("192.0.2.0/24")};
    world.filter->set_rules(blocking);
    CHECK(world.tcp(address("192.0.2.8"), 22) == Route::drop);
}

TEST_CASE(
    "through the resolver's address nothing but DNS and ping passes, through the router's ping") {
    World world;
    CHECK(world.udp(world.spec.dns, 53) == Route::uplink);
    CHECK(world.tcp(world.spec.dns, 53) == Route::uplink);
    CHECK(world.tcp(world.spec.dns, 22) == Route::drop);
    CHECK(world.udp(world.spec.dns, 5353) == Route::drop);
    CHECK(world.ping(world.spec.dns) == Route::uplink);
    CHECK(world.tcp(world.spec.router, 22) == Route::drop);
    CHECK(world.tcp(world.spec.router, 53) == Route::drop);
    CHECK(world.udp(world.spec.router, 69) == Route::drop);
    CHECK(world.ping(world.spec.router) == Route::uplink);
    CHECK(world.icmp_in(world.spec.router, 0));
}

TEST_CASE("services at fixed addresses are not subject to security groups") {
    World world(rules({}, {}));
    CHECK(world.udp(world.spec.dns, 53) == Route::uplink);
    CHECK(world.udp_in(world.spec.dns, 53, 40000));
    CHECK(world.tcp(kMetadataAddress, 80) == Route::metadata);
    CHECK(world.tcp_in(kMetadataAddress, 80, 40000));
    CHECK(world.tcp(kMetadataAddress, 443) == Route::drop);
    CHECK(world.udp(kMetadataAddress, 80) == Route::drop);
    CHECK(world.ping(kMetadataAddress) == Route::drop);
    const Bytes discover = {53, 1, 1};
    CHECK(world.send(dhcp_frame(world.spec, discover)) == Route::dhcp);
    CHECK(world.send(dhcp_frame(world.spec, discover, world.spec.address)) == Route::dhcp);
    CHECK(world.send(dhcp_frame(world.spec, discover, address("172.31.5.11"))) == Route::drop);
    CHECK(world.tcp(kOutside, 80) == Route::drop);
}

TEST_CASE("the API is reached as egress rules allow, where there is one, and begins nothing") {
    const GuestNetworkRules http = rules({{-1, -1, -1, kAll}}, {{6, 80, 80, kAll}});
    World without(http);
    CHECK(without.tcp(kApiAddress, 80) == Route::drop);

    World world(http, true);
    CHECK_FALSE(world.tcp_in(kApiAddress, 80, 40000));
    CHECK(world.tcp(kApiAddress, 80) == Route::api);
    CHECK(world.tcp_in(kApiAddress, 80, 40000));
    CHECK_FALSE(world.tcp_in(kApiAddress, 22, 22));
    CHECK(world.tcp(kApiAddress, 443) == Route::drop);
    CHECK(world.udp(kApiAddress, 80) == Route::drop);
    CHECK(world.ping(kApiAddress) == Route::drop);
    CHECK(world.tcp({kApiAddress.value + 1}, 80) == Route::drop);

    World closed(rules({}, {{6, 443, 443, kAll}}), true);
    CHECK(closed.tcp(kApiAddress, 80) == Route::drop);
    World narrow(rules({}, {{6, 80, 80, *Cidr::parse("169.254.169.80/32")}}), true);
    CHECK(narrow.tcp(kApiAddress, 80) == Route::api);
}

TEST_CASE("egress rules admit by protocol, port and destination") {
    struct Row {
        TrafficRule rule;
        bool tcp80, tcp443, udp53, ping;
    };
    const Row rows[] = {
        {{-1, -1, -1, kAll}, true, true, true, true},
        {{-1, -1, -1, *Cidr::parse("93.184.216.0/24")}, true, true, true, true},
        {{-1, -1, -1, *Cidr::parse("93.184.217.0/24")}, false, false, false, false},
        {{6, 80, 80, kAll}, true, false, false, false},
        {{6, 80, 443, kAll}, true, true, false, false},
        {{6, -1, -1, kAll}, true, true, false, false},
        {{17, 53, 53, kAll}, false, false, true, false},
        {{17, 0, 65535, kAll}, false, false, true, false},
        {{1, -1, -1, kAll}, false, false, false, true},
        {{1, 8, -1, kAll}, false, false, false, true},
        {{1, 8, 0, kAll}, false, false, false, true},
        {{1, 8, 1, kAll}, false, false, false, false},
        {{1, 3, -1, kAll}, false, false, false, false},
        {{47, -1, -1, kAll}, false, false, false, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.rule.protocol);
        CAPTURE(row.rule.from);
        CAPTURE(row.rule.to);
        World world(rules({}, {row.rule}));
        CHECK((world.tcp(kOutside, 80) == Route::uplink) == row.tcp80);
        CHECK((world.tcp(kOutside, 443) == Route::uplink) == row.tcp443);
        CHECK((world.udp(kOutside, 53) == Route::uplink) == row.udp53);
        CHECK((world.ping(kOutside) == Route::uplink) == row.ping);
    }
}

TEST_CASE("ingress rules admit by protocol, port and source; local clients come as the router") {
    struct Row {
        TrafficRule rule;
        bool local22, outside22, local80;
    };
    const Row rows[] = {
        {{6, 22, 22, kAll}, true, true, false},
        {{-1, -1, -1, kAll}, true, true, true},
        {{6, 22, 22, *Cidr::parse("127.0.0.0/8")}, true, false, false},
        {{6, 22, 22, *Cidr::parse("192.0.2.7/32")}, true, false, false},
        {{6, 22, 22, *Cidr::parse("93.184.216.34/32")}, false, true, false},
        {{6, 22, 22, *Cidr::parse("172.31.0.1/32")}, false, false, false},
        {{6, 22, 80, kAll}, true, true, true},
        {{17, 22, 22, kAll}, false, false, false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.rule.peer.text());
        World world(rules({row.rule}, {}));
        CHECK(world.tcp_in(world.spec.router, 5000, 22) == row.local22);
        CHECK(world.tcp_in(kOutside, 5000, 22) == row.outside22);
        CHECK(world.tcp_in(world.spec.router, 5001, 80) == row.local80);
    }
}

TEST_CASE("security groups are stateful in both directions") {
    // Nothing may come in: answers to what the guest began still do.
    World client(rules({}, {{-1, -1, -1, kAll}}));
    CHECK_FALSE(client.tcp_in(kOutside, 80, 40000));
    CHECK(client.tcp(kOutside, 80) == Route::uplink);
    CHECK(client.tcp_in(kOutside, 80, 40000));
    CHECK_FALSE(client.tcp_in(kOutside, 81, 40000));
    CHECK_FALSE(client.tcp_in(kOutside, 80, 40001));
    CHECK(client.udp(kOutside, 123) == Route::uplink);
    CHECK(client.udp_in(kOutside, 123, 40000));
    CHECK_FALSE(client.icmp_in(kOutside, 0));
    CHECK(client.ping(kOutside) == Route::uplink);
    CHECK(client.icmp_in(kOutside, 0));
    CHECK_FALSE(client.icmp_in(kOutside, 0, 78));

    // Nothing may go out: answers of the guest to its clients still do.
    World server(rules({{6, 22, 22, kAll}}, {}));
    CHECK(server.tcp(server.spec.router, 5000, 22) == Route::drop);
    CHECK(server.tcp_in(server.spec.router, 5000, 22));
    CHECK(server.tcp(server.spec.router, 5000, 22) == Route::uplink);
    CHECK(server.tcp(server.spec.router, 5001, 22) == Route::drop);
    CHECK(server.tcp(kOutside, 5000, 22) == Route::drop);

    // What is under way goes on when its rule goes; new connections do not.
    server.filter->set_rules(rules({}, {}));
    CHECK(server.tcp_in(server.spec.router, 5000, 22));
    CHECK(server.tcp(server.spec.router, 5000, 22) == Route::uplink);
    CHECK_FALSE(server.tcp_in(server.spec.router, 5002, 22));
}

TEST_CASE("idle flows are forgotten") {
    World world(rules({}, {{-1, -1, -1, kAll}}));
    CHECK(world.tcp(kOutside, 80) == Route::uplink);
    CHECK(world.udp(kOutside, 123) == Route::uplink);
    world.now += std::chrono::minutes(4);
    CHECK(world.tcp_in(kOutside, 80, 40000));
    CHECK_FALSE(world.udp_in(kOutside, 123, 40000));
    world.now += std::chrono::minutes(59);
    CHECK(world.tcp_in(kOutside, 80, 40000));
    world.now += std::chrono::minutes(61);
    CHECK_FALSE(world.tcp_in(kOutside, 80, 40000));
}

TEST_CASE("the table of flows is bounded and forgets the one unused for longest") {
    FlowTable flows(3);
    const FlowTable::Time now{};
    const auto key = [](std::uint16_t port) { return FlowKey{kTcp, kOutside, port, 1}; };
    for (std::uint16_t port = 1; port <= 3; ++port) {
        flows.insert(key(port), now);
    }
    CHECK(flows.touch(key(1), now));
    flows.insert(key(4), now);
    CHECK(flows.size() == 3);
    CHECK(flows.touch(key(1), now));
    CHECK_FALSE(flows.touch(key(2), now));
    CHECK(flows.touch(key(3), now));
    CHECK(flows.touch(key(4), now));
}

TEST_CASE(
    "from the guest come no fragments, no foreign protocols, no oversized frames, no errors") {
    World world;
    Bytes frame = udp_frame(world.spec.mac, world.spec.address, 1, kOutside, 80, "x");
    CHECK(world.send(frame) == Route::uplink);
    frame[20] = 0x20;
    CHECK(world.send(frame) == Route::drop);
    frame[20] = 0;
    frame[23] = 47;
    CHECK(world.send(frame) == Route::drop);
    CHECK(world.send(udp_frame(world.spec.mac, world.spec.address, 1, kOutside, 80,
                               std::string(1473, 'x'))) == Route::drop);
    CHECK(world.ping(kOutside, 3) == Route::drop);
    CHECK(world.ping(kOutside, 0) == Route::drop);
    Bytes six(60, 0);
    std::copy(world.spec.mac.bytes.begin(), world.spec.mac.bytes.end(), six.begin() + 6);
    six[12] = 0x86;
    six[13] = 0xdd;
    CHECK(world.send(six) == Route::drop);
}

TEST_CASE("errors about the guest's own packets reach it, frames for others do not") {
    World world(rules({}, {}));
    CHECK(world.icmp_in(kOutside, 3));
    CHECK(world.icmp_in(kOutside, 11));
    CHECK_FALSE(world.icmp_in(kOutside, 8));
    const Bytes foreign =
        udp_frame(world.spec.mac, world.spec.dns, 53, address("172.31.5.11"), 1, "x");
    CHECK_FALSE(world.filter->to_guest(foreign, world.now));
}
