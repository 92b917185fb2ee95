// SPDX-License-Identifier: Apache-2.0
#include "control/attachment_worker.h"

#include <fmt/format.h>

#include "util/log.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::chrono::seconds kStepTime{30};
// The guest is asked again this often. Its answer wakes the job at once; this is for a question it
// did not hear, as while it booted.
constexpr std::int64_t kAskAgainMs = 5'000;
// VOL-5: a guest that has not let go by now uses the device. One that is forced is waited for this
// long, for it may well obey.
constexpr std::int64_t kBusyMs = 15'000;
constexpr std::int64_t kForcedMs = 5'000;

Status let_go(catalog::Transaction& tx, model::Volume& volume,
              model::VolumeAttachment& attachment) {
    const model::InstanceId instance = attachment.instance_id;  // it goes with the attachment
    TRY(model::end_attachment(volume, instance));
    return tx.volumes().update(volume);
}

}  // namespace

compute::DiskSpec disk_of(const VolumeAccess& access, const model::VolumeId& volume,
                          const model::VolumeAttachment& attachment,
                          model::DiskTransport transport) {
    compute::DiskSpec disk;
    disk.transport = transport == model::DiskTransport::vhost_user
                         ? compute::DiskTransport::vhost_user
                         : compute::DiskTransport::nbd;
    disk.id = volume.str();
    disk.serial = disk_serial(volume);
    disk.socket = access.socket_path(volume, attachment.place);
    disk.device_name = attachment.device;
    return disk;
}

std::string attachment_subject(const model::VolumeId& volume, const model::InstanceId& instance) {
    return volume.str() + "/" + instance.str();
}

Result<bool> has_attachment_job(catalog::Transaction& tx, const std::string& subject) {
    catalog::JobQuery query;
    query.kinds = {kAttachmentJob};
    query.subject = subject;
    TRY_ASSIGN(const auto jobs, tx.jobs().list(query));
    return !jobs.empty();
}

void AttachmentWorker::install(JobRunner& runner) {
    runner.handle(kAttachmentJob, [this](const model::Job& job) { return turn(job); });
}

Status AttachmentWorker::disk_released(const model::InstanceId& instance,
                                       const std::string& volume) {
    const std::string subject = attachment_subject(model::VolumeId(volume), instance);
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.jobs().wake(subject, parts_.clock.now()));
        return ok();
    }));
    work_added_();
    return ok();
}

Result<std::optional<AttachmentWorker::Found>> AttachmentWorker::find(const model::Job& job) {
    const std::size_t slash = job.subject.find('/');
    if (slash == std::string::npos) {
        return std::optional<Found>();
    }
    const model::VolumeId id(job.subject.substr(0, slash));
    const model::InstanceId instance_id(job.subject.substr(slash + 1));
    return parts_.store.read([&](catalog::Transaction& tx) -> Result<std::optional<Found>> {
        TRY_ASSIGN(auto volume, tx.volumes().find(id));
        const auto* attachment = volume ? model::find_attachment(*volume, instance_id) : nullptr;
        if (attachment == nullptr) {
            return std::optional<Found>();
        }
        TRY_ASSIGN(const model::Instance instance, tx.instances().get(instance_id));
        Found found;
        found.attachment = *attachment;
        found.volume = std::move(*volume);
        found.transport = instance.disk_transport;
        return std::optional(std::move(found));
    });
}

Status AttachmentWorker::turn(const model::Job& job) {
    TRY_ASSIGN(const auto found, find(job));
    if (found) {
        switch (found->attachment.state) {
            case model::AttachmentState::attaching:
                return attach(job, *found);
            case model::AttachmentState::detaching:
            case model::AttachmentState::busy:
                return detach(job, *found);
            default:
                break;
        }
    }
    return parts_.store.run([&](catalog::Transaction& tx) { return tx.jobs().finish(job); });
}

