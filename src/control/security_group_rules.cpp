// SPDX-License-Identifier: Apache-2.0
// The rules of security groups: authorizing, revoking, describing.
#include <fmt/format.h>

#include <set>

#include "control/api_errors.h"
#include "control/security_groups.h"

namespace kiln::control {
namespace {

using model::SecurityGroup;
using model::SecurityGroupRule;

constexpr PageLimits kLimits{5, 1000};  // PAG-2
constexpr char kRuleType[] = "security-group-rule";

RuleView view_of(const SecurityGroup& group, SecurityGroupRule rule, std::vector<model::Tag> tags) {
    return {std::move(rule), group.id,      group.owner_id, group.region,
            group.vpc_id,    group.created, std::move(tags)};
}

Error rule_not_found(const model::SecurityGroupRuleId& id) {
    return Error::api(Code::not_found, "InvalidSecurityGroupRuleId.NotFound",
                      fmt::format("The security group rule ID '{}' does not exist", id.str()));
}

// SG-5: the other side of a rule is a group of the same account and VPC.
FindPeer peer_finder(catalog::Transaction& tx, const Parts& parts, const Caller& caller,
                     const model::VpcId& vpc) {
    return [&tx, &parts, &caller, vpc](const PeerGroup& peer) -> Result<model::SecurityGroupId> {
        GroupName name;
        if (!peer.id.empty()) {
            TRY_ASSIGN(name.id, model::parse_security_group_id(peer.id));
        } else {
            name.name = peer.name;
        }
        if (!peer.owner.empty()) {
            TRY_ASSIGN(const auto owner, model::parse_account_id(peer.owner));
            if (owner != caller.account) {
                return Error::api(
                    Code::not_found, "InvalidGroup.NotFound",
                    fmt::format("You have specified two resources that belong to "
                                "different networks: '{}' is not a group of '{}'.",
                                peer.id.empty() ? peer.name : peer.id, caller.account.str()));
            }
        }
        TRY_ASSIGN(const SecurityGroup group, find_group(tx, parts, caller, name));
        if (group.vpc_id != vpc) {
            return Error::api(Code::not_found, "InvalidGroup.NotFound",
                              fmt::format("You have specified two resources that belong to "
                                          "different networks: '{}' is not a group of '{}'.",
                                          group.id.str(), vpc.str()));
        }
        return group.id;
    };
}

Status check_not_there(const SecurityGroup& group, const SecurityGroupRule& rule) {  // SG-6
    for (const SecurityGroupRule& known : group.rules) {
        if (model::same_rule(known, rule)) {
            return Error::api(
                Code::already_exists, "InvalidPermission.Duplicate",
                fmt::format("the specified rule \"{}\" already exists", describe_rule(rule)));
        }
    }
    return ok();
}

Status check_count(const SecurityGroup& group) {  // SG-7
    for (const bool egress : {false, true}) {
        const auto count =
            std::count_if(group.rules.begin(), group.rules.end(),
                          [&](const SecurityGroupRule& rule) { return rule.egress == egress; });
        if (static_cast<std::size_t>(count) > kMaxRulesPerDirection) {
            return Error::api(Code::resource_exhausted, "RulesPerSecurityGroupLimitExceeded",
                              "The maximum number of rules per security group has been reached.");
        }
    }
    return ok();
}

// Takes the rules with these ids out of the group.
Result<std::vector<SecurityGroupRule>> take_by_id(
    SecurityGroup& group, bool egress, const std::vector<model::SecurityGroupRuleId>& ids) {
    std::vector<SecurityGroupRule> taken;
    for (const model::SecurityGroupRuleId& id : ids) {
        const auto known = [&](const SecurityGroupRule& rule) {
            return rule.id == id && rule.egress == egress;
        };
        if (std::any_of(taken.begin(), taken.end(), known)) {
            continue;  // IDL-3
        }
        const auto found = std::find_if(group.rules.begin(), group.rules.end(), known);
        if (found == group.rules.end()) {
            return rule_not_found(id);
        }
        taken.push_back(*found);
        group.rules.erase(found);
    }
    return taken;
}

// Takes the rules that are like `wanted` out of the group; what is not there goes to `unknown`.
std::vector<SecurityGroupRule> take_by_value(SecurityGroup& group,
                                             const std::vector<SecurityGroupRule>& wanted,
                                             std::vector<SecurityGroupRule>& unknown) {
    std::vector<SecurityGroupRule> taken;
    for (const SecurityGroupRule& rule : wanted) {
        const auto found =
            std::find_if(group.rules.begin(), group.rules.end(), [&](const auto& known) {
                return model::same_rule(known, rule);  // the description does not matter
            });
        if (found == group.rules.end()) {
            unknown.push_back(rule);
        } else {
            taken.push_back(*found);
            group.rules.erase(found);
        }
    }
    return taken;
}

enum class Source { ipv4, ipv6, group };

Source source_of(const SecurityGroupRule& rule) {
    return !rule.cidr_ipv4.empty()   ? Source::ipv4
           : !rule.cidr_ipv6.empty() ? Source::ipv6
                                     : Source::group;
}

// SG-12: the rule keeps its id, its tags, its direction and the kind of its source.
Status replace_rule(SecurityGroup& group, const RuleUpdate& update, const FindPeer& find_peer) {
    const auto found =
        std::find_if(group.rules.begin(), group.rules.end(),
                     [&](const SecurityGroupRule& rule) { return rule.id == update.id; });
    if (found == group.rules.end()) {
        return rule_not_found(update.id);
    }
    TRY_ASSIGN(auto made, to_rules({update.permission}, found->egress, find_peer));
    if (made.size() != 1) {
        return errors::invalid_parameter_combination("A rule has exactly one source.");
    }
    if (source_of(made.front()) != source_of(*found)) {
        return errors::invalid_parameter_value(
            fmt::format("The kind of source of the rule {} cannot be changed.", update.id.str()));
    }
    made.front().id = found->id;
    *found = std::move(made.front());
    return ok();
}

// SG-6, of what the rules have become.
Status check_distinct(const SecurityGroup& group) {
    for (auto one = group.rules.begin(); one != group.rules.end(); ++one) {
        for (auto other = std::next(one); other != group.rules.end(); ++other) {
            if (model::same_rule(*one, *other)) {
                return Error::api(
                    Code::already_exists, "InvalidPermission.Duplicate",
                    fmt::format("the specified rule \"{}\" already exists", describe_rule(*one)));
            }
        }
    }
    return ok();
}

}  // namespace

Status SecurityGroups::modify_rules(const Caller& caller, const ModifyRulesInput& input) {
    std::set<model::SecurityGroupRuleId> seen;
    for (const RuleUpdate& update : input.updates) {
        if (!seen.insert(update.id).second) {
            return errors::invalid_parameter_value(
                fmt::format("The rule {} must not appear multiple times.", update.id.str()));
        }
    }
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(SecurityGroup group, find_group(tx, parts_, caller, {input.group, ""}));
        const FindPeer find_peer = peer_finder(tx, parts_, caller, group.vpc_id);
        for (const RuleUpdate& update : input.updates) {
            TRY(replace_rule(group, update, find_peer));
        }
        TRY(check_distinct(group));
        TRY(tx.security_groups().update(group));
        return input.dry_run ? Status(errors::dry_run()) : ok();
    }));
    networks_.group_changed(input.group);
    return ok();
}

