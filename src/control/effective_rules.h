// SPDX-License-Identifier: Apache-2.0
// What an instance's security groups come to, as the network process applies it: a list of
// (protocol, ports, other side) per direction (SG-9). A group as the other side stays one: who its
// members are the process looks up itself (InstanceNetworks keeps them written).
//
// Traffic that matches any rule passes, all other is dropped; what answers allowed traffic passes
// too. Thread model: pure functions; load_effective_rules() within its transaction.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "model/instance.h"
#include "model/network.h"

namespace kiln::control {

struct EffectiveRule {
    std::string protocol;   // as model::SecurityGroupRule: tcp, udp, icmp, icmpv6, a number, "-1"
    std::int32_t from = 0;  // first port; ICMP: the type, -1 for any
    std::int32_t to = 0;    // last port; ICMP: the code, -1 for any
    std::string cidr;       // IPv4 or IPv6; empty: the members of `group`
    std::string group{};
    friend auto operator<=>(const EffectiveRule&, const EffectiveRule&) = default;
};

// Sorted, without duplicates.
struct EffectiveRules {
    std::vector<EffectiveRule> ingress;
    std::vector<EffectiveRule> egress;
    friend bool operator==(const EffectiveRules&, const EffectiveRules&) = default;
};

EffectiveRules effective_rules(const std::vector<model::SecurityGroup>& groups);

// Of one instance, from the groups the catalog has now.
Result<EffectiveRules> load_effective_rules(catalog::Transaction& tx,
                                            const model::Instance& instance);

}  // namespace kiln::control
