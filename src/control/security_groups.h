// SPDX-License-Identifier: Apache-2.0
// SecurityGroups: making, describing and deleting groups, and adding and removing their rules
// (SG-1 .. SG-11 of docs/semantics/vpc.md). Thread-safe, blocking.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/filter.h"
#include "control/instance_networks.h"
#include "control/pagination.h"
#include "control/parts.h"
#include "control/permissions.h"
#include "control/tagging.h"
#include "model/network.h"

namespace kiln::control {

struct CreateSecurityGroupInput {
    std::string name;
    std::string description;
    model::VpcId vpc_id;  // empty: the default VPC
    std::vector<TagSpecification> tags;
    bool dry_run = false;
};

// A group as requests name it: by id, or by its name in the default VPC.
struct GroupName {
    model::SecurityGroupId id;
    std::string name;
};

struct ChangeRulesInput {
    GroupName group;
    bool egress = false;
    std::vector<Permission> permissions;
    std::vector<model::SecurityGroupRuleId> rule_ids;  // revoking only
    std::vector<TagSpecification> tags;                // authorizing only
    bool dry_run = false;
};

// What one rule is to be from now on: a permission with one source.
struct RuleUpdate {
    model::SecurityGroupRuleId id;
    Permission permission;
};
struct ModifyRulesInput {
    model::SecurityGroupId group;
    std::vector<RuleUpdate> updates;
    bool dry_run = false;
};

struct SecurityGroupView {
    model::SecurityGroup group;
    std::map<model::SecurityGroupId, std::string> peer_names;  // of the groups its rules name
    std::vector<model::Tag> tags;
};

struct RuleView {
    model::SecurityGroupRule rule;
    model::SecurityGroupId group;
    model::AccountId owner;
    std::string region;
    model::VpcId vpc;
    UnixMillis created;  // of the group: for the order alone
    std::vector<model::Tag> tags;
};

struct RevokedRules {
    std::vector<RuleView> revoked;
    std::vector<Permission> unknown;  // SG-8
};

struct DescribeGroupsInput {
    std::vector<model::SecurityGroupId> ids;
    std::vector<std::string> names;
    std::vector<Filter> filters;
    PageRequest page;
};

struct DescribeRulesInput {
    std::vector<model::SecurityGroupRuleId> ids;
    std::vector<Filter> filters;
    PageRequest page;
};

class SecurityGroups {
  public:
    SecurityGroups(const Parts& parts, InstanceNetworks& networks)
        : parts_(parts), networks_(networks) {}

    Result<SecurityGroupView> create(const Caller& caller, const CreateSecurityGroupInput& input);
    Result<model::SecurityGroupId> remove(const Caller& caller, const GroupName& group,
                                          bool dry_run);
    Result<Page<SecurityGroupView>> describe(const Caller& caller,
                                             const DescribeGroupsInput& input);
    Result<std::vector<RuleView>> authorize(const Caller& caller, const ChangeRulesInput& input);
    Result<RevokedRules> revoke(const Caller& caller, const ChangeRulesInput& input);
    // SG-12: all of them or none; in force when it returns.
    Status modify_rules(const Caller& caller, const ModifyRulesInput& input);
    Result<Page<RuleView>> describe_rules(const Caller& caller, const DescribeRulesInput& input);

  private:
    Result<model::SecurityGroup> insert(catalog::Transaction& tx, const Caller& caller,
                                        const CreateSecurityGroupInput& input);
    Result<std::vector<RuleView>> add_rules(catalog::Transaction& tx, const Caller& caller,
                                            const ChangeRulesInput& input);
    Result<RevokedRules> take_rules(catalog::Transaction& tx, const Caller& caller,
                                    const ChangeRulesInput& input);

    const Parts parts_;
    InstanceNetworks& networks_;
};

inline constexpr std::size_t kMaxRulesPerDirection = 60;  // SG-7: EC2's default quota
inline constexpr std::size_t kMaxGroupsPerInterface = 5;  // SG-10: likewise
inline constexpr std::size_t kMaxGroupsPerRegion = 2500;  // SG-3: likewise

// Of the caller, in its region; InvalidGroup.NotFound naming it otherwise.
Result<model::SecurityGroup> find_group(catalog::Transaction& tx, const Parts& parts,
                                        const Caller& caller, const GroupName& name);
Error group_not_found(const model::SecurityGroupId& id);

const FilterTable<SecurityGroupView>& security_group_filters();
const FilterTable<RuleView>& security_group_rule_filters();

}  // namespace kiln::control
