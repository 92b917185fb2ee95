// SPDX-License-Identifier: Apache-2.0
#include "control/effective_rules.h"

namespace kiln::control {
namespace {

constexpr std::int32_t kLastPort = 65535;

EffectiveRule effective_rule(const model::SecurityGroupRule& rule) {
    EffectiveRule out;
    out.protocol = rule.protocol;
    const bool icmp = rule.protocol == "icmp" || rule.protocol == "icmpv6";
    out.from = rule.from_port.value_or(icmp ? -1 : 0);
    out.to = rule.to_port.value_or(icmp ? -1 : kLastPort);
    out.cidr = rule.cidr_ipv4.empty() ? rule.cidr_ipv6 : rule.cidr_ipv4;
    if (out.cidr.empty()) {
        out.group = rule.referenced_group.str();
    }
    return out;
}

void settle(std::vector<EffectiveRule>& rules) {
    std::sort(rules.begin(), rules.end());
    rules.erase(std::unique(rules.begin(), rules.end()), rules.end());
}

}  // namespace

EffectiveRules effective_rules(const std::vector<model::SecurityGroup>& groups) {
    EffectiveRules out;
    for (const model::SecurityGroup& group : groups) {
        for (const model::SecurityGroupRule& rule : group.rules) {
            (rule.egress ? out.egress : out.ingress).push_back(effective_rule(rule));
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
    return effective_rules(groups);
}

}  // namespace kiln::control
