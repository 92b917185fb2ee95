// SPDX-License-Identifier: Apache-2.0
#include "control/permissions.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "model/cidr.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

using model::SecurityGroupRule;

constexpr std::int32_t kLastPort = 65535;
constexpr std::size_t kMaxText = 255;

struct ProtocolName {
    std::string_view number;
    std::string_view name;
};
// The protocols that have a name; all others are shown by number.
constexpr ProtocolName kNames[] = {{"1", "icmp"}, {"6", "tcp"}, {"17", "udp"}, {"58", "icmpv6"}};

bool has_ports(const std::string& protocol) {
    return protocol == "tcp" || protocol == "udp";
}

bool is_icmp(const std::string& protocol) {
    return protocol == "icmp" || protocol == "icmpv6";
}

Result<std::string> canonical_protocol(const std::string& given) {
    if (given.empty()) {
        return errors::missing_parameter("ipProtocol");
    }
    const std::string text = to_lower(given);
    if (text == model::kAllProtocols || text == "all") {
        return std::string(model::kAllProtocols);
    }
    for (const ProtocolName& known : kNames) {
        if (text == known.name || text == known.number) {
            return std::string(known.name);
        }
    }
    const auto number = parse_int<int>(text);
    if (!number || *number < 0 || *number > 255) {
        return errors::invalid_parameter_value(
            fmt::format("Invalid value '{}' for IP protocol. Unknown protocol.", given));
    }
    return std::to_string(*number);
}

Status set_ports(const Permission& permission, SecurityGroupRule& rule) {
    if (!permission.from_port || !permission.to_port) {
        return errors::invalid_parameter_value(
            "Invalid value 'Must specify both from and to ports with TCP/UDP.' for portRange.");
    }
    for (const std::int32_t port : {*permission.from_port, *permission.to_port}) {
        if (port < 0 || port > kLastPort) {
            return errors::invalid_parameter_value(
                fmt::format("TCP/UDP port ({}) out of range", port));
        }
    }
    if (*permission.from_port > *permission.to_port) {
        return errors::invalid_parameter_value(fmt::format(
            "Invalid {} port range ({}-{}): it begins after its end.",
            rule.protocol == "tcp" ? "TCP" : "UDP", *permission.from_port, *permission.to_port));
    }
    rule.from_port = permission.from_port;
    rule.to_port = permission.to_port;
    return ok();
}

Status set_icmp(const Permission& permission, SecurityGroupRule& rule) {
    rule.from_port = permission.from_port.value_or(-1);
    rule.to_port = permission.to_port.value_or(-1);
    for (const std::int32_t number : {*rule.from_port, *rule.to_port}) {
        if (number < -1 || number > 255) {
            return errors::invalid_parameter_value(
                fmt::format("ICMP type or code ({}) out of range", number));
        }
    }
    if (rule.from_port == -1 && rule.to_port != -1) {
        return errors::invalid_parameter_value(
            "An ICMP code may only be given together with an ICMP type.");
    }
    return ok();
}

// Protocol and ports, the same for all sources of a permission.
Result<SecurityGroupRule> common_part(const Permission& permission, bool egress) {
    SecurityGroupRule rule;
    rule.egress = egress;
    TRY_ASSIGN(rule.protocol, canonical_protocol(permission.protocol));
    if (has_ports(rule.protocol)) {
        TRY(set_ports(permission, rule));
    } else if (is_icmp(rule.protocol)) {
        TRY(set_icmp(permission, rule));
    }
    // Other protocols have no ports: what was given for them means nothing (as on EC2).
    return rule;
}

Status set_description(const std::string& description, SecurityGroupRule& rule) {
    if (!is_group_text(description)) {
        return errors::invalid_parameter_value(
            "Invalid rule description. Valid descriptions are strings less than 256 characters "
            "from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*");
    }
    rule.description = description;
    return ok();
}

Error malformed_range(const std::string& cidr) {
    return errors::invalid_parameter_value(fmt::format("CIDR block {} is malformed", cidr));
}

class Expansion {
  public:
    Expansion(SecurityGroupRule common, std::vector<SecurityGroupRule>& out)
        : common_(std::move(common)), out_(out) {}

    Status ipv4(const PeerRange& range) {
        const auto cidr = model::parse_ipv4_cidr(range.cidr);
        if (!cidr) {
            return malformed_range(range.cidr);
        }
        SecurityGroupRule rule = common_;
        rule.cidr_ipv4 = model::format_cidr(*cidr);
        return add(std::move(rule), range.description);
    }
    Status ipv6(const PeerRange& range) {
        const auto cidr = model::canonical_ipv6_cidr(range.cidr);
        if (!cidr) {
            return malformed_range(range.cidr);
        }
        SecurityGroupRule rule = common_;
        rule.cidr_ipv6 = *cidr;
        return add(std::move(rule), range.description);
    }
    Status group(const PeerGroup& peer, const FindPeer& find_peer) {
        SecurityGroupRule rule = common_;
        TRY_ASSIGN(rule.referenced_group, find_peer(peer));
        return add(std::move(rule), peer.description);
    }

