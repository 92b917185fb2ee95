// SPDX-License-Identifier: Apache-2.0
#include "control/instance_power.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/capacity.h"
#include "control/instance_worker.h"
#include "control/quotas.h"

namespace kiln::control {
namespace {

Status check_stoppable(const model::Instance& instance) {
    if (instance.root_device_type != model::RootDeviceType::ebs) {
        return errors::unsupported(
            fmt::format("The instance '{}' does not have an 'ebs' root device type and cannot be "
                        "stopped.",
                        instance.id.str()));
    }
    const bool ends = instance.state == model::InstanceState::stopping ||
                      instance.state == model::InstanceState::stopped;
    if (instance.disable_api_stop && !ends) {
        return Error::api(Code::permission_denied, "OperationNotPermitted",
                          fmt::format("The instance '{}' may not be stopped. Modify its "
                                      "'disableApiStop' instance attribute and try again.",
                                      instance.id.str()));
    }
    return ok();
}

}  // namespace

Status InstancePower::check_root(catalog::Transaction& tx, const model::Instance& instance) {
    catalog::VolumeQuery query;
    query.attached_to = {instance.id};
    TRY_ASSIGN(const auto volumes, tx.volumes().list(query));
    const bool root = std::any_of(volumes.begin(), volumes.end(), [&](const model::Volume& volume) {
        const model::VolumeAttachment& attachment = model::attachment_to(volume, instance.id);
        return model::same_device(attachment.device, instance.root_device_name) &&
               attachment.state != model::AttachmentState::detaching;
    });
    if (!root) {  // STP-3
        return Error::api(Code::failed_precondition, "IncorrectInstanceState",
                          fmt::format("Instance '{}' does not have a volume attached at root ({})",
                                      instance.id.str(), instance.root_device_name));
    }
    return ok();
}

// IMDS-8: what was attached and detached since the last start shows from this one on. Instance
// store devices stay as they are, and so does what the root was launched with (RRV-1).
Status InstancePower::renew_mappings(catalog::Transaction& tx, model::Instance& instance) {
    catalog::VolumeQuery query;
    query.attached_to = {instance.id};
    TRY_ASSIGN(const auto volumes, tx.volumes().list(query));
    model::SnapshotId root_snapshot;
    for (const model::BlockDeviceMapping& mapping : instance.launch_mappings) {
        if (mapping.ebs && model::same_device(mapping.device_name, instance.root_device_name)) {
            root_snapshot = mapping.ebs->snapshot_id;
        }
    }
    std::erase_if(instance.launch_mappings,
                  [](const model::BlockDeviceMapping& mapping) { return mapping.ebs.has_value(); });
    for (const model::Volume& volume : volumes) {
        model::BlockDeviceMapping& mapping = instance.launch_mappings.emplace_back();
        mapping.device_name = model::attachment_to(volume, instance.id).device;
        mapping.ebs.emplace();
        if (model::same_device(mapping.device_name, instance.root_device_name)) {
            mapping.ebs->snapshot_id = root_snapshot;
        }
    }
    return ok();
}

Status InstancePower::start_one(catalog::Transaction& tx, const Caller& caller,
                                model::Instance& instance) {
    TRY(check_root(tx, instance));
    TRY(renew_mappings(tx, instance));
    const InstanceType& type = *find_instance_type(instance.instance_type);
    TRY(find_room(tx, parts_.settings.quotas, caller, type, {}, 1, 1));
    TRY(find_capacity(tx, parts_, type, 1, 1));
    instance.launched = parts_.clock.now();
    instance.forced_off = false;
    instance.state_transition_reason.clear();
    instance.state_reason = model::StateReason{"pending", "pending: pending"};  // INS-3
    TRY(tx.instances().update(instance));
    return tx.jobs().add(
        make_job(parts_.rng, instance.launched, kLaunchJob, instance.id.str(), kStartAgain));
}

Result<std::vector<StateChange>> InstancePower::start(const Caller& caller,
                                                      const std::vector<model::InstanceId>& ids,
                                                      bool dry_run) {
    if (ids.empty()) {
        return errors::missing_parameter("InstanceId");
    }
    auto changes =
        parts_.store.run([&](catalog::Transaction& tx) -> Result<std::vector<StateChange>> {
            TRY_ASSIGN(auto instances, find_instances(tx, caller, ids));
            std::vector<StateChange> made;
            for (model::Instance& instance : instances) {
                const model::InstanceState previous = instance.state;
                TRY_ASSIGN(instance.state,
                           model::next(previous, model::InstanceEvent::start, instance.id));
                if (instance.state != previous) {
                    TRY(start_one(tx, caller, instance));
                }
                made.push_back({instance.id, previous, instance.state});
            }
            if (dry_run) {
                return errors::dry_run();
            }
            return made;
        });
    work_added_();
    return changes;
}

Result<std::vector<StateChange>> InstancePower::stop(const Caller& caller, const StopInput& input) {
    if (input.ids.empty()) {
        return errors::missing_parameter("InstanceId");
    }
    const EndMode mode = input.skip_os_shutdown ? EndMode::at_once
                         : input.force          ? EndMode::forced
                                                : EndMode::orderly;
    auto changes =
        parts_.store.run([&](catalog::Transaction& tx) -> Result<std::vector<StateChange>> {
            TRY_ASSIGN(auto instances, find_instances(tx, caller, input.ids));
            std::vector<StateChange> made;
            for (model::Instance& instance : instances) {
                TRY(check_stoppable(instance));
                if (input.hibernate) {
                    return Error::api(
                        Code::invalid_argument, "UnsupportedHibernationConfiguration",
                        fmt::format("The instance '{}' is not configured for hibernation.",
                                    instance.id.str()));
                }
                const model::InstanceState previous = instance.state;
                TRY_ASSIGN(instance.state,
                           model::next(previous, model::InstanceEvent::stop, instance.id));
                const bool hurry =
                    mode != EndMode::orderly && instance.state == model::InstanceState::stopping;
                if (instance.state != previous || hurry) {
                    TRY(begin_end(tx, parts_, instance, EndReason::user, mode));
                }
                made.push_back({instance.id, previous, instance.state});
            }
            if (input.dry_run) {
                return errors::dry_run();
            }
            return made;
        });
    work_added_();
    return changes;
}

Status InstancePower::reboot(const Caller& caller, const std::vector<model::InstanceId>& ids,
                             bool dry_run) {
    if (ids.empty()) {
        return errors::missing_parameter("InstanceId");
    }
    const Status done = parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto instances, find_instances(tx, caller, ids));
        for (const model::Instance& instance : instances) {
            TRY_ASSIGN(const model::InstanceState state,
                       model::next(instance.state, model::InstanceEvent::reboot, instance.id));
            TRY_ASSIGN(const bool rebooting, has_job(tx, kRebootJob, instance.id));
            if (state == model::InstanceState::running && !rebooting) {
                TRY(tx.jobs().add(make_job(parts_.rng, parts_.clock.now(), kRebootJob,
                                           instance.id.str(), "ask")));
            }
        }
        return dry_run ? Status(errors::dry_run()) : ok();
    });
    work_added_();
    return done;
}

}  // namespace kiln::control
