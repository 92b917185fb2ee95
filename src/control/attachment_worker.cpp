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

Status become_available(catalog::Transaction& tx, model::Volume& volume) {
    TRY_ASSIGN(volume.state, model::next(volume.state, model::VolumeEvent::detached, volume.id));
    volume.attachment.reset();
    return tx.volumes().update(volume);
}

}  // namespace

compute::DiskSpec disk_of(const VolumeAccess& access, const model::Volume& volume,
                          model::DiskTransport transport) {
    compute::DiskSpec disk;
    disk.transport = transport == model::DiskTransport::vhost_user
                         ? compute::DiskTransport::vhost_user
                         : compute::DiskTransport::nbd;
    disk.id = volume.id.str();
    disk.serial = disk_serial(volume.id);
    disk.socket = access.socket_path(volume.id);
    disk.device_name = volume.attachment->device;
    return disk;
}

Result<bool> has_attachment_job(catalog::Transaction& tx, const model::VolumeId& id) {
    catalog::JobQuery query;
    query.kinds = {kAttachmentJob};
    query.subject = id.str();
    TRY_ASSIGN(const auto jobs, tx.jobs().list(query));
    return !jobs.empty();
}

void AttachmentWorker::install(JobRunner& runner) {
    runner.handle(kAttachmentJob, [this](const model::Job& job) { return turn(job); });
}

Status AttachmentWorker::disk_released(const std::string& volume) {
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.jobs().wake(volume, parts_.clock.now()));
        return ok();
    }));
    work_added_();
    return ok();
}

Status AttachmentWorker::turn(const model::Job& job) {
    const model::VolumeId id(job.subject);
    TRY_ASSIGN(const auto volume,
               parts_.store.read([&](catalog::Transaction& tx) { return tx.volumes().find(id); }));
    if (volume && volume->attachment) {
        switch (volume->attachment->state) {
            case model::AttachmentState::attaching:
                return attach(job, *volume);
            case model::AttachmentState::detaching:
            case model::AttachmentState::busy:
                return detach(job, *volume);
            default:
                break;
        }
    }
    return parts_.store.run([&](catalog::Transaction& tx) { return tx.jobs().finish(job); });
}

Status AttachmentWorker::finish(
    const model::Job& job, const model::VolumeId& id,
    const std::function<Status(catalog::Transaction&, model::Volume&)>& change) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto volume, tx.volumes().find(id));
        if (volume && volume->attachment) {
            TRY(change(tx, *volume));
        }
        return tx.jobs().finish(job);
    });
}

Status AttachmentWorker::attach(const model::Job& job, const model::Volume& volume) {
    const compute::MachineId machine = machine_id(volume.attachment->instance_id);
    TRY_ASSIGN(const auto instance, parts_.store.read([&](catalog::Transaction& tx) {
        return tx.instances().get(volume.attachment->instance_id);
    }));
    TRY(access_.open(volume.id, Deadline::after(kStepTime)));
    const Status plugged = parts_.hypervisor.attach_disk(
        machine, disk_of(access_, volume, instance.disk_transport), Deadline::after(kStepTime));
    // No machine: the instance has stopped meanwhile, and has the device at its next start.
    const bool no_machine = !plugged && plugged.error().code() == Code::not_found;
    if (!plugged && !no_machine && plugged.error().code() != Code::resource_exhausted) {
        return plugged;
    }
    if (!plugged) {
        TRY(access_.close(volume.id, Deadline::after(kStepTime)));
    }
    if (plugged || no_machine) {
        return finish(job, volume.id, [](catalog::Transaction& tx, model::Volume& row) -> Status {
            if (row.attachment->state == model::AttachmentState::attaching) {
                row.attachment->state = model::AttachmentState::attached;
                return tx.volumes().update(row);
            }
            return ok();
        });
    }
    log_warn("volumes", fmt::format("{} cannot be attached: {}", volume.id.str(),
                                    plugged.error().to_string()));
    return finish(job, volume.id, become_available);
}

Status AttachmentWorker::detach(const model::Job& job, const model::Volume& volume) {
    const auto gone = parts_.hypervisor.detach_disk(machine_id(volume.attachment->instance_id),
                                                    volume.id.str(), Deadline::after(kStepTime));
    if (!gone && gone.error().code() != Code::not_found) {
        return gone.error();
    }
    if (gone && !*gone) {
        if (!volume.attachment->forced || !is_overdue(job)) {
            return wait(job, volume.id);
        }
        log_warn("volumes", fmt::format("{} is taken from {}, which still uses it", volume.id.str(),
                                        volume.attachment->instance_id.str()));
        TRY(parts_.hypervisor.cut_off_disk(machine_id(volume.attachment->instance_id),
                                           volume.id.str(), volume.size_gib * kGiB,
                                           Deadline::after(kStepTime)));
    }
    if (Status closed = access_.close(volume.id, Deadline::after(kStepTime)); !closed) {
        // It is closed all the same; what the guest had flushed is safe.
        log_error("volumes",
                  fmt::format("closing {}: {}", volume.id.str(), closed.error().to_string()));
    }
    return finish(job, volume.id, become_available);
}

bool AttachmentWorker::is_overdue(const model::Job& job) const {
    const auto since = parse_int<std::int64_t>(job.payload);
    return since && parts_.clock.now().value - *since >= kForcedMs;
}

Status AttachmentWorker::wait(const model::Job& job, const model::VolumeId& id) {
    const UnixMillis now = parts_.clock.now();
    model::Job waiting = job;
    waiting.step = kDetachStep;
    const std::int64_t since = parse_int<std::int64_t>(job.payload).value_or(now.value);
    waiting.payload = std::to_string(since);
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto volume, tx.volumes().find(id));
        const bool held = now.value - since >= kBusyMs;
        if (held && volume && volume->attachment &&
            volume->attachment->state == model::AttachmentState::detaching) {
            TRY_ASSIGN(volume->attachment->state,
                       model::next(volume->attachment->state, model::AttachmentEvent::held, id));
            TRY(tx.volumes().update(*volume));
        }
        return tx.jobs().park(waiting, UnixMillis{now.value + kAskAgainMs});
    });
}

}  // namespace kiln::control
