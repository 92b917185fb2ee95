// SPDX-License-Identifier: Apache-2.0
#include "control/security_groups.h"

#include <fmt/format.h>

#include <set>

#include "control/api_errors.h"
#include "control/default_network.h"
#include "control/networks.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{5, 1000};  // PAG-2

Status check_name(const std::string& name) {
    if (name.empty()) {
        return errors::missing_parameter("GroupName");
    }
    if (name == kDefaultGroupName) {
        return errors::invalid_parameter_value("Cannot use reserved security group name: default");
    }
    if (name.starts_with("sg-")) {
        return errors::invalid_parameter_value(
            fmt::format("Value ({}) for parameter GroupName is invalid. Group names may not be in "
                        "the format sg-*.",
                        name));
    }
    if (!is_group_text(name)) {
        return errors::invalid_parameter_value(
            fmt::format("Value ({}) for parameter GroupName is invalid. Valid names are strings "
                        "less than 256 characters from the following set:  a-zA-Z0-9. "
                        "_-:/()#,@[]+=&;{{}}!$*",
                        name));
    }
    return ok();
}

Status check_input(const CreateSecurityGroupInput& input) {
    TRY(check_name(input.name));
    if (input.description.empty()) {
        return errors::missing_parameter("GroupDescription");
    }
    if (!is_group_text(input.description)) {
        return errors::invalid_parameter_value(
            "Invalid security group description. Valid descriptions are strings less than 256 "
            "characters from the following set:  a-zA-Z0-9. _-:/()#,@[]+=&;{}!$*");
    }
    return check_tag_specifications(input.tags, {"security-group"});
}

catalog::SecurityGroupQuery own_groups(const Caller& caller) {
    catalog::SecurityGroupQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    return query;
}

// SG-4: a group goes only when no instance and no other group's rule names it.
Status check_unused(catalog::Transaction& tx, const Caller& caller,
                    const model::SecurityGroup& group) {
    const Error in_use =
        Error::api(Code::failed_precondition, "DependencyViolation",
                   fmt::format("resource {} has a dependent object", group.id.str()));
    catalog::InstanceQuery members;
    members.region = caller.region;
    members.owners = {caller.account};
    members.states = {model::InstanceState::pending, model::InstanceState::running,
                      model::InstanceState::shutting_down, model::InstanceState::stopping,
                      model::InstanceState::stopped};
    TRY_ASSIGN(const auto instances, tx.instances().list(members));
    for (const model::Instance& instance : instances) {
        const auto& groups = instance.security_groups;
        if (std::find(groups.begin(), groups.end(), group.id) != groups.end()) {
            return in_use;
        }
    }
    TRY_ASSIGN(const auto others, tx.security_groups().list(own_groups(caller)));
    for (const model::SecurityGroup& other : others) {
        const bool refers =
            std::any_of(other.rules.begin(), other.rules.end(),
                        [&](const auto& rule) { return rule.referenced_group == group.id; });
        if (other.id != group.id && refers) {
            return in_use;
        }
    }
    return ok();
}

Result<std::vector<SecurityGroupView>> load_views(catalog::Transaction& tx, const Caller& caller,
                                                  std::vector<model::SecurityGroup> groups,
                                                  const std::vector<model::SecurityGroup>& all) {
    std::map<model::SecurityGroupId, std::string> names;
    for (const model::SecurityGroup& group : all) {
        names[group.id] = group.name;
    }
    std::vector<std::string> ids;
    for (const model::SecurityGroup& group : groups) {
        ids.push_back(group.id.str());
    }
    TRY_ASSIGN(const auto tags, tx.tags().of(caller.account, ids));
    std::vector<SecurityGroupView> views;
    for (model::SecurityGroup& group : groups) {
        SecurityGroupView view;
        for (const model::SecurityGroupRule& rule : group.rules) {
            if (const auto found = names.find(rule.referenced_group); found != names.end()) {
                view.peer_names.insert(*found);
            }
        }
        if (const auto found = tags.find(group.id.str()); found != tags.end()) {
            view.tags = found->second;
        }
        view.group = std::move(group);
        views.push_back(std::move(view));
    }
    return views;
}

// IDL-2: of `all`, those that were asked for; every one must be there.
Result<std::vector<model::SecurityGroup>> choose(const std::vector<model::SecurityGroup>& all,
                                                 const DescribeGroupsInput& input,
                                                 const model::VpcId& default_vpc) {
    if (input.ids.empty() && input.names.empty()) {
        return all;
    }
    for (const model::SecurityGroupId& id : input.ids) {
        if (std::none_of(all.begin(), all.end(), [&](const auto& g) { return g.id == id; })) {
            return group_not_found(id);
        }
    }
    const auto is_named = [&](const model::SecurityGroup& group, const std::string& name) {
        return group.vpc_id == default_vpc && group.name == name;
    };
    if (!input.names.empty() && default_vpc.empty()) {
        return no_default_vpc();
    }
    for (const std::string& name : input.names) {
        if (std::none_of(all.begin(), all.end(),
                         [&](const auto& g) { return is_named(g, name); })) {
            return Error::api(Code::not_found, "InvalidGroup.NotFound",
                              fmt::format("The security group '{}' does not exist in default VPC "
                                          "'{}'",
                                          name, default_vpc.str()));
        }
    }
    std::vector<model::SecurityGroup> chosen;
    for (const model::SecurityGroup& group : all) {
        if (std::find(input.ids.begin(), input.ids.end(), group.id) != input.ids.end() ||
            std::any_of(input.names.begin(), input.names.end(),
                        [&](const std::string& name) { return is_named(group, name); })) {
            chosen.push_back(group);
        }
    }
    return chosen;
}

}  // namespace