Status AttachmentWorker::finish(const model::Job& job, const Found& found, const Change& change) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto volume, tx.volumes().find(found.volume.id));
        auto* attachment =
            volume ? model::find_attachment(*volume, found.attachment.instance_id) : nullptr;
        if (attachment != nullptr) {
            TRY(change(tx, *volume, *attachment));
        }
        return tx.jobs().finish(job);
    });
}

Status AttachmentWorker::attach(const model::Job& job, const Found& found) {
    const model::VolumeId& id = found.volume.id;
    const model::InstanceId& instance = found.attachment.instance_id;
    TRY(access_.open(id, instance, Deadline::after(kStepTime)));
    const Status plugged = parts_.hypervisor.attach_disk(
        machine_id(instance), disk_of(access_, id, found.attachment, found.transport),
        Deadline::after(kStepTime));
    // No machine: the instance has stopped meanwhile, and has the device at its next start.
    const bool no_machine = !plugged && plugged.error().code() == Code::not_found;
    if (!plugged && !no_machine && plugged.error().code() != Code::resource_exhausted) {
        return plugged;
    }
    if (!plugged) {
        TRY(access_.close(id, instance, Deadline::after(kStepTime)));
    }
    if (plugged || no_machine) {
        return finish(job, found,
                      [](catalog::Transaction& tx, model::Volume& volume,
                         model::VolumeAttachment& attachment) -> Status {
                          if (attachment.state == model::AttachmentState::attaching) {
                              attachment.state = model::AttachmentState::attached;
                              return tx.volumes().update(volume);
                          }
                          return ok();
                      });
    }
    log_warn("volumes", fmt::format("{} cannot be attached to {}: {}", id.str(), instance.str(),
                                    plugged.error().to_string()));
    return finish(job, found, let_go);
}

Status AttachmentWorker::detach(const model::Job& job, const Found& found) {
    const model::VolumeId& id = found.volume.id;
    const model::InstanceId& instance = found.attachment.instance_id;
    const auto gone =
        parts_.hypervisor.detach_disk(machine_id(instance), id.str(), Deadline::after(kStepTime));
    if (!gone && gone.error().code() != Code::not_found) {
        return gone.error();
    }
    if (gone && !*gone) {
        if (!found.attachment.forced || !is_overdue(job)) {
            return wait(job, found);
        }
        log_warn("volumes",
                 fmt::format("{} is taken from {}, which still uses it", id.str(), instance.str()));
        TRY(parts_.hypervisor.cut_off_disk(machine_id(instance), id.str(),
                                           found.volume.size_gib * kGiB,
                                           Deadline::after(kStepTime)));
    }
    if (Status closed = access_.close(id, instance, Deadline::after(kStepTime)); !closed) {
        // It is closed all the same; what the guest had flushed is safe.
        log_error("volumes", fmt::format("closing {}: {}", id.str(), closed.error().to_string()));
    }
    return finish(job, found, let_go);
}

bool AttachmentWorker::is_overdue(const model::Job& job) const {
    const auto since = parse_int<std::int64_t>(job.payload);
    return since && parts_.clock.now().value - *since >= kForcedMs;
}

Status AttachmentWorker::wait(const model::Job& job, const Found& found) {
    const UnixMillis now = parts_.clock.now();
    model::Job waiting = job;
    waiting.step = kDetachStep;
    const std::int64_t since = parse_int<std::int64_t>(job.payload).value_or(now.value);
    waiting.payload = std::to_string(since);
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto volume, tx.volumes().find(found.volume.id));
        auto* attachment =
            volume ? model::find_attachment(*volume, found.attachment.instance_id) : nullptr;
        const bool held = now.value - since >= kBusyMs;
        if (held && attachment != nullptr &&
            attachment->state == model::AttachmentState::detaching) {
            TRY_ASSIGN(attachment->state,
                       model::next(attachment->state, model::AttachmentEvent::held, volume->id));
            TRY(tx.volumes().update(*volume));
        }
        return tx.jobs().park(waiting, UnixMillis{now.value + kAskAgainMs});
    });
}

}  // namespace kiln::control
