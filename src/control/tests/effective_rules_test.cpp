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
                                                       rule(true, "-1", {}, {}, "0.0.0.0/0")})},
                                       {});
    CHECK(rules.ingress ==
          std::vector<EffectiveRule>{{"tcp", 22, 22, "0.0.0.0/0"}, {"tcp", 80, 81, "10.0.0.0/8"}});
    CHECK(rules.egress == std::vector<EffectiveRule>{{"-1", 0, 65535, "0.0.0.0/0"}});
}

TEST_CASE("SG-9: a group stands for the addresses of its members, an empty one for nothing") {
    const GroupMembers members{{SecurityGroupId("sg-1"), {"172.31.0.5", "172.31.0.4"}}};
    const auto rules = effective_rules({group("sg-1", {rule(false, "udp", 53, 53, "", "sg-1"),
                                                       rule(false, "tcp", 1, 2, "", "sg-9")})},
                                       members);
    CHECK(rules.ingress == std::vector<EffectiveRule>{{"udp", 53, 53, "172.31.0.4/32"},
                                                      {"udp", 53, 53, "172.31.0.5/32"}});
    CHECK(rules.egress.empty());
}

TEST_CASE("SG-9: ICMP without a type means any, IPv6 ranges are passed on") {
    SecurityGroupRule six = rule(true, "icmpv6", -1, -1, "");
    six.cidr_ipv6 = "::/0";
    const auto rules =
        effective_rules({group("sg-1", {rule(false, "icmp", {}, {}, "10.0.0.0/8"), six,
                                        rule(false, "icmp", 8, 0, "10.0.0.0/8")})},
                        {});
    CHECK(rules.ingress ==
          std::vector<EffectiveRule>{{"icmp", -1, -1, "10.0.0.0/8"}, {"icmp", 8, 0, "10.0.0.0/8"}});
    CHECK(rules.egress == std::vector<EffectiveRule>{{"icmpv6", -1, -1, "::/0"}});
}

TEST_CASE("SG-9: no group, no traffic") {
    CHECK(effective_rules({}, {}) == EffectiveRules{});
}

TEST_CASE("SG-9: an instance's rules come from its groups in the catalog") {
    std::string directory = (std::filesystem::temp_directory_path() / "kiln-rules-XXXXXX").string();
    REQUIRE(::mkdtemp(directory.data()) != nullptr);
    const auto rng = io::make_system_rng();
    auto store = catalog::open_sqlite_store({directory + "/catalog.db", false}, *rng);
    REQUIRE(store.has_value());
    const auto member = [](const std::string& id, const std::string& address,
                           const std::string& group_id, const std::string& owner) {
        model::Instance instance;
        instance.id = model::InstanceId(id);
        instance.owner_id = model::AccountId(owner);
        instance.region = "us-east-1";
        instance.vpc_id = model::VpcId("vpc-" + owner);
        instance.subnet_id = model::SubnetId("subnet-" + owner);
        instance.private_ip = address;
        instance.security_groups = {SecurityGroupId(group_id)};
        return instance;
    };
    const model::Instance web = member("i-1", "172.31.0.4", "sg-web", "a");
    const auto rules = (*store)->run([&](catalog::Transaction& tx) -> Result<EffectiveRules> {
        TRY(tx.security_groups().insert(group(
            "sg-web",
            {rule(false, "tcp", 80, 80, "0.0.0.0/0"), rule(false, "tcp", 22, 22, "", "sg-jump")})));
        TRY(tx.instances().insert(web));
        TRY(tx.instances().insert(member("i-2", "172.31.0.9", "sg-jump", "a")));
        return load_effective_rules(tx, web);
    });
    std::filesystem::remove_all(directory);
    REQUIRE_MESSAGE(rules.has_value(), (rules ? "" : rules.error().to_string()));
    // Nobody of sg-jump: instances do not reach each other.
    CHECK(rules->ingress == std::vector<EffectiveRule>{{"tcp", 80, 80, "0.0.0.0/0"}});
    CHECK(rules->egress.empty());
}
