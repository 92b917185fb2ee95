// SPDX-License-Identifier: Apache-2.0
#include "model/network.h"

#include <tuple>

namespace kiln::model {

bool same_rule(const SecurityGroupRule& a, const SecurityGroupRule& b) {
    const auto key = [](const SecurityGroupRule& rule) {
        return std::tie(rule.egress, rule.protocol, rule.from_port, rule.to_port, rule.cidr_ipv4,
                        rule.cidr_ipv6, rule.referenced_group);
    };
    return key(a) == key(b);
}

}  // namespace kiln::model
