// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include <set>

#include "compute/network/address.h"
#include "compute/network/loopback_block.h"

using namespace kiln;
using namespace kiln::compute;

TEST_CASE("addresses, networks and stations are read strictly and written back the same") {
    for (const char* text : {"0.0.0.0", "127.0.0.1", "172.31.5.10", "255.255.255.255"}) {
        CHECK(Ipv4::parse(text)->text() == text);
    }
    for (const char* text : {"", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.-4",
                             " 1.2.3.4", "1.2.3.4 ", "1..3.4", "1.2.3.4/8", "a.b.c.d"}) {
        CHECK_FALSE(Ipv4::parse(text));
    }
    for (const char* text : {"0.0.0.0/0", "10.0.0.0/8", "172.31.16.0/20", "1.2.3.4/32"}) {
        CHECK(Cidr::parse(text)->text() == text);
    }
    for (const char* text : {"10.0.0.0", "10.0.0.1/8", "10.0.0.0/33", "10.0.0.0/", "/8",
                             "10.0.0.0/08", "10.0.0.0/8/8"}) {
        CHECK_FALSE(Cidr::parse(text));
    }
    CHECK(Mac::parse("0e:FF:00:9a:bc:01")->text() == "0e:ff:00:9a:bc:01");
    for (const char* text : {"", "0e:ff:00:9a:bc", "0e:ff:00:9a:bc:0", "0e:ff:00:9a:bc:0g",
                             "0eff009abc01", "0e:ff:00:9a:bc:01:02", "0e:ff:00:9a:bc:+1"}) {
        CHECK_FALSE(Mac::parse(text));
    }
}

TEST_CASE("a network contains its addresses and the networks within") {
    const Cidr all = *Cidr::parse("0.0.0.0/0");
    const Cidr ten = *Cidr::parse("10.0.0.0/8");
    const Cidr one = *Cidr::parse("10.1.2.3/32");
    CHECK(all.contains(*Ipv4::parse("255.255.255.255")));
    CHECK(ten.contains(*Ipv4::parse("10.255.0.1")));
    CHECK_FALSE(ten.contains(*Ipv4::parse("11.0.0.0")));
    CHECK(one.contains(*Ipv4::parse("10.1.2.3")));
    CHECK_FALSE(one.contains(*Ipv4::parse("10.1.2.2")));
    CHECK(all.contains(ten));
    CHECK(ten.contains(one));
    CHECK_FALSE(ten.contains(all));
    CHECK(Cidr::around(*Ipv4::parse("172.31.21.9"), 20).text() == "172.31.16.0/20");
    CHECK(Cidr::around(*Ipv4::parse("172.31.21.9"), 0).text() == "0.0.0.0/0");
}

TEST_CASE("D20: a store's loopback block follows from its uuid, and the next free one serves") {
    const std::string uuid = "4a0e4d1e-3c55-4b5f-9d35-2f4d6ab0c2de";
    const auto none = [](const Cidr&) { return false; };
    const Cidr block = *choose_loopback_block(uuid, none);
    CHECK(block == *choose_loopback_block(uuid, none));
    CHECK(block.prefix == 24);
    CHECK(kLoopbackNetwork.contains(block));
    const Cidr next = *choose_loopback_block(uuid, [&](const Cidr& c) { return c == block; });
    CHECK(next.base.value == block.base.value + 256);

    // Every block is found before it gives up, none of them in 127.0 or 127.255.
    std::set<Cidr> taken;
    while (const auto more =
               choose_loopback_block(uuid, [&](const Cidr& c) { return taken.count(c) != 0; })) {
        REQUIRE(taken.insert(*more).second);
        const auto second = more->base.value >> 16 & 255;
        REQUIRE((second >= 1 && second <= 254));
        if (taken.size() > 300) {
            break;  // the whole round is quadratic; the wrap is tested below
        }
    }
    CHECK(taken.size() > 300);
    const auto all = choose_loopback_block(uuid, [](const Cidr&) { return true; });
    CHECK(all.error().code() == Code::resource_exhausted);
    // The only free block is the one before the first choice: found after wrapping around.
    const Cidr before{{block.base.value - 256}, 24};
    CHECK(*choose_loopback_block(uuid, [&](const Cidr& c) { return c != before; }) == before);
}

TEST_CASE("D20: different stores get different blocks") {
    std::set<Cidr> blocks;
    for (int i = 0; i < 100; ++i) {
        blocks.insert(*choose_loopback_block("store-" + std::to_string(i),
                                             [](const Cidr&) { return false; }));
    }
    CHECK(blocks.size() >= 98);
}

TEST_CASE("D20: addresses of a block are given lowest first, without its ends, until it is full") {
    const Cidr block = *Cidr::parse("127.9.8.0/24");
    std::set<Ipv4> used;
    while (const auto address =
               free_loopback_address(block, [&](Ipv4 a) { return used.count(a) != 0; })) {
        REQUIRE(used.insert(*address).second);
    }
    CHECK(used.size() == 254);
    CHECK(used.begin()->text() == "127.9.8.1");
    CHECK(used.rbegin()->text() == "127.9.8.254");
}
