// SPDX-License-Identifier: Apache-2.0
#include "control/effective_rules.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <filesystem>

#include "catalog/sqlite_store.h"
#include "io/clock.h"

using namespace kiln;
using namespace kiln::control;
using model::SecurityGroup;
using model::SecurityGroupId;
using model::SecurityGroupRule;

namespace {

SecurityGroupRule rule(bool egress, const std::string& protocol, std::optional<std::int32_t> from,
                       std::optional<std::int32_t> to, const std::string& range,
                       const std::string& group = "") {
    return {{}, egress, protocol, from, to, range, "", SecurityGroupId(group), ""};
}

SecurityGroup group(const std::string& id, std::vector<SecurityGroupRule> rules) {
    SecurityGroup out;
    out.id = SecurityGroupId(id);
    out.rules = std::move(rules);
    return out;
}

}  // namespace

TEST_CASE("SG-9: rules of several groups add up, each once") {
    const auto rules = effective_rules({group("sg-1", {rule(false, "tcp", 22, 22, "0.0.0.0/0"),
                                                       rule(true, "-1", {}, {}, "0.0.0.0/0")}),
                                        group("sg-2", {rule(false, "tcp", 22, 22, "0.0.0.0/0"),
                                                       rule(false, "tcp", 80, 81, "10.0.0.0/8"),
                                                       rule(true, "-1", {}, {}, "0.0.0.0/0")})});
    CHECK(rules.ingress ==
          std::vector<EffectiveRule>{{"tcp", 22, 22, "0.0.0.0/0"}, {"tcp", 80, 81, "10.0.0.0/8"}});
    CHECK(rules.egress == std::vector<EffectiveRule>{{"-1", 0, 65535, "0.0.0.0/0"}});
}

TEST_CASE("SG-9: a group as the other side stays one, its own included") {
    const auto rules = effective_rules({group(
        "sg-1", {rule(false, "udp", 53, 53, "", "sg-1"), rule(false, "tcp", 1, 2, "", "sg-9")})});
    CHECK(rules.ingress ==
          std::vector<EffectiveRule>{{"tcp", 1, 2, "", "sg-9"}, {"udp", 53, 53, "", "sg-1"}});
    CHECK(rules.egress.empty());
}

TEST_CASE("SG-9: ICMP without a type means any, IPv6 ranges are passed on") {
    SecurityGroupRule six = rule(true, "icmpv6", -1, -1, "");
    six.cidr_ipv6 = "::/0";
    const auto rules =
        effective_rules({group("sg-1", {rule(false, "icmp", {}, {}, "10.0.0.0/8"), six,
                                        rule(false, "icmp", 8, 0, "10.0.0.0/8")})});
    CHECK(rules.ingress ==
          std::vector<EffectiveRule>{{"icmp", -1, -1, "10.0.0.0/8"}, {"icmp", 8, 0, "10.0.0.0/8"}});
    CHECK(rules.egress == std::vector<EffectiveRule>{{"icmpv6", -1, -1, "::/0"}});
}

TEST_CASE("SG-9: no group, no traffic") {
    CHECK(effective_rules({}) == EffectiveRules{});
}

TEST_CASE("SG-9: an instance's rules come from its groups in the catalog") {
    std::string directory = (std::filesystem::temp_directory_path() / "kiln-rules-XXXXXX").string();
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    const auto rng = io::make_system_rng();
    auto store = catalog::open_sqlite_store({directory + "/catalog.db", false}, *rng);
    REQUIRE(store.has_value());
    model::Instance web;
    web.id = model::InstanceId("i-1");
    web.region = "us-east-1";
    web.security_groups = {SecurityGroupId("sg-web")};
    const auto rules = (*store)->run([&](catalog::Transaction& tx) -> Result<EffectiveRules> {
        TRY(tx.security_groups().insert(group(
            "sg-web",
            {rule(false, "tcp", 80, 80, "0.0.0.0/0"), rule(false, "tcp", 22, 22, "", "sg-jump")})));
        TRY(tx.instances().insert(web));
        return load_effective_rules(tx, web);
    });
    std::filesystem::remove_all(directory);
    REQUIRE_MESSAGE(rules.has_value(), (rules ? "" : rules.error().to_string()));
    CHECK(rules->ingress ==
          std::vector<EffectiveRule>{{"tcp", 22, 22, "", "sg-jump"}, {"tcp", 80, 80, "0.0.0.0/0"}});
    CHECK(rules->egress.empty());
}
