// SPDX-License-Identifier: Apache-2.0
#include "model/network.h"

#include <doctest/doctest.h>

#include "model/cidr.h"

using namespace kiln;
using namespace kiln::model;

TEST_CASE("an IPv4 address is four decimal numbers and nothing else") {
    CHECK(parse_ipv4("172.31.0.4") == 0xAC1F0004U);
    CHECK(format_ipv4(0xAC1F0004U) == "172.31.0.4");
    for (const char* bad : {"", "1.2.3", "1.2.3.4.5", "256.0.0.1", "01.2.3.4", "1.2.3.-4",
                            "1.2.3.4 ", "1..2.3", "a.b.c.d", "1.2.3.0004"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_ipv4(bad).has_value());
    }
}

TEST_CASE("SG-5: a range loses the bits behind its prefix") {
    CHECK(format_cidr(*parse_ipv4_cidr("10.1.2.3/8")) == "10.0.0.0/8");
    CHECK(format_cidr(*parse_ipv4_cidr("10.1.2.3/32")) == "10.1.2.3/32");
    CHECK(format_cidr(*parse_ipv4_cidr("1.2.3.4/0")) == "0.0.0.0/0");
    for (const char* bad : {"10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/08", "10.0.0/8",
                            "10.0.0.0/-1", "10.0.0.0/8/8", "/8"}) {
        CAPTURE(bad);
        CHECK_FALSE(parse_ipv4_cidr(bad).has_value());
    }
    const Ipv4Cidr range = *parse_ipv4_cidr("172.31.16.0/20");
    CHECK(range.size() == 4096);
    CHECK(range.contains(*parse_ipv4("172.31.31.255")));
    CHECK_FALSE(range.contains(*parse_ipv4("172.31.32.0")));
    CHECK(parse_ipv4_cidr("0.0.0.0/0")->contains(0xFFFFFFFFU));
}

TEST_CASE("SG-5: an IPv6 range is kept in its shortest form") {
    CHECK(canonical_ipv6_cidr("::/0") == "::/0");
    CHECK(canonical_ipv6_cidr("2001:DB8:0:0::1/32") == "2001:db8::/32");
    CHECK(canonical_ipv6_cidr("2001:db8::1/128") == "2001:db8::1/128");
    CHECK(canonical_ipv6_cidr("2001:db8:ffff::/33") == "2001:db8:8000::/33");
    for (const char* bad : {"::", "::/129", "10.0.0.0/8", "2001:db8/32", "g::/0"}) {
        CAPTURE(bad);
        CHECK_FALSE(canonical_ipv6_cidr(bad).has_value());
    }
}

TEST_CASE("SG-6: two rules are the same whatever their ids and descriptions") {
    SecurityGroupRule a;
    a.id = SecurityGroupRuleId("sgr-1");
    a.protocol = "tcp";
    a.from_port = 22;
    a.to_port = 22;
    a.cidr_ipv4 = "0.0.0.0/0";
    SecurityGroupRule b = a;
    b.id = SecurityGroupRuleId("sgr-2");
    b.description = "ssh";
    CHECK(same_rule(a, b));
    b.egress = true;
    CHECK_FALSE(same_rule(a, b));
}
