// SPDX-License-Identifier: Apache-2.0
// Volumes::attach and detach: what is checked, and the rows. A stopped instance has its devices by
// the rows alone; of a running one a job changes the machine.
#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/attachment_worker.h"
#include "control/device_mappings.h"
#include "control/instance_store.h"
#include "control/instances.h"
#include "control/job_runner.h"
#include "control/replace_roots.h"
#include "control/volume_plan.h"
#include "control/volumes.h"

namespace kiln::control {
namespace {

Result<std::vector<model::Volume>> volumes_of(catalog::Transaction& tx,
                                              const model::InstanceId& id) {
    catalog::VolumeQuery query;
    query.attached_to = {id};
    return tx.volumes().list(query);
}

Status check_device(catalog::Transaction& tx, const model::Instance& instance,
                    const std::string& device) {
    if (!is_valid_device_name(device, instance.virtualization_type)) {  // BDM-6
        return errors::invalid_parameter_value(fmt::format(
            "Value ({}) for parameter device is invalid. {} is not a valid EBS device name.",
            device, device));
    }
    TRY_ASSIGN(const auto attached, volumes_of(tx, instance.id));
    const auto store = store_disks(instance);
    const bool used = std::any_of(attached.begin(), attached.end(),
                                  [&](const model::Volume& volume) {
                                      return model::same_device(
                                          model::attachment_to(volume, instance.id).device, device);
                                  }) ||
                      std::any_of(store.begin(), store.end(), [&](const StoreDisk& disk) {
                          return model::same_device(disk.device_name, device);
                      });
    if (used) {  // VOL-4
        return errors::invalid_parameter_value(
            fmt::format("Invalid value '{}' for unixDevice. Attachment point {} is already in use",
                        device, device));
    }
    if (attached.size() >= kMaxDevices) {
        return Error::api(Code::resource_exhausted, "AttachmentLimitExceeded",
                          fmt::format("An instance takes at most {} volumes.", kMaxDevices));
    }
    return ok();
}

// VOL-11
Status check_another(const model::Volume& volume, const model::Instance& instance,
                     const std::string& device) {
    if (model::find_attachment(volume, instance.id) != nullptr) {
        return Error::api(Code::failed_precondition, "VolumeInUse",
                          fmt::format("{} is already attached to the instance '{}'",
                                      volume.id.str(), instance.id.str()));
    }
    const model::VolumeShape* pending =
        volume.modification && !volume.modification->ended ? &volume.modification->target : nullptr;
    if ((volume.multi_attach || (pending != nullptr && pending->multi_attach)) &&
        model::same_device(device, instance.root_device_name)) {
        return Error::api(
            Code::unsupported, "UnsupportedOperation",
            fmt::format("The volume '{}' has Multi-Attach enabled and cannot be a root volume.",
                        volume.id.str()));
    }
    if (volume.attachments.size() >= model::kMaxAttachments) {
        return Error::api(
            Code::resource_exhausted, "AttachmentLimitExceeded",
            fmt::format("The volume '{}' is attached to {} instances, which is the most.",
                        volume.id.str(), model::kMaxAttachments));
    }
    if (pending != nullptr && !pending->multi_attach && !volume.attachments.empty()) {
        return Error::api(
            Code::failed_precondition, "IncorrectState",
            fmt::format("Multi-Attach of the volume '{}' is being disabled.", volume.id.str()));
    }
    return ok();
}

// The one to end (VOL-5).
Result<model::VolumeAttachment*> chosen(model::Volume& volume, const DetachInput& input) {
    if (volume.multi_attach && input.instance.empty()) {
        return errors::missing_parameter("InstanceId");
    }
    model::VolumeAttachment* attachment = input.instance.empty()
                                              ? &volume.attachments.front()
                                              : model::find_attachment(volume, input.instance);
    if (attachment == nullptr ||
        (!input.device.empty() && !model::same_device(input.device, attachment->device))) {
        const model::VolumeAttachment& shown =
            attachment == nullptr ? volume.attachments.front() : *attachment;
        return Error::api(
            Code::invalid_argument, "InvalidAttachment.NotFound",
            fmt::format("The volume '{}' is not attached to instance '{}' as device '{}'.",
                        volume.id.str(),
                        input.instance.empty() ? shown.instance_id.str() : input.instance.str(),
                        input.device.empty() ? shown.device : input.device));
    }
    return attachment;
}

// CI-14, RRV-4
Status check_no_image(catalog::Transaction& tx, const model::Instance& instance) {
    TRY_ASSIGN(const bool replacing, has_job(tx, kReplaceRootJob, instance.id));
    if (replacing) {
        return Error::api(Code::failed_precondition, "IncorrectState",
                          fmt::format("The root volume of the instance '{}' is being replaced.",
                                      instance.id.str()));
    }
    TRY_ASSIGN(const bool imaging, has_job(tx, kCreateImageJob, instance.id));
    return imaging ? Status(Error::api(Code::failed_precondition, "IncorrectState",
                                       fmt::format("An image of the instance '{}' is being "
                                                   "created.",
                                                   instance.id.str())))
                   : ok();
}

}  // namespace

Status check_attachable(const model::Volume& volume, const model::Instance& instance,
                        const std::string& device) {
    if (volume.availability_zone != instance.availability_zone) {
        return Error::api(
            Code::invalid_argument, "InvalidVolume.ZoneMismatch",
            fmt::format("The volume '{}' is not in the same availability zone as instance '{}'",
                        volume.id.str(), instance.id.str()));
    }
    if (volume.outpost_arn != instance.outpost_arn) {  // REG-6
        return Error::api(Code::invalid_argument, "InvalidVolume.ZoneMismatch",
                          fmt::format("The volume '{}' is not on the same outpost as instance '{}'",
                                      volume.id.str(), instance.id.str()));
    }
    return check_another(volume, instance, device);
}

Result<model::VolumeAttachment> Volumes::attach_in(catalog::Transaction& tx, const Caller& caller,
                                                   const AttachInput& input) {
    TRY_ASSIGN(model::Volume volume, find_volume(tx, caller, input.volume));
    TRY_ASSIGN(const auto instances, find_instances(tx, caller, {input.instance}));
    const model::Instance& instance = instances.front();
    const UnixMillis now = parts_.clock.now();
    model::VolumeAttachment attachment{instance.id, input.device, model::AttachmentState::attaching,
                                       false, now};
    model::Volume attached = volume;
    TRY(model::add_attachment(attached, attachment));
    TRY(model::next(instance.state, model::InstanceEvent::attach_volume, instance.id));
    TRY(check_attachable(volume, instance, input.device));
    TRY(check_device(tx, instance, input.device));
    TRY(check_no_image(tx, instance));
    if (input.dry_run) {
        return errors::dry_run();
    }
    if (instance.state == model::InstanceState::running) {
        TRY(tx.jobs().add(make_job(parts_.rng, now, kAttachmentJob,
                                   attachment_subject(volume.id, instance.id), kAttachStep)));
    } else {
        model::attachment_to(attached, instance.id).state = model::AttachmentState::attached;
    }
    TRY(tx.volumes().update(attached));
    return attachment;  // VOL-4: `attaching` is what is answered
}

Result<model::VolumeAttachment> Volumes::attach(const Caller& caller, const AttachInput& input) {
    auto attachment =
        parts_.store.run([&](catalog::Transaction& tx) { return attach_in(tx, caller, input); });
    work_added_();
    return attachment;
}

Result<model::VolumeAttachment> Volumes::detach_in(catalog::Transaction& tx, const Caller& caller,
                                                   const DetachInput& input) {
    TRY_ASSIGN(model::Volume volume, find_volume(tx, caller, input.volume));
    TRY(model::next(volume.state, model::VolumeEvent::detached, input.volume));
    TRY_ASSIGN(model::VolumeAttachment* const found, chosen(volume, input));
    model::VolumeAttachment& attachment = *found;
    TRY_ASSIGN(const model::Instance instance, tx.instances().get(attachment.instance_id));
    const bool stopped = instance.state == model::InstanceState::stopped;
    if (!stopped && model::same_device(attachment.device, instance.root_device_name)) {
        return Error::api(Code::permission_denied, "OperationNotPermitted",
                          fmt::format("Unable to detach root volume '{}' from instance '{}'",
                                      volume.id.str(), instance.id.str()));
    }
    // VOL-5: what is cut off reads zeros from then on, which this device cannot be told to.
    if (input.force && !stopped && instance.disk_transport == model::DiskTransport::vhost_user) {
        return Error::api(
            Code::unsupported, "UnsupportedOperation",
            fmt::format("The disks of '{}' are vhost-user devices, which cannot be detached by "
                        "force. Detach the volume without force, or stop the instance.",
                        instance.id.str()));
    }
    const bool under_way = attachment.state == model::AttachmentState::detaching ||
                           attachment.state == model::AttachmentState::busy;
    if (!under_way || !input.force) {
        TRY_ASSIGN(attachment.state,
                   model::next(attachment.state, model::AttachmentEvent::detach, volume.id));
    }
    TRY(check_no_image(tx, instance));
    if (input.dry_run) {
        return errors::dry_run();
    }
    attachment.forced = attachment.forced || input.force;
    const model::VolumeAttachment shown = attachment;
    if (stopped) {
        TRY(model::end_attachment(volume, instance.id));
        TRY(tx.volumes().update(volume));
        return shown;
    }
    TRY(tx.volumes().update(volume));
    const std::string subject = attachment_subject(volume.id, instance.id);
    const UnixMillis now = parts_.clock.now();
    TRY_ASSIGN(const bool job, has_attachment_job(tx, subject));
    if (job) {
        TRY(tx.jobs().wake(subject, now));
        return shown;
    }
    TRY(tx.jobs().add(make_job(parts_.rng, now, kAttachmentJob, subject, kDetachStep)));
    return shown;
}

Result<model::VolumeAttachment> Volumes::detach(const Caller& caller, const DetachInput& input) {
    auto attachment =
        parts_.store.run([&](catalog::Transaction& tx) { return detach_in(tx, caller, input); });
    work_added_();
    return attachment;
}

}  // namespace kiln::control
