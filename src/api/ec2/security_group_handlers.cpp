// SPDX-License-Identifier: Apache-2.0
#include "api/context.h"
#include "api/ec2/convert.h"
#include "api/ec2/handlers.h"
#include "api/ec2/network_convert.h"
#include "api/ec2/paging.h"
#include "api/generated/ec2/authorize_security_group_egress.h"
#include "api/generated/ec2/authorize_security_group_ingress.h"
#include "api/generated/ec2/create_security_group.h"
#include "api/generated/ec2/delete_security_group.h"
#include "api/generated/ec2/describe_security_group_rules.h"
#include "api/generated/ec2/describe_security_groups.h"
#include "api/generated/ec2/modify_security_group_rules.h"
#include "api/generated/ec2/revoke_security_group_egress.h"
#include "api/generated/ec2/revoke_security_group_ingress.h"
#include "control/api_errors.h"
#include "control/network_names.h"

namespace kiln::api {
namespace {

using namespace ec2;

Result<control::GroupName> to_group_name(const std::optional<std::string>& id,
                                         const std::optional<std::string>& name) {
    control::GroupName group;
    if (given(id) && given(name)) {
        return control::errors::invalid_parameter_combination(
            "The parameters GroupId and GroupName may not be given together.");
    }
    if (given(id)) {
        TRY_ASSIGN(group.id, model::parse_security_group_id(*id));
    }
    group.name = name.value_or("");
    return group;
}

template <class Request>
bool is_flat(const Request& request) {
    return given(request.ip_protocol) || given(request.cidr_ip) || request.from_port.has_value() ||
           request.to_port.has_value() || given(request.source_security_group_name);
}

// One range, or a group by name, which stands for all of TCP, UDP and ICMP.
template <class Request>
Result<std::vector<control::Permission>> flat_permissions(const Request& request) {
    if (given(request.source_security_group_name)) {
        if (given(request.ip_protocol) || given(request.cidr_ip) || request.from_port.has_value() ||
            request.to_port.has_value()) {
            return control::errors::invalid_parameter_combination(
                "SourceSecurityGroupName may not be combined with IpProtocol, FromPort, ToPort or "
                "CidrIp; use IpPermissions.");
        }
        const control::PeerGroup peer{"", *request.source_security_group_name,
                                      request.source_security_group_owner_id.value_or(""), ""};
        return std::vector<control::Permission>{{"tcp", 0, 65535, {peer}, {}, {}, {}},
                                                {"udp", 0, 65535, {peer}, {}, {}, {}},
                                                {"icmp", -1, -1, {peer}, {}, {}, {}}};
    }
    control::Permission permission;
    permission.protocol = request.ip_protocol.value_or("");
    if (request.from_port.has_value()) {
        permission.from_port = *request.from_port;
    }
    if (request.to_port.has_value()) {
        permission.to_port = *request.to_port;
    }
    if (!given(request.cidr_ip)) {
        return control::errors::missing_parameter("cidrIp");
    }
    permission.ipv4.push_back({*request.cidr_ip, ""});
    return std::vector<control::Permission>{permission};
}

template <class Request>
Result<std::vector<control::Permission>> permissions_of(const Request& request) {
    if (!is_flat(request)) {
        return to_permissions(request.ip_permissions);
    }
    if (!request.ip_permissions.empty()) {
        return control::errors::invalid_parameter_combination(
            "IpPermissions may not be combined with IpProtocol, FromPort, ToPort, CidrIp or "
            "SourceSecurityGroupName.");
    }
    return flat_permissions(request);
}

template <class Request>
Result<control::ChangeRulesInput> to_change(const Request& request, bool egress) {
    control::ChangeRulesInput input;
    std::optional<std::string> name;
    if constexpr (requires { request.group_name; }) {
        name = request.group_name;
    }
    TRY_ASSIGN(input.group, to_group_name(request.group_id, name));
    if (input.group.id.empty() && input.group.name.empty()) {
        return control::errors::missing_parameter("GroupId");
    }
    input.egress = egress;
    TRY_ASSIGN(input.permissions, permissions_of(request));
    if constexpr (requires { request.security_group_rule_ids; }) {
        TRY_ASSIGN(input.rule_ids,
                   to_ids<model::SecurityGroupRuleId>(request.security_group_rule_ids,
                                                      model::parse_security_group_rule_id));
    } else {
        input.tags = to_tags(request.tag_specifications);
    }
    input.dry_run = request.dry_run.value_or(false);
    return input;
}

template <class Op, bool kEgress>
void add_authorize(Registry& registry, Services services) {
    registry.add<Op>(
        [services](Context& context,
                   const typename Op::Request& request) -> Result<typename Op::Response> {
            TRY_ASSIGN(const auto input, to_change(request, kEgress));
            TRY_ASSIGN(const auto rules, services.security_groups.authorize(context.caller, input));
            typename Op::Response result;
            result.return_ = true;
            for (const control::RuleView& rule : rules) {
                result.security_group_rules.push_back(from_rule(rule));
            }
            return result;
        });
}

template <class Op, bool kEgress>
void add_revoke(Registry& registry, Services services) {
    registry.add<Op>(
        [services](Context& context,
                   const typename Op::Request& request) -> Result<typename Op::Response> {
            TRY_ASSIGN(const auto input, to_change(request, kEgress));
            TRY_ASSIGN(const auto done, services.security_groups.revoke(context.caller, input));
            typename Op::Response result;
            result.return_ = true;
            for (const control::RuleView& rule : done.revoked) {
                result.revoked_security_group_rules.push_back(from_revoked(rule));
            }
            if (!done.unknown.empty()) {
                result.unknown_ip_permissions = from_permissions(done.unknown);
            }
            return result;
        });
}

Result<CreateSecurityGroupResult> create(const Services& services, const Context& context,
                                         const CreateSecurityGroupRequest& request) {
    control::CreateSecurityGroupInput input;
    input.name = request.group_name.value_or("");
    input.description = request.description.value_or("");
    if (given(request.vpc_id)) {
        TRY_ASSIGN(input.vpc_id, model::parse_vpc_id(*request.vpc_id));
    }
    input.tags = to_tags(request.tag_specifications);
    input.dry_run = request.dry_run.value_or(false);
    TRY_ASSIGN(const auto view, services.security_groups.create(context.caller, input));
    CreateSecurityGroupResult result;
    result.group_id = view.group.id.str();
    result.security_group_arn =
        control::arn(view.group.region, view.group.owner_id, "security-group", view.group.id.str());
    if (!view.tags.empty()) {
        result.tags = from_tags(view.tags);
    }
    return result;
}

Result<DeleteSecurityGroupResult> remove(const Services& services, const Context& context,
                                         const DeleteSecurityGroupRequest& request) {
    TRY_ASSIGN(const auto name, to_group_name(request.group_id, request.group_name));
    TRY_ASSIGN(const auto id, services.security_groups.remove(context.caller, name,
                                                              request.dry_run.value_or(false)));
    DeleteSecurityGroupResult result;
    result.return_ = true;
    result.group_id = id.str();
    return result;
}

Result<DescribeSecurityGroupsResult> describe(const Services& services, const Context& context,
                                              const DescribeSecurityGroupsRequest& request) {
    control::DescribeGroupsInput input;
    TRY_ASSIGN(input.ids,
               to_ids<model::SecurityGroupId>(request.group_ids, model::parse_security_group_id));
    input.names = request.group_names.items();
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.security_groups.describe(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeSecurityGroupsResult result;
    result.security_groups.give();
    for (const control::SecurityGroupView& view : page.items) {
        result.security_groups.push_back(from_group(view));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

Result<DescribeSecurityGroupRulesResult> describe_rules(
    const Services& services, const Context& context,
    const DescribeSecurityGroupRulesRequest& request) {
    control::DescribeRulesInput input;
    TRY_ASSIGN(input.ids, to_ids<model::SecurityGroupRuleId>(request.security_group_rule_ids,
                                                             model::parse_security_group_rule_id));
    input.filters = to_filters(request.filters);
    input.page = page_of(context, request);
    TRY_ASSIGN(const auto page, services.security_groups.describe_rules(context.caller, input));
    if (request.dry_run.value_or(false)) {
        return control::errors::dry_run();
    }
    DescribeSecurityGroupRulesResult result;
    result.security_group_rules.give();
    for (const control::RuleView& view : page.items) {
        result.security_group_rules.push_back(from_rule(view));
    }
    set_token(result.next_token, page.next_token);
    return result;
}

Result<control::RuleUpdate> to_update(const SecurityGroupRuleUpdate& from) {
    if (!given(from.security_group_rule_id)) {
        return control::errors::missing_parameter("SecurityGroupRuleId");
    }
    if (!from.security_group_rule) {
        return control::errors::missing_parameter("SecurityGroupRule");
    }
    control::RuleUpdate to;
    TRY_ASSIGN(to.id, model::parse_security_group_rule_id(*from.security_group_rule_id));
    const SecurityGroupRuleRequest& rule = *from.security_group_rule;
    const std::string description = rule.description.value_or("");
    control::Permission& permission = to.permission;
    permission.protocol = rule.ip_protocol.value_or("");
    if (rule.from_port.has_value()) {
        permission.from_port = *rule.from_port;
    }
    if (rule.to_port.has_value()) {
        permission.to_port = *rule.to_port;
    }
    if (given(rule.cidr_ipv4)) {
        permission.ipv4.push_back({*rule.cidr_ipv4, description});
    }
    if (given(rule.cidr_ipv6)) {
        permission.ipv6.push_back({*rule.cidr_ipv6, description});
    }
    if (given(rule.prefix_list_id)) {
        permission.prefix_lists.push_back({*rule.prefix_list_id, description});
    }
    if (given(rule.referenced_group_id)) {
        permission.groups.push_back({*rule.referenced_group_id, "", "", description});
    }
    return to;
}

Result<ModifySecurityGroupRulesResult> modify_rules(
    const Services& services, const Context& context,
    const ModifySecurityGroupRulesRequest& request) {
    if (!given(request.group_id)) {
        return control::errors::missing_parameter("GroupId");
    }
    if (request.security_group_rules.empty()) {
        return control::errors::missing_parameter("SecurityGroupRules");
    }
    control::ModifyRulesInput input;
    TRY_ASSIGN(input.group, model::parse_security_group_id(*request.group_id));
    for (const SecurityGroupRuleUpdate& update : request.security_group_rules) {
        TRY_ASSIGN(input.updates.emplace_back(), to_update(update));
    }
    input.dry_run = request.dry_run.value_or(false);
    TRY(services.security_groups.modify_rules(context.caller, input));
    ModifySecurityGroupRulesResult result;
    result.return_ = true;
    return result;
}

}  // namespace

void add_security_group_handlers(Registry& registry, Services services) {
    registry.add<ops::CreateSecurityGroup>([services](Context& context, const auto& request) {
        return create(services, context, request);
    });
    registry.add<ops::DeleteSecurityGroup>([services](Context& context, const auto& request) {
        return remove(services, context, request);
    });
    registry.add<ops::DescribeSecurityGroups>([services](Context& context, const auto& request) {
        return describe(services, context, request);
    });
    registry.add<ops::DescribeSecurityGroupRules>(
        [services](Context& context, const auto& request) {
            return describe_rules(services, context, request);
        });
    registry.add<ops::ModifySecurityGroupRules>([services](Context& context, const auto& request) {
        return modify_rules(services, context, request);
    });
    add_authorize<ops::AuthorizeSecurityGroupIngress, false>(registry, services);
    add_authorize<ops::AuthorizeSecurityGroupEgress, true>(registry, services);
    add_revoke<ops::RevokeSecurityGroupIngress, false>(registry, services);
    add_revoke<ops::RevokeSecurityGroupEgress, true>(registry, services);
}

}  // namespace kiln::api
