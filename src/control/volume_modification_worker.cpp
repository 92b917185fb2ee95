// SPDX-License-Identifier: Apache-2.0
// VolumeModifications: the work that follows a request.
#include <fmt/format.h>

#include <algorithm>

#include "control/volume_modifications.h"
#include "util/log.h"

namespace kiln::control {
namespace {

constexpr char kShowStep[] = "show";
constexpr std::chrono::seconds kStepTime{60};
constexpr std::chrono::seconds kShowTime{10};
// A machine connects again within milliseconds of being asked. One that does not at once is in
// trouble, or paused.
constexpr std::int64_t kShowAgainMs = 250;
constexpr std::int64_t kShowSlowlyMs = 5'000;
constexpr std::int64_t kQuickMs = 10'000;

using model::AttachmentState;
using model::InstanceState;
using model::ModificationState;

bool is_gone(const model::Job& job, const std::optional<model::Volume>& volume) {
    return !volume || !volume->modification || volume->modification->ended.has_value() ||
           job.subject != volume->id.str();
}

}  // namespace

void VolumeModifications::install(JobRunner& runner) {
    runner.handle(kModificationJob, [this](const model::Job& job) { return turn(job); });
}

Status VolumeModifications::turn(const model::Job& job) {
    const model::VolumeId id(job.subject);
    TRY_ASSIGN(const auto volume,
               parts_.store.read([&](catalog::Transaction& tx) { return tx.volumes().find(id); }));
    if (is_gone(job, volume)) {
        return parts_.store.run([&](catalog::Transaction& tx) { return tx.jobs().finish(job); });
    }
    return job.step == kShowStep ? show(job, *volume) : change(job, *volume);
}

Status VolumeModifications::change(const model::Job& job, const model::Volume& volume) {
    const model::VolumeModification& modification = *volume.modification;
    const auto commit = [&] { return commit_change(volume.id); };
    // The row may say the new size already, and the engine not yet.
    const bool grows = modification.target.size_gib > modification.original.size_gib;
    const Status changed = grows ? access_.grow(volume.id, modification.target.size_gib * kGiB,
                                                commit, Deadline::after(kStepTime))
                                 : commit();
    const bool damaged = !changed && changed.error().code() == Code::data_loss;
    if (damaged && modification.state == ModificationState::modifying) {
        return fail(job, changed.error());
    }
    if (!damaged) {  // else it has its size, and is damaged besides
        TRY(changed);
    }
    TRY(access_.limit(volume.id, Deadline::after(kStepTime)));
    model::Job next = job;
    next.step = kShowStep;
    return parts_.store.run(
        [&](catalog::Transaction& tx) { return tx.jobs().park(next, parts_.clock.now()); });
}

Status VolumeModifications::commit_change(const model::VolumeId& id) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::Volume volume, tx.volumes().get(id));
        if (!volume.modification || volume.modification->state != ModificationState::modifying) {
            return ok();  // done by a turn before this one
        }
        const model::VolumeShape& target = volume.modification->target;
        volume.size_gib = target.size_gib;
        volume.type = target.type;
        volume.iops = target.iops;
        volume.throughput_mibps = target.throughput_mibps;
        volume.multi_attach = target.multi_attach;
        volume.modification->state = ModificationState::optimizing;
        TRY(tx.volumes().update(volume));
        TRY_ASSIGN(model::LayerRecord layer, tx.layers().get(volume.active_layer));
        layer.size_bytes = target.size_gib * kGiB;
        return tx.layers().update(layer);
    });
}

Status VolumeModifications::fail(const model::Job& job, const Error& error) {
    log_error("volumes", fmt::format("{} cannot grow: {}", job.subject, error.to_string()));
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto volume, tx.volumes().find(model::VolumeId(job.subject)));
        if (!is_gone(job, volume)) {
            volume->modification->state = ModificationState::failed;
            volume->modification->status_message = "The volume's data is damaged.";
            volume->modification->ended = parts_.clock.now();
            TRY(tx.volumes().update(*volume));
        }
        return tx.jobs().finish(job);
    });
}

Result<bool> VolumeModifications::shown_to(const model::Volume& volume,
                                           const model::VolumeAttachment& attachment) {
    TRY_ASSIGN(const auto instance, parts_.store.read([&](catalog::Transaction& tx) {
        return tx.instances().find(attachment.instance_id);
    }));
    if (instance && instance->disk_transport == model::DiskTransport::vhost_user) {
        return true;  // it was off when this was asked for (BDM-19)
    }
    // What is being attached or started may have connected before there was more to see, and its
    // machine does not answer yet.
    if (attachment.state == AttachmentState::attaching ||
        (instance && instance->state == InstanceState::pending)) {
        return false;
    }
    const auto grown = parts_.hypervisor.grow_disk(
        machine_id(attachment.instance_id), volume.id.str(),
        volume.modification->target.size_gib * kGiB, Deadline::after(kShowTime));
    if (!grown && grown.error().code() == Code::not_found) {
        return true;  // it is off, and sees it when it starts
    }
    return grown;
}

VolumeModifications::Shown VolumeModifications::shown(const model::Volume& volume) {
    Shown all = Shown::yes;
    if (volume.modification->target.size_gib == volume.modification->original.size_gib) {
        return all;
    }
    for (const model::VolumeAttachment& attachment : volume.attachments) {
        const auto seen = shown_to(volume, attachment);
        if (!seen) {
            log_warn("volumes", fmt::format("{} does not see yet that {} has grown: {}",
                                            attachment.instance_id.str(), volume.id.str(),
                                            seen.error().to_string()));
        }
        all = std::max(all, !seen ? Shown::not_soon : *seen ? Shown::yes : Shown::not_yet);
    }
    return all;
}

Status VolumeModifications::show(const model::Job& job, const model::Volume& volume) {
    const Shown seen = shown(volume);
    if (seen == Shown::yes) {
        return complete(job);
    }
    const UnixMillis now = parts_.clock.now();
    const bool quick =
        seen == Shown::not_yet && now.value - volume.modification->started.value < kQuickMs;
    return parts_.store.run([&](catalog::Transaction& tx) {
        return tx.jobs().park(job, UnixMillis{now.value + (quick ? kShowAgainMs : kShowSlowlyMs)});
    });
}

Status VolumeModifications::complete(const model::Job& job) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(auto volume, tx.volumes().find(model::VolumeId(job.subject)));
        if (!is_gone(job, volume)) {
            volume->modification->state = ModificationState::completed;
            volume->modification->ended = parts_.clock.now();
            TRY(tx.volumes().update(*volume));
        }
        return tx.jobs().finish(job);
    });
}

}  // namespace kiln::control
