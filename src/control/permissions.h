// SPDX-License-Identifier: Apache-2.0
// Permissions: the rules of security groups as requests and descriptions have them, several sources
// under one protocol and port range (SG-5). Here they are checked, brought into canonical form and
// taken apart into single rules, and put together again.
//
// Thread model: plain values and pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/network.h"
#include "util/result.h"

namespace kiln::control {

// A group as the other side of a rule: by id, or by name.
struct PeerGroup {
    std::string id;
    std::string name;
    std::string owner;
    std::string description;
};

struct PeerRange {
    std::string cidr;  // or the id of a prefix list
    std::string description;
};

struct Permission {
    std::string protocol;
    std::optional<std::int32_t> from_port;
    std::optional<std::int32_t> to_port;
    std::vector<PeerGroup> groups;
    std::vector<PeerRange> ipv4;
    std::vector<PeerRange> ipv6;
    std::vector<PeerRange> prefix_lists;
};

using FindPeer = std::function<Result<model::SecurityGroupId>(const PeerGroup&)>;

// One rule per source, in the order given, without ids. Refuses what EC2 refuses, the same rule
// twice included.
Result<std::vector<model::SecurityGroupRule>> to_rules(const std::vector<Permission>& permissions,
                                                       bool egress, const FindPeer& find_peer);
// The rules of one direction, grouped by protocol and ports, in the order of their first.
std::vector<Permission> to_permissions(const std::vector<model::SecurityGroupRule>& rules,
                                       bool egress, const model::AccountId& owner);

// As EC2 names a rule: "peer: 0.0.0.0/0, TCP, from port: 22, to port: 22, ALLOW".
std::string describe_rule(const model::SecurityGroupRule& rule);

// SG-3: what names and descriptions of groups and rules may be made of; at most 255 characters.
bool is_group_text(std::string_view text);

}  // namespace kiln::control
