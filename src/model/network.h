// SPDX-License-Identifier: Apache-2.0
// Vpc, Subnet, SecurityGroup: the network records of an account in a region (docs/semantics,
// network.md). Network interfaces have no record of their own: an instance has one, for life, and
// carries its facts (model/instance.h).
//
// A group owns its rules; each rule names one source or destination: a range of addresses, or a
// group, which stands for the private addresses of its members. Thread model: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/ids.h"
#include "util/time.h"

namespace kiln::model {

struct Vpc {
    VpcId id;
    AccountId owner_id;
    std::string region;
    std::string cidr;
    bool is_default = false;
    UnixMillis created;
    // Records alone (NET-7): the resolver answers either way, and there are no public names.
    bool dns_support = true;
    bool dns_hostnames = true;
    // Of the default VPC: zones that have no default subnet because it was deleted, or because no
    // range was left for it.
    std::vector<std::string> zones_without_subnet{};
    friend bool operator==(const Vpc&, const Vpc&) = default;
};

struct Subnet {
    SubnetId id;
    VpcId vpc_id;
    AccountId owner_id;
    std::string region;
    std::string availability_zone;
    std::string availability_zone_id;
    std::string outpost_arn{};  // REG-6; empty: in its zone
    std::string cidr;
    bool default_for_zone = false;
    bool map_public_ip = false;  // instances get a public address unless they say otherwise
    UnixMillis created;
    friend bool operator==(const Subnet&, const Subnet&) = default;
};

// The IP protocol of a rule as it is stored and shown: a name, a number, or "-1" for all (SG-5).
inline constexpr const char* kAllProtocols = "-1";

struct SecurityGroupRule {
    SecurityGroupRuleId id;
    bool egress = false;
    std::string protocol;                   // tcp, udp, icmp, icmpv6, "47", "-1"
    std::optional<std::int32_t> from_port;  // ICMP: the type; absent where there are no ports
    std::optional<std::int32_t> to_port;    // ICMP: the code
    std::string cidr_ipv4;                  // exactly one of these three
    std::string cidr_ipv6;
    SecurityGroupId referenced_group;
    std::string description;
    friend bool operator==(const SecurityGroupRule&, const SecurityGroupRule&) = default;
};

struct SecurityGroup {
    SecurityGroupId id;
    AccountId owner_id;
    std::string region;
    VpcId vpc_id;
    std::string name;
    std::string description;
    std::vector<SecurityGroupRule> rules;
    UnixMillis created;
    friend bool operator==(const SecurityGroup&, const SecurityGroup&) = default;
};

// The same traffic from the same source: what counts as a duplicate (SG-6). Ids and descriptions do
// not matter.
bool same_rule(const SecurityGroupRule& a, const SecurityGroupRule& b);

}  // namespace kiln::model
