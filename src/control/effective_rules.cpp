// SPDX-License-Identifier: Apache-2.0
#include "control/effective_rules.h"

namespace kiln::control {
namespace {

constexpr std::int32_t kLastPort = 65535;

EffectiveRule without_range(const model::SecurityGroupRule& rule) {
    EffectiveRule out;
    out.protocol = rule.protocol;
    const bool icmp = rule.protocol == "icmp" || rule.protocol == "icmpv6";
    out.from = rule.from_port.value_or(icmp ? -1 : 0);
    out.to = rule.to_port.value_or(icmp ? -1 : kLastPort);
    return out;
}

std::vector<std::string> ranges_of(const model::SecurityGroupRule& rule,
                                   const GroupMembers& members) {
    if (!rule.cidr_ipv4.empty()) {
        return {rule.cidr_ipv4};
    }
    if (!rule.cidr_ipv6.empty()) {
        return {rule.cidr_ipv6};
    }
    std::vector<std::string> ranges;
    if (const auto found = members.find(rule.referenced_group); found != members.end()) {
        for (const std::string& address : found->second) {
            ranges.push_back(address + "/32");
        }
    }
    return ranges;
}

void settle(std::vector<EffectiveRule>& rules) {
    std::sort(rules.begin(), rules.end());
    rules.erase(std::unique(rules.begin(), rules.end()), rules.end());
}

}  // namespace

EffectiveRules effective_rules(const std::vector<model::SecurityGroup>& groups,
                               const GroupMembers& members) {
    EffectiveRules out;
    for (const model::SecurityGroup& group : groups) {
        for (const model::SecurityGroupRule& rule : group.rules) {
            EffectiveRule effective = without_range(rule);
            for (std::string& range : ranges_of(rule, members)) {
                effective.cidr = std::move(range);
                (rule.egress ? out.egress : out.ingress).push_back(effective);
            }
        }
    }
    settle(out.ingress);
    settle(out.egress);
    return out;
}

Result<EffectiveRules> load_effective_rules(catalog::Transaction& tx,
                                            const model::Instance& instance) {
    catalog::SecurityGroupQuery own;
    own.ids = instance.security_groups;
    std::vector<model::SecurityGroup> groups;
    if (!own.ids.empty()) {
        TRY_ASSIGN(groups, tx.security_groups().list(own));
    }
    // Instances do not reach each other yet, so it does not matter who the members are.
    return effective_rules(groups, {});
}

}  // namespace kiln::control
