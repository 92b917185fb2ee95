// SPDX-License-Identifier: Apache-2.0
#include "control/permissions.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::control;
using model::SecurityGroupRule;

namespace {

const FindPeer kPeers = [](const PeerGroup& peer) -> Result<model::SecurityGroupId> {
    return model::SecurityGroupId(peer.id);
};

Permission permission(const std::string& protocol, std::optional<std::int32_t> from,
                      std::optional<std::int32_t> to) {
    return {protocol, from, to, {}, {{"10.0.0.0/8", ""}}, {}, {}};
}

Result<SecurityGroupRule> one(const Permission& given) {
    TRY_ASSIGN(auto rules, to_rules({given}, false, kPeers));
    REQUIRE(rules.size() == 1);
    return rules.front();
}

std::string code_of(const Permission& given) {
    const auto rules = to_rules({given}, false, kPeers);
    return rules ? "accepted" : rules.error().api_code();
}

}  // namespace

TEST_CASE("SG-5: protocols are names where they have one, whatever the request says") {
    for (const auto& [given, kept] : std::map<std::string, std::string>{
             {"6", "tcp"}, {"TCP", "tcp"}, {"17", "udp"}, {"udp", "udp"}}) {
        CHECK(one(permission(given, 1, 2))->protocol == kept);
    }
    for (const auto& [given, kept] : std::map<std::string, std::string>{
             {"1", "icmp"}, {"58", "icmpv6"}, {"all", "-1"}, {"-1", "-1"}, {"47", "47"}}) {
        CHECK(one(permission(given, {}, {}))->protocol == kept);
    }
    for (const char* bad : {"tcpp", "256", "-2", "4.5", " tcp"}) {
        CAPTURE(bad);
        CHECK(code_of(permission(bad, 1, 2)) == "InvalidParameterValue");
    }
    CHECK(code_of(permission("", 1, 2)) == "MissingParameter");
}

TEST_CASE("SG-5: ports belong to TCP and UDP, types to ICMP, nothing to the others") {
    const auto tcp = *one(permission("tcp", 0, 65535));
    CHECK((tcp.from_port == 0 && tcp.to_port == 65535));
    const auto icmp = *one(permission("icmp", {}, {}));
    CHECK((icmp.from_port == -1 && icmp.to_port == -1));
    const auto echo = *one(permission("icmp", 8, -1));
    CHECK((echo.from_port == 8 && echo.to_port == -1));
    const auto all = *one(permission("-1", 22, 22));
    CHECK_FALSE((all.from_port || all.to_port));
    const auto gre = *one(permission("47", 1, 2));
    CHECK_FALSE((gre.from_port || gre.to_port));
    for (const auto& bad :
         {permission("tcp", {}, {}), permission("tcp", 22, {}), permission("udp", 2, 1),
          permission("tcp", -1, -1), permission("tcp", 1, 65536), permission("icmp", -1, 0),
          permission("icmp", 256, 0), permission("icmp", 8, -2)}) {
        CAPTURE(
            describe_rule({{}, false, bad.protocol, bad.from_port, bad.to_port, "", "", {}, ""}));
        CHECK(code_of(bad) == "InvalidParameterValue");
    }
}

TEST_CASE("SG-5: a rule per source; grouped again they are the permissions that were given") {
    Permission given = permission("tcp", 22, 23);
    given.ipv4.push_back({"10.9.8.7/32", "mine"});
    given.ipv6.push_back({"2001:DB8::/32", ""});
    given.groups.push_back({"sg-1", "", "", "peers"});
    const Permission other = permission("udp", 53, 53);
    const auto rules = *to_rules({given, other}, false, kPeers);
    REQUIRE(rules.size() == 5);
    CHECK(rules[1].description == "mine");
    const auto again = to_permissions(rules, false, model::AccountId("1"));
    REQUIRE(again.size() == 2);
    CHECK(again[0].ipv4.size() == 2);
    CHECK(again[0].ipv6[0].cidr == "2001:db8::/32");
    CHECK((again[0].groups[0].id == "sg-1" && again[0].groups[0].owner == "1"));
    CHECK(again[1].protocol == "udp");
    CHECK(to_permissions(rules, true, model::AccountId("1")).empty());
}

TEST_CASE("SG-5: the same source twice, or none at all, is refused") {
    Permission twice = permission("tcp", 22, 22);
    twice.ipv4.push_back({"10.1.2.3/8", "the same range"});
    CHECK(code_of(twice) == "InvalidParameterValue");
    Permission none = permission("tcp", 22, 22);
    none.ipv4.clear();
    CHECK(code_of(none) == "MissingParameter");
    CHECK(to_rules({}, false, kPeers).error().api_code() == "MissingParameter");
}

TEST_CASE("SG-6: a rule is named as EC2 names it") {
    CHECK(describe_rule(*one(permission("tcp", 22, 23))) ==
          "peer: 10.0.0.0/8, TCP, from port: 22, to port: 23, ALLOW");
    CHECK(describe_rule(*one(permission("-1", {}, {}))) == "peer: 10.0.0.0/8, ALL, ALLOW");
    CHECK(describe_rule(*one(permission("icmp", 8, 0))) ==
          "peer: 10.0.0.0/8, ICMP, type: 8, code: 0, ALLOW");
}
