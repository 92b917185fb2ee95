// SPDX-License-Identifier: Apache-2.0
#include "control/instance_attributes.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/image_rules.h"
#include "control/instances.h"
#include "control/launch_network.h"
#include "control/machine_fit.h"

namespace kiln::control {
namespace {

constexpr std::size_t kMaxUserDataBytes = 16384;  // RUN-4

bool for_stopped(const AttributeChange& change) {
    return change.instance_type || change.user_data || change.ebs_optimized || change.ena_support ||
           change.sriov_net_support;
}

int given(const AttributeChange& change) {
    return int{change.source_dest_check.has_value()} +
           int{change.disable_api_termination.has_value()} +
           int{change.disable_api_stop.has_value()} + int{change.shutdown_behavior.has_value()} +
           int{!change.devices.empty()} + int{change.instance_type.has_value()} +
           int{change.user_data.has_value()} + int{change.ebs_optimized.has_value()} +
           int{change.ena_support.has_value()} + int{change.sriov_net_support.has_value()} +
           int{!change.groups.empty()};
}

Status check_one(const AttributeChange& change) {  // STP-4
    const int count = given(change);
    if (count == 0) {
        return errors::invalid_parameter_combination("No attributes specified.");
    }
    if (count > 1) {
        return errors::invalid_parameter_combination(
            "Fields for multiple attribute types specified. Modify one attribute per request.");
    }
    return ok();
}

Result<InstanceView> load(catalog::Transaction& tx, const Topology& topology, const Caller& caller,
                          const model::InstanceId& id) {
    TRY_ASSIGN(auto instances, find_instances(tx, caller, {id}));
    TRY_ASSIGN(auto views, load_views(tx, topology, caller, std::move(instances)));
    return std::move(views.front());
}

}  // namespace

Status InstanceAttributes::modify(const Caller& caller, const model::InstanceId& id,
                                  const AttributeChange& change, bool dry_run) {
    TRY(check_one(change));
    const Status modified = parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(InstanceView view, load(tx, parts_.topology, caller, id));
        if (view.instance.state == model::InstanceState::terminated) {
            return Error::api(Code::failed_precondition, "IncorrectInstanceState",
                              fmt::format("The instance '{}' is terminated.", id.str()));
        }
        if (for_stopped(change)) {
            TRY(model::next(view.instance.state, model::InstanceEvent::modify_stopped, id));
            TRY(apply_stopped(tx, view, change));
        } else {
            TRY(apply(tx, caller, view, change));
        }
        if (dry_run) {
            return errors::dry_run();
        }
        return tx.instances().update(view.instance);
    });
    if (modified && !change.groups.empty()) {
        networks_.instance_changed(id);
    }
    return modified;
}

Status InstanceAttributes::apply(catalog::Transaction& tx, const Caller& caller, InstanceView& view,
                                 const AttributeChange& change) {
    model::Instance& instance = view.instance;
    if (change.shutdown_behavior) {
        if (instance.root_device_type != model::RootDeviceType::ebs) {  // RUN-8
            return errors::invalid_parameter_combination(
                "The attribute instanceInitiatedShutdownBehavior can only be used for EBS-backed "
                "images.");
        }
        instance.shutdown_behavior = *change.shutdown_behavior;
    }
    if (!change.groups.empty()) {
        TRY_ASSIGN(instance.security_groups,
                   find_groups(tx, parts_, caller, instance.vpc_id, change.groups, {}));
    }
    instance.source_dest_check = change.source_dest_check.value_or(instance.source_dest_check);
    instance.disable_api_termination =
        change.disable_api_termination.value_or(instance.disable_api_termination);
    instance.disable_api_stop = change.disable_api_stop.value_or(instance.disable_api_stop);
    return apply_devices(tx, view, change.devices);
}

Status InstanceAttributes::apply_devices(catalog::Transaction& tx, InstanceView& view,
                                         const std::vector<DeviceChange>& devices) {
    for (const DeviceChange& change : devices) {
        const auto found = std::find_if(
            view.volumes.begin(), view.volumes.end(), [&](const model::Volume& volume) {
                const auto& attachment = model::attachment_to(volume, view.instance.id);
                return model::same_device(attachment.device, change.device) &&
                       (change.volume_id.empty() || volume.id.str() == change.volume_id);
            });
        if (found == view.volumes.end()) {
            return Error::api(Code::invalid_argument, "InvalidInstanceAttributeValue",
                              fmt::format("No device is currently mapped at {}", change.device));
        }
        if (change.delete_on_termination) {
            model::attachment_to(*found, view.instance.id).delete_on_termination =
                *change.delete_on_termination;
            TRY(tx.volumes().update(*found));
        }
    }
    return ok();
}

Status InstanceAttributes::apply_stopped(catalog::Transaction& tx, InstanceView& view,
                                         const AttributeChange& change) {
    model::Instance& instance = view.instance;
    if (change.instance_type) {
        const InstanceType* type = find_instance_type(*change.instance_type);
        if (type == nullptr) {  // STP-4: not what a launch says (RUN-2)
            return Error::api(
                Code::invalid_argument, "InvalidInstanceAttributeValue",
                fmt::format("Invalid value '{}' for InstanceType.", *change.instance_type));
        }
        TRY(check_fit({.architecture = instance.architecture,
                       .virtualization_type = instance.virtualization_type,
                       .ena_support = instance.ena_support,
                       .boot_mode = instance.boot_mode,
                       .tpm_v2 = instance.tpm_v2},
                      *type));
        TRY_ASSIGN(const auto image, tx.images().find(instance.image_id));
        if (image) {  // ITS-3
            TRY(check_runs_on(*image, type->name));
        }
        instance.instance_type = type->name;
    }
    if (change.user_data) {
        if (change.user_data->size() > kMaxUserDataBytes) {
            return errors::invalid_parameter_value("User data is limited to 16384 bytes");
        }
        instance.user_data = *change.user_data;
    }
    if (change.sriov_net_support) {
        if (*change.sriov_net_support != "simple") {
            return errors::invalid_parameter_value(
                fmt::format("Invalid value '{}' for sriovNetSupport. There is no way to turn "
                            "enhanced networking off.",
                            *change.sriov_net_support));
        }
        instance.sriov_net_simple = true;
    }
    instance.ebs_optimized = change.ebs_optimized.value_or(instance.ebs_optimized);
    instance.ena_support = change.ena_support.value_or(instance.ena_support);
    return ok();
}

Result<InstanceView> InstanceAttributes::look(const Caller& caller, const model::InstanceId& id) {
    return parts_.store.read(
        [&](catalog::Transaction& tx) { return load(tx, parts_.topology, caller, id); });
}

}  // namespace kiln::control
