// SPDX-License-Identifier: Apache-2.0
#include "control/interface_attributes.h"

#include <fmt/format.h>

#include "control/api_errors.h"
#include "control/instance_views.h"
#include "control/launch_network.h"
#include "control/network_names.h"

namespace kiln::control {
namespace {

Status check_one(const InterfaceChange& change) {
    const int count = int{change.description.has_value()} +
                      int{change.source_dest_check.has_value()} + int{!change.groups.empty()} +
                      int{change.attachment_id.has_value()};
    if (count == 1) {
        return ok();
    }
    return errors::invalid_parameter_combination(
        count == 0 ? "No attributes specified."
                   : "Fields for multiple attribute types specified. Modify one attribute per "
                     "request.");
}

Result<model::Instance> find_owner(catalog::Transaction& tx, const Caller& caller,
                                   const model::NetworkInterfaceId& id) {
    catalog::InstanceQuery own;
    own.region = caller.region;
    own.owners = {caller.account};
    TRY_ASSIGN(auto instances, tx.instances().list(own));
    for (model::Instance& instance : instances) {
        if (has_interface(instance) && instance.network_interface_id == id) {
            return std::move(instance);
        }
    }
    return Error::api(Code::not_found, "InvalidNetworkInterfaceID.NotFound",
                      fmt::format("The networkInterface ID '{}' does not exist", id.str()));
}

}  // namespace

Status InterfaceAttributes::apply(catalog::Transaction& tx, const Caller& caller,
                                  const InterfaceChange& change, model::Instance& instance) {
    if (change.description) {
        TRY(check_interface_description(*change.description));
        instance.interface_description = *change.description;
    }
    if (change.attachment_id &&
        *change.attachment_id != derived_id("eni-attach", instance.network_interface_id.str())) {
        return Error::api(
            Code::not_found, "InvalidAttachmentID.NotFound",
            fmt::format("The attachment ID '{}' does not exist", *change.attachment_id));
    }
    instance.source_dest_check = change.source_dest_check.value_or(instance.source_dest_check);
    if (!change.groups.empty()) {
        TRY_ASSIGN(instance.security_groups,
                   find_groups(tx, parts_, caller, instance.vpc_id, change.groups, {}));
    }
    return tx.instances().update(instance);
}

Status InterfaceAttributes::modify(const Caller& caller, const model::NetworkInterfaceId& id,
                                   const InterfaceChange& change, bool dry_run) {
    TRY(check_one(change));
    model::InstanceId owner;
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::Instance instance, find_owner(tx, caller, id));
        owner = instance.id;
        TRY(apply(tx, caller, change, instance));
        return dry_run ? Status(errors::dry_run()) : ok();
    }));
    if (!change.groups.empty()) {
        networks_.instance_changed(owner);
    }
    return ok();
}

}  // namespace kiln::control
