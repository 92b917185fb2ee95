// SPDX-License-Identifier: Apache-2.0
// The rules of security groups: authorizing, revoking, describing.
#include <fmt/format.h>

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

// SG-5: the other side of a rule is a group of the same account and region.
FindPeer peer_finder(catalog::Transaction& tx, const Parts& parts, const Caller& caller) {
    return [&tx, &parts, &caller](const PeerGroup& peer) -> Result<model::SecurityGroupId> {
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

}  // namespace

Result<std::vector<RuleView>> SecurityGroups::add_rules(catalog::Transaction& tx,
                                                        const Caller& caller,
                                                        const ChangeRulesInput& input) {
    TRY_ASSIGN(SecurityGroup group, find_group(tx, parts_, caller, input.group));
    TRY_ASSIGN(auto rules,
               to_rules(input.permissions, input.egress, peer_finder(tx, parts_, caller)));
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
        TRY_ASSIGN(const auto wanted,
                   to_rules(input.permissions, input.egress, peer_finder(tx, parts_, caller)));
        taken = take_by_value(group, wanted, unknown);
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
