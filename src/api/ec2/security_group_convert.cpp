// SPDX-License-Identifier: Apache-2.0
// Security groups and their rules, in the shapes of EC2.
#include "api/ec2/convert.h"
#include "api/ec2/network_convert.h"
#include "control/network_names.h"

namespace kiln::api::ec2 {
namespace {

std::optional<std::string> unless_empty(const std::string& text) {
    return text.empty() ? std::optional<std::string>() : text;
}

std::optional<std::int32_t> number_of(const Scalar<std::int32_t>& value) {
    return value.has_value() ? std::optional<std::int32_t>(*value) : std::nullopt;
}

Result<control::PeerGroup> to_peer(const UserIdGroupPair& pair) {
    if (given(pair.vpc_peering_connection_id)) {
        return not_built("IpPermissions.Groups.VpcPeeringConnectionId");
    }
    control::PeerGroup peer;
    peer.id = pair.group_id.value_or("");
    peer.name = pair.group_name.value_or("");
    peer.owner = pair.user_id.value_or("");
    peer.description = pair.description.value_or("");
    return peer;
}

template <class Shape>
void fill_rule(const control::RuleView& view, Shape& to) {
    const model::SecurityGroupRule& from = view.rule;
    to.security_group_rule_id = from.id.str();
    to.group_id = view.group.str();
    to.is_egress = from.egress;
    to.ip_protocol = from.protocol;
    to.from_port = from.from_port.value_or(-1);  // a rule without ports shows -1
    to.to_port = from.to_port.value_or(-1);
    to.cidr_ipv4 = unless_empty(from.cidr_ipv4);
    to.cidr_ipv6 = unless_empty(from.cidr_ipv6);
    to.description = unless_empty(from.description);
}

}  // namespace

Result<std::vector<control::Permission>> to_permissions(const List<IpPermission>& list) {
    std::vector<control::Permission> permissions;
    for (const IpPermission& entry : list) {
        control::Permission permission;
        permission.protocol = entry.ip_protocol.value_or("");
        permission.from_port = number_of(entry.from_port);
        permission.to_port = number_of(entry.to_port);
        for (const UserIdGroupPair& pair : entry.user_id_group_pairs) {
            TRY_ASSIGN(permission.groups.emplace_back(), to_peer(pair));
        }
        for (const IpRange& range : entry.ip_ranges) {
            permission.ipv4.push_back({range.cidr_ip.value_or(""), range.description.value_or("")});
        }
        for (const Ipv6Range& range : entry.ipv6_ranges) {
            permission.ipv6.push_back(
                {range.cidr_ipv6.value_or(""), range.description.value_or("")});
        }
        for (const PrefixListId& prefix : entry.prefix_list_ids) {
            permission.prefix_lists.push_back(
                {prefix.prefix_list_id.value_or(""), prefix.description.value_or("")});
        }
        permissions.push_back(std::move(permission));
    }
    return permissions;
}

List<IpPermission> from_permissions(const std::vector<control::Permission>& permissions) {
    List<IpPermission> list;
    list.give();
    for (const control::Permission& from : permissions) {
        IpPermission& to = list.emplace_back();
        to.ip_protocol = from.protocol;
        if (from.from_port) {
            to.from_port = *from.from_port;
        }
        if (from.to_port) {
            to.to_port = *from.to_port;
        }
        to.ip_ranges.give();
        to.ipv6_ranges.give();
        to.prefix_list_ids.give();
        to.user_id_group_pairs.give();
        for (const control::PeerRange& range : from.ipv4) {
            IpRange& out = to.ip_ranges.emplace_back();
            out.cidr_ip = range.cidr;
            out.description = unless_empty(range.description);
        }
        for (const control::PeerRange& range : from.ipv6) {
            Ipv6Range& out = to.ipv6_ranges.emplace_back();
            out.cidr_ipv6 = range.cidr;
            out.description = unless_empty(range.description);
        }
        for (const control::PeerGroup& peer : from.groups) {
            UserIdGroupPair& out = to.user_id_group_pairs.emplace_back();
            out.group_id = peer.id;
            out.user_id = peer.owner;
            out.description = unless_empty(peer.description);
        }
    }
    return list;
}

SecurityGroup from_group(const control::SecurityGroupView& view) {
    const model::SecurityGroup& from = view.group;
    SecurityGroup to;
    to.group_id = from.id.str();
    to.group_name = from.name;
    to.description = from.description;
    to.owner_id = from.owner_id.str();
    to.vpc_id = from.vpc_id.str();
    to.security_group_arn =
        control::arn(from.region, from.owner_id, "security-group", from.id.str());
    to.ip_permissions = from_permissions(control::to_permissions(from.rules, false, from.owner_id));
    to.ip_permissions_egress =
        from_permissions(control::to_permissions(from.rules, true, from.owner_id));
    if (!view.tags.empty()) {
        to.tags = from_tags(view.tags);
    }
    return to;
}

SecurityGroupRule from_rule(const control::RuleView& view) {
    SecurityGroupRule to;
    fill_rule(view, to);
    to.group_owner_id = view.owner.str();
    to.security_group_rule_arn =
        control::arn(view.region, view.owner, "security-group-rule", view.rule.id.str());
    if (!view.rule.referenced_group.empty()) {
        ReferencedSecurityGroup& peer = to.referenced_group_info.emplace();
        peer.group_id = view.rule.referenced_group.str();
        peer.user_id = view.owner.str();
        peer.vpc_id = view.vpc.str();
    }
    to.tags = from_tags(view.tags);
    to.tags.give();
    return to;
}

RevokedSecurityGroupRule from_revoked(const control::RuleView& view) {
    RevokedSecurityGroupRule to;
    fill_rule(view, to);
    to.referenced_group_id = unless_empty(view.rule.referenced_group.str());
    return to;
}

}  // namespace kiln::api::ec2
