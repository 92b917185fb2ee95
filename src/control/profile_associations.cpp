// SPDX-License-Identifier: Apache-2.0
#include "control/profile_associations.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/instances.h"

namespace kiln::control {
namespace {

constexpr PageLimits kLimits{5, 1000};  // PAG-2
constexpr char kAssociated[] = "associated";
constexpr char kAssociating[] = "associating";
constexpr char kDisassociating[] = "disassociating";

// IPA-1: what ends has none to change.
bool may_have(const model::Instance& instance) {
    return instance.state != model::InstanceState::shutting_down &&
           instance.state != model::InstanceState::terminated;
}

AssociationView view_of(const model::Instance& instance, std::string state) {
    return {association_of(instance), *instance.profile, instance.id, std::move(state),
            instance.created};
}

Error not_found(const model::ProfileAssociationId& id) {
    return Error::api(Code::not_found, "InvalidAssociationID.NotFound",
                      fmt::format("The association ID '{}' does not exist", id.str()));
}

Result<std::vector<model::Instance>> with_profile(catalog::Transaction& tx, const Caller& caller) {
    catalog::InstanceQuery query;
    query.region = caller.region;
    query.owners = {caller.account};
    TRY_ASSIGN(auto instances, tx.instances().list(query));
    std::erase_if(instances, [](const model::Instance& instance) {
        return !instance.profile || !may_have(instance);
    });
    return instances;
}

Result<model::Instance> find(catalog::Transaction& tx, const Caller& caller,
                             const model::ProfileAssociationId& id) {
    TRY_ASSIGN(auto instances, with_profile(tx, caller));
    for (model::Instance& instance : instances) {
        if (association_of(instance).id == id) {
            return std::move(instance);
        }
    }
    return not_found(id);
}

Result<model::InstanceProfileRef> profile_of(catalog::Transaction& tx, const Caller& caller,
                                             const InstanceProfileSpec& spec) {
    TRY_ASSIGN(const auto profile, find_launch_profile(tx, caller, spec));
    if (!profile) {
        return errors::missing_parameter("IamInstanceProfile");
    }
    return *profile;
}

}  // namespace

const FilterTable<AssociationView>& association_filters() {
    using Values = std::vector<std::string>;
    static const FilterTable<AssociationView> table(
        [](const AssociationView&) -> const std::vector<model::Tag>& {
            static const std::vector<model::Tag> none;
            return none;
        },
        {{"instance-id", [](const AssociationView& view) { return Values{view.instance.str()}; }},
         {"state", [](const AssociationView& view) { return Values{view.state}; }}});
    return table;
}

model::ProfileAssociation association_of(const model::Instance& instance) {
    if (instance.profile_association) {
        return *instance.profile_association;
    }
    const std::string& id = instance.id.str();
    return {model::ProfileAssociationId(std::string(model::ProfileAssociationIdTag::kPrefix) +
                                        id.substr(id.find('-'))),
            instance.created};
}

Result<AssociationView> ProfileAssociations::put(catalog::Transaction& tx, model::Instance instance,
                                                 const model::InstanceProfileRef& profile) {
    instance.profile = profile;
    instance.profile_association =
        model::ProfileAssociation{model::make_id<model::ProfileAssociationId>(rng_), clock_.now()};
    TRY(tx.instances().update(instance));
    return view_of(instance, kAssociating);
}

Result<AssociationView> ProfileAssociations::associate(const Caller& caller,
                                                       const model::InstanceId& id,
                                                       const InstanceProfileSpec& spec) {
    return store_.run([&](catalog::Transaction& tx) -> Result<AssociationView> {
        TRY_ASSIGN(const auto instances, find_instances(tx, caller, {id}));
        const model::Instance& instance = instances.front();
        TRY_ASSIGN(const auto profile, profile_of(tx, caller, spec));
        if (!may_have(instance)) {
            return Error::api(Code::failed_precondition, "IncorrectInstanceState",
                              fmt::format("The instance '{}' is not in a state from which its "
                                          "instance profile can be changed.",
                                          id.str()));
        }
        if (instance.profile) {
            return Error::api(
                Code::failed_precondition, "IncorrectState",
                fmt::format("There is an existing association for instance {}", id.str()));
        }
        return put(tx, instance, profile);
    });
}

Result<AssociationView> ProfileAssociations::disassociate(const Caller& caller,
                                                          const model::ProfileAssociationId& id) {
    return store_.run([&](catalog::Transaction& tx) -> Result<AssociationView> {
        TRY_ASSIGN(model::Instance instance, find(tx, caller, id));
        AssociationView view = view_of(instance, kDisassociating);
        instance.profile.reset();
        instance.profile_association.reset();
        TRY(tx.instances().update(instance));
        return view;
    });
}

Result<AssociationView> ProfileAssociations::replace(const Caller& caller,
                                                     const model::ProfileAssociationId& id,
                                                     const InstanceProfileSpec& spec) {
    return store_.run([&](catalog::Transaction& tx) -> Result<AssociationView> {
        TRY_ASSIGN(const model::Instance instance, find(tx, caller, id));
        TRY_ASSIGN(const auto profile, profile_of(tx, caller, spec));
        return put(tx, instance, profile);
    });
}

Result<Page<AssociationView>> ProfileAssociations::describe(
    const Caller& caller, const DescribeAssociationsInput& input) {
    TRY(association_filters().check(input.filters));
    if (!input.ids.empty() && input.page.max_results) {  // PAG-4
        return errors::invalid_parameter_combination(
            "The parameter associationSet cannot be used with the parameter maxResults");
    }
    TRY_ASSIGN(const PageStart start, open_page(caller, input.page, kLimits));
    const auto cursor_of = [](const AssociationView& view) {
        return catalog::Cursor{view.created, view.instance.str()};
    };
    TRY_ASSIGN(auto instances,
               store_.read([&](catalog::Transaction& tx) { return with_profile(tx, caller); }));
    std::vector<AssociationView> views;
    for (const model::Instance& instance : instances) {
        views.push_back(view_of(instance, kAssociated));
    }
    for (const model::ProfileAssociationId& id : input.ids) {
        if (std::ranges::none_of(views,
                                 [&](const auto& view) { return view.association.id == id; })) {
            return not_found(id);
        }
    }
    std::erase_if(views, [&](const AssociationView& view) {
        const bool named = input.ids.empty() ||
                           std::ranges::find(input.ids, view.association.id) != input.ids.end();
        return !named || !is_after(cursor_of(view), start) ||
               !association_filters().matches(input.filters, view);
    });
    return cut_page(caller, input.page, start, std::move(views), cursor_of);
}

}  // namespace kiln::control