Result<std::vector<RuleView>> SecurityGroups::add_rules(catalog::Transaction& tx,
                                                        const Caller& caller,
                                                        const ChangeRulesInput& input) {
    TRY_ASSIGN(SecurityGroup group, find_group(tx, parts_, caller, input.group));
    TRY_ASSIGN(auto rules, to_rules(input.permissions, input.egress,
                                    peer_finder(tx, parts_, caller, group.vpc_id)));
    const std::vector<model::Tag> tags = tags_for(input.tags, kRuleType);
    std::vector<RuleView> views;
    for (SecurityGroupRule& rule : rules) {
        TRY(check_not_there(group, rule));
        rule.id = model::make_id<model::SecurityGroupRuleId>(parts_.rng);
        TRY(put_tags(tx, caller, kRuleType, rule.id.str(), tags));
        group.rules.push_back(rule);
        views.push_back(view_of(group, std::move(rule), tags));
    }
    TRY(check_count(group));
    TRY(tx.security_groups().update(group));
    return views;
}

Result<std::vector<RuleView>> SecurityGroups::authorize(const Caller& caller,
                                                        const ChangeRulesInput& input) {
    TRY(check_tag_specifications(input.tags, {kRuleType}));
    auto added = parts_.store.run([&](catalog::Transaction& tx) -> Result<std::vector<RuleView>> {
        TRY_ASSIGN(auto views, add_rules(tx, caller, input));
        if (input.dry_run) {
            return errors::dry_run();  // rolls everything back
        }
        return views;
    });
    if (added && !added->empty()) {
        networks_.group_changed(added->front().group);
    }
    return added;
}