Error group_not_found(const model::SecurityGroupId& id) {
    return Error::api(Code::not_found, "InvalidGroup.NotFound",
                      fmt::format("The security group '{}' does not exist", id.str()));
}

Result<model::SecurityGroup> find_group(catalog::Transaction& tx, const Parts& parts,
                                        const Caller& caller, const GroupName& name) {
    if (!name.id.empty()) {
        TRY_ASSIGN(auto group, tx.security_groups().find(name.id));
        if (!group || group->owner_id != caller.account || group->region != caller.region) {
            return group_not_found(name.id);  // ERR-3
        }
        return std::move(*group);
    }
    if (name.name.empty()) {
        return errors::missing_parameter("GroupId");
    }
    TRY_ASSIGN(const DefaultNetwork network, ensure_default_network(tx, parts, caller));
    catalog::SecurityGroupQuery query;
    query.vpc = network.vpc.id;
    query.names = {name.name};
    TRY_ASSIGN(auto groups, tx.security_groups().list(query));
    if (groups.empty()) {
        return Error::api(Code::not_found, "InvalidGroup.NotFound",
                          fmt::format("The security group '{}' does not exist in default VPC '{}'",
                                      name.name, network.vpc.id.str()));
    }
    return std::move(groups.front());
}

Result<model::SecurityGroup> SecurityGroups::insert(catalog::Transaction& tx, const Caller& caller,
                                                    const CreateSecurityGroupInput& input) {
    model::VpcId vpc = input.vpc_id;
    if (vpc.empty()) {
        TRY_ASSIGN(const DefaultNetwork network, ensure_default_network(tx, parts_, caller));
        vpc = network.vpc.id;
    } else {
        TRY(find_own_vpc(tx, caller, vpc));
    }
    catalog::SecurityGroupQuery all;
    all.vpc = vpc;
    TRY_ASSIGN(const auto groups, tx.security_groups().list(all));
    for (const model::SecurityGroup& group : groups) {
        if (group.name == input.name) {
            return Error::api(Code::already_exists, "InvalidGroup.Duplicate",
                              fmt::format("The security group '{}' already exists for VPC '{}'",
                                          input.name, vpc.str()));
        }
    }
    if (groups.size() >= kMaxGroupsPerRegion) {
        return Error::api(Code::resource_exhausted, "SecurityGroupLimitExceeded",
                          "The maximum number of security groups has been reached.");
    }
    model::SecurityGroup group;
    group.id = model::make_id<model::SecurityGroupId>(parts_.rng);
    group.owner_id = caller.account;
    group.region = caller.region;
    group.vpc_id = vpc;
    group.name = input.name;
    group.description = input.description;
    group.rules = {allow_all_egress(parts_.rng)};  // SG-2
    group.created = parts_.clock.now();
    TRY(tx.security_groups().insert(group));
    TRY(put_tags(tx, caller, "security-group", group.id.str(),
                 tags_for(input.tags, "security-group")));
    return group;
}

Result<SecurityGroupView> SecurityGroups::create(const Caller& caller,
                                                 const CreateSecurityGroupInput& input) {
    TRY(check_input(input));
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<SecurityGroupView> {
        TRY_ASSIGN(model::SecurityGroup group, insert(tx, caller, input));
        if (input.dry_run) {
            return errors::dry_run();  // rolls everything back
        }
        return SecurityGroupView{std::move(group), {}, tags_for(input.tags, "security-group")};
    });
}

Result<model::SecurityGroupId> SecurityGroups::remove(const Caller& caller, const GroupName& name,
                                                      bool dry_run) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Result<model::SecurityGroupId> {
        TRY_ASSIGN(const model::SecurityGroup group, find_group(tx, parts_, caller, name));
        if (group.name == kDefaultGroupName) {
            return Error::api(
                Code::failed_precondition, "CannotDelete",
                fmt::format("the specified group: \"{}\" name: \"{}\" cannot be deleted by a user",
                            group.id.str(), group.name));
        }
        TRY(check_unused(tx, caller, group));
        if (dry_run) {
            return errors::dry_run();
        }
        for (const model::SecurityGroupRule& rule : group.rules) {
            TRY(tx.tags().erase_resource(rule.id.str()));
        }
        TRY(tx.tags().erase_resource(group.id.str()));
        TRY(tx.security_groups().erase(group.id));
        return group.id;
    });
}

Result<Page<SecurityGroupView>> SecurityGroups::describe(const Caller& caller,
                                                         const DescribeGroupsInput& input) {
    TRY(security_group_filters().check(input.filters));
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    TRY(make_default_network(parts_, caller));
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<Page<SecurityGroupView>> {
        TRY_ASSIGN(const auto all, tx.security_groups().list(own_groups(caller)));
        catalog::VpcQuery query;
        query.region = caller.region;
        query.owners = {caller.account};
        query.is_default = true;
        TRY_ASSIGN(const auto vpcs, tx.vpcs().list(query));
        TRY_ASSIGN(auto chosen,
                   choose(all, input, vpcs.empty() ? model::VpcId() : vpcs.front().id));
        TRY_ASSIGN(auto views, load_views(tx, caller, std::move(chosen), all));
        std::erase_if(views, [&](const SecurityGroupView& view) {
            const catalog::Cursor here{view.group.created, view.group.id.str()};
            return !is_after(here, start) || !security_group_filters().matches(input.filters, view);
        });
        return cut_page(caller, input.page, start, std::move(views), [](const auto& view) {
            return catalog::Cursor{view.group.created, view.group.id.str()};
        });
    });
}

}  // namespace kiln::control
