// SPDX-License-Identifier: Apache-2.0
#include "compute/network/public_pool.h"

#include <doctest/doctest.h>

#include <set>

#include "compute/network/driver.h"
#include "compute/network/public_addresses.h"

using namespace kiln;
using namespace kiln::compute;

namespace {

Cidr cidr(const char* text) {
    return *Cidr::parse(text);
}
Ipv4 address(const char* text) {
    return *Ipv4::parse(text);
}

PoolClaims all_free() {
    return {[](Ipv4) { return std::optional(UniqueFd()); }, [](Ipv4) { return false; }};
}

std::string refusal(const char* text, const std::vector<HostNetwork>& taken = {}) {
    const auto pool = parse_public_pool(text, taken);
    return pool ? "" : pool.error().message();
}

bool has(const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("D20: a pool gives out its addresses but the first two and the last") {
    PublicPool pool(cidr("203.0.113.8/29"), all_free());
    CHECK(pool.host() == address("203.0.113.9"));
    std::set<std::string> given;
    for (int i = 0; i < 5; ++i) {
        const auto taken = pool.take();
        REQUIRE(taken);
        given.insert(taken->text());
    }
    CHECK(given == std::set<std::string>{"203.0.113.10", "203.0.113.11", "203.0.113.12",
                                         "203.0.113.13", "203.0.113.14"});
    const auto none = pool.take();
    REQUIRE_FALSE(none);
    CHECK(none.error().code() == Code::resource_exhausted);
    CHECK(has(none.error().message(), "203.0.113.8/29"));
    pool.give_back(address("203.0.113.12"));
    CHECK(*pool.take() == address("203.0.113.12"));
}

TEST_CASE("D20: what is held, claimed or carried by others is passed over") {
    PoolClaims claims = all_free();
    claims.carried = [](Ipv4 a) { return a == address("203.0.113.3"); };
    claims.claim = [](Ipv4 a) {
        return a == address("203.0.113.4") ? std::nullopt : std::optional(UniqueFd());
    };
    PublicPool pool(cidr("203.0.113.0/24"), claims);
    pool.hold(address("203.0.113.2"));
    CHECK(*pool.take() == address("203.0.113.5"));
}

TEST_CASE("D20: two services with one pool never give the same address") {
    PublicPool first(cidr("203.0.113.0/24"), claims_by_socket());
    auto second = std::make_unique<PublicPool>(cidr("203.0.113.0/28"), claims_by_socket());
    const auto mine = first.take();
    const auto other = second->take();
    REQUIRE(mine);
    REQUIRE(other);
    CHECK(*mine != *other);
    second.reset();
    CHECK(*first.take() == *other);
}

TEST_CASE("D20: a pool that cannot be had is refused with the reason") {
    CHECK(parse_public_pool("203.0.113.0/24", {}));
    CHECK(parse_public_pool("10.7.0.0/16", {}));
    for (const char* text : {"", "203.0.113.0", "203.0.113.0/33", "203.0.113.5/24", "a.b.c.d/24"}) {
        CHECK(has(refusal(text), "as 203.0.113.0/24"));
    }
    CHECK(has(refusal("203.0.113.0/30"), "8 to 65,536 addresses"));
    CHECK(has(refusal("10.0.0.0/15"), "8 to 65,536 addresses"));
    CHECK(has(refusal("127.5.0.0/24"), "overlaps 127.0.0.0/8 (the loopback network)"));
    CHECK(has(refusal("169.254.7.0/24"), "169.254.0.0/16"));
    CHECK(has(refusal("240.0.0.0/24"), "224.0.0.0/3"));
    CHECK(has(refusal("172.31.16.0/24"), "the default VPC's network"));
    const std::vector<HostNetwork> host = {{cidr("10.1.2.0/24"), "the network of eth0"}};
    CHECK(has(refusal("10.1.0.0/16", host), "overlaps 10.1.2.0/24 (the network of eth0)"));
    CHECK(has(refusal("10.1.2.64/28", host), "overlaps 10.1.2.0/24 (the network of eth0)"));
    CHECK(parse_public_pool("10.2.0.0/16", host));
}

TEST_CASE("D20: the kernel's routes are read, but those that are no obstacle") {
    const std::string table =
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"
        "eth0\t00000000\t0101A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "vpn0\t00000080\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n"
        "eth0\t0001A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "*\t007100CB\t00000000\t0201\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "kiln0\t027100CB\t00000000\t0005\t0\t0\t0\tFFFFFFFF\t0\t0\t0\n"
        "eth1\tnonsense\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
        "eth1\t0001A8C0\n";
    const auto found = parse_routes(table);
    REQUIRE(found.size() == 1);
    CHECK(found[0].network == cidr("192.168.1.0/24"));
    CHECK(found[0].where == "a route by eth0");
    CHECK(parse_routes("").empty());
}

TEST_CASE("D20: addresses of both drivers are kept apart, and those of an old pool known as such") {
    const auto loopback = [] {
        return std::make_unique<LoopbackPool>("store", [](const Cidr&) { return true; });
    };
    PublicAddresses user(loopback());
    const auto local = user.take();
    REQUIRE(local);
    CHECK(kLoopbackNetwork.contains(*local));
    CHECK_FALSE(user.tunnel_of(*local));
    CHECK_FALSE(user.serves(address("203.0.113.2")));
    CHECK_FALSE(user.pool());

    PublicAddresses tun(loopback(),
                        std::make_unique<PublicPool>(cidr("203.0.113.0/24"), all_free()));
    tun.hold(*local);
    tun.hold(address("203.0.113.2"));
    const auto routed = tun.take();
    REQUIRE(routed);
    CHECK(*routed == address("203.0.113.3"));
    CHECK(tun.tunnel_of(*routed) == TunnelSpec{*routed, address("203.0.113.1")});
    CHECK(tun.serves(*local));
    CHECK_FALSE(tun.tunnel_of(*local));
    CHECK_FALSE(tun.serves(address("192.0.2.2")));
    CHECK_FALSE(tun.serves(address("203.0.113.1")));
    tun.give_back(*routed);
    CHECK(*tun.take() == *routed);
}

TEST_CASE("D20: auto takes user if low ports can be bound, else tun if it can, else user") {
    const auto automatic = [](const DriverFacts& facts) {
        return choose_driver(DriverWish::automatic, facts)->driver;
    };
    CHECK(automatic({"", "", true}) == NetworkDriver::user);
    CHECK(automatic({"taken", "", true}) == NetworkDriver::tun);
    CHECK(automatic({"taken", "", false}) == NetworkDriver::user);
    CHECK(automatic({"taken", "no device", true}) == NetworkDriver::user);
    const auto why = choose_driver(DriverWish::automatic, {"taken", "no device", true})->reason;
    CHECK(has(why, "taken"));
    CHECK(has(why, "no device"));
}

TEST_CASE("D20: a driver that was asked for and cannot be had is an error with what to do") {
    CHECK(choose_driver(DriverWish::tun, {"", "", true})->driver == NetworkDriver::tun);
    CHECK(has(choose_driver(DriverWish::tun, {"", "", false}).error().message(),
              "needs --public-pool"));
    CHECK(has(choose_driver(DriverWish::tun, {"", "no device", true}).error().message(),
              "no device"));
    CHECK(choose_driver(DriverWish::user, {"taken", "", false})->driver == NetworkDriver::user);
    CHECK_FALSE(choose_driver(DriverWish::user, {"", "", true}));
    CHECK(*parse_driver_wish("auto") == DriverWish::automatic);
    CHECK(*parse_driver_wish("tun") == DriverWish::tun);
    CHECK_FALSE(parse_driver_wish("bridge"));
}
