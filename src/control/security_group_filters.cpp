// SPDX-License-Identifier: Apache-2.0
// The filters of DescribeSecurityGroups and DescribeSecurityGroupRules.
#include "control/security_groups.h"

namespace kiln::control {
namespace {

using Values = std::vector<std::string>;
using Getters = std::map<std::string, FilterTable<SecurityGroupView>::Getter, std::less<>>;
using model::SecurityGroupRule;

// One value per rule of the direction; empty ones are left out.
template <class F>
FilterTable<SecurityGroupView>::Getter of_rules(bool egress, F value_of) {
    return [egress, value_of](const SecurityGroupView& view) {
        Values values;
        for (const SecurityGroupRule& rule : view.group.rules) {
            std::string value = rule.egress == egress ? value_of(view, rule) : std::string();
            if (!value.empty()) {
                values.push_back(std::move(value));
            }
        }
        return values;
    };
}

std::string port_text(const std::optional<std::int32_t>& port) {
    return port ? std::to_string(*port) : std::string();
}

void add_rule_filters(Getters& getters, const std::string& prefix, bool egress) {
    using View = SecurityGroupView;
    getters[prefix + "cidr"] =
        of_rules(egress, [](const View&, const auto& rule) { return rule.cidr_ipv4; });
    getters[prefix + "ipv6-cidr"] =
        of_rules(egress, [](const View&, const auto& rule) { return rule.cidr_ipv6; });
    getters[prefix + "protocol"] =
        of_rules(egress, [](const View&, const auto& rule) { return rule.protocol; });
    getters[prefix + "from-port"] =
        of_rules(egress, [](const View&, const auto& rule) { return port_text(rule.from_port); });
    getters[prefix + "to-port"] =
        of_rules(egress, [](const View&, const auto& rule) { return port_text(rule.to_port); });
    getters[prefix + "group-id"] =
        of_rules(egress, [](const View&, const auto& rule) { return rule.referenced_group.str(); });
    getters[prefix + "group-name"] = of_rules(egress, [](const View& view, const auto& rule) {
        const auto found = view.peer_names.find(rule.referenced_group);
        return found == view.peer_names.end() ? std::string() : found->second;
    });
    getters[prefix + "user-id"] = of_rules(egress, [](const View& view, const auto& rule) {
        return rule.referenced_group.empty() ? std::string() : view.group.owner_id.str();
    });
    getters[prefix + "prefix-list-id"] =
        of_rules(egress, [](const View&, const auto&) { return std::string(); });
}

FilterTable<SecurityGroupView> make_table() {
    Getters getters;
    getters["description"] = [](const SecurityGroupView& view) {
        return Values{view.group.description};
    };
    getters["group-id"] = [](const SecurityGroupView& view) { return Values{view.group.id.str()}; };
    getters["group-name"] = [](const SecurityGroupView& view) { return Values{view.group.name}; };
    getters["owner-id"] = [](const SecurityGroupView& view) {
        return Values{view.group.owner_id.str()};
    };
    getters["vpc-id"] = [](const SecurityGroupView& view) {
        return Values{view.group.vpc_id.str()};
    };
    add_rule_filters(getters, "ip-permission.", false);
    add_rule_filters(getters, "egress.ip-permission.", true);
    return FilterTable<SecurityGroupView>(
        [](const SecurityGroupView& view) -> const std::vector<model::Tag>& { return view.tags; },
        std::move(getters));
}

}  // namespace

const FilterTable<SecurityGroupView>& security_group_filters() {
    static const FilterTable<SecurityGroupView> table = make_table();
    return table;
}

const FilterTable<RuleView>& security_group_rule_filters() {
    static const FilterTable<RuleView> table(
        [](const RuleView& view) -> const std::vector<model::Tag>& { return view.tags; },
        {{"group-id", [](const RuleView& view) { return Values{view.group.str()}; }},
         {"security-group-rule-id",
          [](const RuleView& view) { return Values{view.rule.id.str()}; }}});
    return table;
}

}  // namespace kiln::control