  private:
    Status add(SecurityGroupRule rule, const std::string& description) {
        TRY(set_description(description, rule));
        for (const SecurityGroupRule& other : out_) {
            if (model::same_rule(other, rule)) {
                return errors::invalid_parameter_value(
                    "The same permission must not appear multiple times");
            }
        }
        out_.push_back(std::move(rule));
        return ok();
    }

    const SecurityGroupRule common_;
    std::vector<SecurityGroupRule>& out_;
};

bool same_traffic(const Permission& permission, const SecurityGroupRule& rule) {
    return permission.protocol == rule.protocol && permission.from_port == rule.from_port &&
           permission.to_port == rule.to_port;
}

}  // namespace

bool is_group_text(std::string_view text) {
    constexpr std::string_view kPunctuation = " ._-:/()#,@[]+=&;{}!$*";
    return text.size() <= kMaxText && std::all_of(text.begin(), text.end(), [&](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      kPunctuation.find(c) != std::string_view::npos;
           });
}

Result<std::vector<SecurityGroupRule>> to_rules(const std::vector<Permission>& permissions,
                                                bool egress, const FindPeer& find_peer) {
    if (permissions.empty()) {
        return errors::missing_parameter("ipPermissions");
    }
    std::vector<SecurityGroupRule> rules;
    for (const Permission& permission : permissions) {
        TRY_ASSIGN(SecurityGroupRule common, common_part(permission, egress));
        if (permission.groups.empty() && permission.ipv4.empty() && permission.ipv6.empty() &&
            permission.prefix_lists.empty()) {
            return errors::missing_parameter(
                "ipRanges, ipv6Ranges, prefixListIds or groups of a permission");
        }
        if (!permission.prefix_lists.empty()) {
            return Error::api(Code::not_found, "InvalidPrefixListID.NotFound",
                              fmt::format("The prefix list ID '{}' does not exist",
                                          permission.prefix_lists.front().cidr));
        }
        Expansion expansion(std::move(common), rules);
        for (const PeerRange& range : permission.ipv4) {
            TRY(expansion.ipv4(range));
        }
        for (const PeerRange& range : permission.ipv6) {
            TRY(expansion.ipv6(range));
        }
        for (const PeerGroup& peer : permission.groups) {
            TRY(expansion.group(peer, find_peer));
        }
    }
    return rules;
}

std::vector<Permission> to_permissions(const std::vector<SecurityGroupRule>& rules, bool egress,
                                       const model::AccountId& owner) {
    std::vector<Permission> permissions;
    for (const SecurityGroupRule& rule : rules) {
        if (rule.egress != egress) {
            continue;
        }
        auto found = std::find_if(permissions.begin(), permissions.end(),
                                  [&](const auto& known) { return same_traffic(known, rule); });
        if (found == permissions.end()) {
            found = permissions.insert(
                permissions.end(), {rule.protocol, rule.from_port, rule.to_port, {}, {}, {}, {}});
        }
        if (!rule.cidr_ipv4.empty()) {
            found->ipv4.push_back({rule.cidr_ipv4, rule.description});
        } else if (!rule.cidr_ipv6.empty()) {
            found->ipv6.push_back({rule.cidr_ipv6, rule.description});
        } else {
            found->groups.push_back(
                {rule.referenced_group.str(), "", owner.str(), rule.description});
        }
    }
    return permissions;
}

std::string describe_rule(const SecurityGroupRule& rule) {
    const std::string& peer = !rule.cidr_ipv4.empty()   ? rule.cidr_ipv4
                              : !rule.cidr_ipv6.empty() ? rule.cidr_ipv6
                                                        : rule.referenced_group.str();
    if (rule.protocol == model::kAllProtocols) {
        return fmt::format("peer: {}, ALL, ALLOW", peer);
    }
    std::string protocol = rule.protocol;
    std::transform(protocol.begin(), protocol.end(), protocol.begin(),
                   [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
    if (!rule.from_port || !rule.to_port) {
        return fmt::format("peer: {}, {}, ALLOW", peer, protocol);
    }
    const bool icmp = is_icmp(rule.protocol);
    return fmt::format("peer: {}, {}, {}: {}, {}: {}, ALLOW", peer, protocol,
                       icmp ? "type" : "from port", *rule.from_port, icmp ? "code" : "to port",
                       *rule.to_port);
}

}  // namespace kiln::control