Result<RevokedRules> SecurityGroups::take_rules(catalog::Transaction& tx, const Caller& caller,
                                                const ChangeRulesInput& input) {
    TRY_ASSIGN(SecurityGroup group, find_group(tx, parts_, caller, input.group));
    std::vector<SecurityGroupRule> taken;
    std::vector<SecurityGroupRule> unknown;
    if (!input.rule_ids.empty()) {
        TRY_ASSIGN(taken, take_by_id(group, input.egress, input.rule_ids));
    } else {
        TRY_ASSIGN(const auto wanted, to_rules(input.permissions, input.egress,
                                               peer_finder(tx, parts_, caller, group.vpc_id)));
        taken = take_by_value(group, wanted, unknown);
        TRY_ASSIGN(const model::Vpc vpc, tx.vpcs().get(group.vpc_id));
        if (!unknown.empty() && !vpc.is_default) {  // SG-8
            return Error::api(Code::not_found, "InvalidPermission.NotFound",
                              "The specified rule does not exist in this security group: " +
                                  describe_rule(unknown.front()));
        }
    }
    RevokedRules out;
    out.unknown = to_permissions(unknown, input.egress, caller.account);
    for (SecurityGroupRule& rule : taken) {
        TRY(tx.tags().erase_resource(rule.id.str()));
        out.revoked.push_back(view_of(group, std::move(rule), {}));
    }
    TRY(tx.security_groups().update(group));
    return out;
}

Result<RevokedRules> SecurityGroups::revoke(const Caller& caller, const ChangeRulesInput& input) {
    if (!input.rule_ids.empty() && !input.permissions.empty()) {
        return errors::invalid_parameter_combination(
            "Rule ids and rule properties may not be given together.");
    }
    auto taken = parts_.store.run([&](catalog::Transaction& tx) -> Result<RevokedRules> {
        TRY_ASSIGN(auto revoked, take_rules(tx, caller, input));
        if (input.dry_run) {
            return errors::dry_run();
        }
        return revoked;
    });
    if (taken && !taken->revoked.empty()) {
        networks_.group_changed(taken->revoked.front().group);
    }
    return taken;
}

Result<Page<RuleView>> SecurityGroups::describe_rules(const Caller& caller,
                                                      const DescribeRulesInput& input) {
    TRY(security_group_rule_filters().check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    const auto cursor_of = [](const RuleView& view) {
        return catalog::Cursor{view.created, view.group.str() + "/" + view.rule.id.str()};
    };
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<RuleView>> {
        catalog::SecurityGroupQuery own;
        own.region = caller.region;
        own.owners = {caller.account};
        TRY_ASSIGN(const auto groups, tx.security_groups().list(own));
        std::vector<RuleView> views;
        std::vector<std::string> ids;
        for (const SecurityGroup& group : groups) {
            for (const SecurityGroupRule& rule : group.rules) {
                views.push_back(view_of(group, rule, {}));
                ids.push_back(rule.id.str());
            }
        }
        for (const model::SecurityGroupRuleId& id : input.ids) {  // IDL-2
            if (std::none_of(views.begin(), views.end(),
                             [&](const auto& view) { return view.rule.id == id; })) {
                return rule_not_found(id);
            }
        }
        TRY_ASSIGN(const auto tags, tx.tags().of(caller.account, ids));
        for (RuleView& view : views) {
            if (const auto found = tags.find(view.rule.id.str()); found != tags.end()) {
                view.tags = found->second;
            }
        }
        std::erase_if(views, [&](const RuleView& view) {
            const bool chosen = input.ids.empty() || std::find(input.ids.begin(), input.ids.end(),
                                                               view.rule.id) != input.ids.end();
            return !chosen || !is_after(cursor_of(view), start) ||
                   !security_group_rule_filters().matches(input.filters, view);
        });
        std::sort(views.begin(), views.end(), [&](const RuleView& a, const RuleView& b) {
            return is_before(cursor_of(a), cursor_of(b));
        });
        return cut_page(caller, input.page, start, std::move(views), cursor_of);
    });
}

}  // namespace kiln::control
