// SPDX-License-Identifier: Apache-2.0
// The end of a run: the job `instance.end`, and what is given back.
#include <fmt/format.h>

#include <filesystem>

#include "control/contents.h"
#include "control/instance_store.h"
#include "control/instance_worker.h"
#include "control/instances.h"
#include "control/replace_roots.h"
#include "util/log.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::chrono::seconds kStepTime{60};
// How soon to look again whether a launch that is in the way is over; it wakes us, so this is only
// a bound.
constexpr std::int64_t kLaunchPollMs = 500;
// STP-1: a forced stop asks the guest all the same, and waits only this long.
constexpr std::chrono::seconds kForcedGrace{10};

constexpr char kAsk[] = "ask";
constexpr char kOff[] = "off";

UnixMillis plus(UnixMillis time, std::int64_t ms) {
    return UnixMillis{time.value + ms};
}

void note_reason(model::Instance& instance, EndReason reason, UnixMillis now) {  // INS-3
    switch (reason) {
        case EndReason::user:
            instance.state_transition_reason = user_initiated(now);
            instance.state_reason =
                model::StateReason{"Client.UserInitiatedShutdown",
                                   "Client.UserInitiatedShutdown: User initiated shutdown"};
            return;
        case EndReason::guest:
            instance.state_transition_reason.clear();
            instance.state_reason =
                model::StateReason{"Client.InstanceInitiatedShutdown",
                                   "Client.InstanceInitiatedShutdown: Instance initiated shutdown"};
            return;
        case EndReason::machine_failed:
            instance.state_transition_reason = "Server.InternalError";
            instance.state_reason =
                model::StateReason{"Server.InternalError",
                                   "Server.InternalError: The virtual machine ended unexpectedly"};
            return;
    }
}

// VOL-7: what stays becomes available, what goes leaves its layer to be dropped. VOL-11: of several
// attachments the last one says which.
Status release_volume(catalog::Transaction& tx, const Parts& parts, model::Volume volume,
                      const model::InstanceId& instance) {
    const bool remove = model::attachment_to(volume, instance).delete_on_termination;
    TRY(model::end_attachment(volume, instance));
    if (!remove || !volume.attachments.empty()) {
        return tx.volumes().update(volume);
    }
    TRY(tx.volumes().erase(volume.id));
    TRY(tx.tags().erase_resource(volume.id.str()));
    TRY(queue_layer_drop(tx, parts, volume.active_layer));
    return release_content(tx, parts, volume.base_content);
}

UnixMillis forgotten_at(const Parts& parts, const model::Instance& instance) {
    return plus(*instance.terminated, parts.settings.terminated_kept.count());
}

}  // namespace

Status begin_end(catalog::Transaction& tx, const Parts& parts, model::Instance& instance,
                 EndReason reason, EndMode mode) {
    const UnixMillis now = parts.clock.now();
    note_reason(instance, reason, now);
    instance.forced_off = instance.forced_off || mode != EndMode::orderly;
    if (instance.state == model::InstanceState::terminated) {
        instance.terminated = now;
    }
    TRY(tx.instances().update(instance));
    TRY_ASSIGN(const bool ending, has_job(tx, kEndJob, instance.id));
    if (ending) {
        TRY(tx.jobs().wake(instance.id.str(), now));
        return ok();
    }
    const bool ask = reason == EndReason::user && mode != EndMode::at_once;
    return tx.jobs().add(make_job(parts.rng, now, kEndJob, instance.id.str(), ask ? kAsk : kOff));
}

Status InstanceWorker::end(const model::Job& job) {
    // A launch or a reboot in progress holds the machine: it sees the new state, and wakes us when
    // it is over.
    const model::InstanceId id(job.subject);
    TRY_ASSIGN(const bool held, parts_.store.read([&](catalog::Transaction& tx) -> Result<bool> {
        TRY_ASSIGN(const bool launching, has_job(tx, kLaunchJob, id));
        TRY_ASSIGN(const bool in_hand, has_hold(tx, id));
        return launching || in_hand;
    }));
    if (held) {
        return parts_.store.run([&](catalog::Transaction& tx) {
            return tx.jobs().park(job, plus(parts_.clock.now(), kLaunchPollMs));
        });
    }
    if (job.step == kAsk) {
        return ask_to_power_off(job);
    }
    if (waits_until(job)) {
        return wait_for_power_off(job);
    }
    return switch_off(job);
}

Status InstanceWorker::ask_to_power_off(const model::Job& job) {
    const model::InstanceId id(job.subject);
    if (!machine_runs(id)) {
        return switch_off(job);
    }
    const Status asked =
        parts_.hypervisor.power_down(machine_id(id), Deadline::after(std::chrono::seconds(10)));
    if (!asked) {
        log_warn("instances", fmt::format("{} cannot be asked to power off and is switched off: {}",
                                          id.str(), asked.error().to_string()));
        return switch_off(job);
    }
    TRY_ASSIGN(const model::Instance instance, load(id));
    return wait_for_guest(job, instance.forced_off ? std::chrono::milliseconds(kForcedGrace)
                                                   : parts_.settings.shutdown_grace);
}

Status InstanceWorker::wait_for_power_off(const model::Job& job) {
    const model::InstanceId id(job.subject);
    const UnixMillis until = waits_until(job).value_or(UnixMillis{});
    TRY_ASSIGN(const model::Instance instance, load(id));
    // Woken before the time, with the machine still there: somebody would not wait (STP-1).
    const bool wait = !instance.forced_off && parts_.clock.now() < until;
    if (wait && machine_runs(id)) {
        return parts_.store.run(
            [&](catalog::Transaction& tx) { return tx.jobs().park(job, until); });
    }
    return switch_off(job);
}

Status InstanceWorker::switch_off(const model::Job& job) {
    const model::InstanceId id(job.subject);
    const Status killed = parts_.hypervisor.kill(machine_id(id), Deadline::after(kStepTime));
    if (!killed && killed.error().code() != Code::not_found) {
        return killed;
    }
    TRY(networks_.stop(id, Deadline::after(kStepTime)));
    TRY_ASSIGN(const model::Instance instance, load(id));
    const bool stops = instance.state == model::InstanceState::stopping;
    TRY_ASSIGN(const auto volumes, attached_volumes(id));
    for (const model::Volume& volume : volumes) {
        const Deadline deadline = Deadline::after(kStepTime);
        Status closed = volumes_.close(volume.id, id, deadline);
        if (closed && !stops) {
            closed = volumes_.close_for_good(volume.id, deadline);
        }
        if (!closed) {
            // The volume is closed all the same; what the guest had flushed is safe, and it is told
            // nothing more.
            log_error("instances",
                      fmt::format("closing {}: {}", volume.id.str(), closed.error().to_string()));
        }
    }
    TRY(remove_store_disks(instance_directory(id)));  // IST-2
    TRY(commit_off(job));
    networks_.give_back(instance.public_ip);
    work_added_();
    return ok();
}

Status InstanceWorker::forget(const model::Job& job) {
    const model::InstanceId id(job.subject);
    // The files first: without the row nobody would know of them.
    bool due = false;
    TRY_ASSIGN(const auto instance, parts_.store.read([&](catalog::Transaction& tx) {
        return tx.instances().find(id);
    }));
    if (instance) {
        due = forgotten_at(parts_, *instance) <= parts_.clock.now();
        if (due) {
            std::error_code error;
            std::filesystem::remove_all(instance_directory(id), error);
            if (error) {
                return Error::from_errno(error.value(), "remove " + instance_directory(id));
            }
        }
    }
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        if (instance && !due) {  // woken by something else that concerns the instance
            return tx.jobs().park(job, forgotten_at(parts_, *instance));
        }
        if (instance) {
            TRY(tx.tags().erase_resource(id.str()));
            TRY(erase_replace_root_tasks(tx, id));
            TRY(tx.instances().erase(id));
        }
        return tx.jobs().finish(job);
    });
}

Status InstanceWorker::commit_off(const model::Job& job) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        const model::InstanceId id(job.subject);
        TRY_ASSIGN(model::Instance instance, tx.instances().get(id));
        if (instance.state != model::InstanceState::terminated) {
            TRY_ASSIGN(instance.state,
                       model::next(instance.state, model::InstanceEvent::powered_off, id));
        }
        instance.public_ip.clear();  // STP-2
        if (instance.state == model::InstanceState::terminated) {
            instance.terminated = instance.terminated.value_or(parts_.clock.now());
            instance.private_ip.clear();  // NET-6
            TRY(tx.tags().erase_resource(instance.network_interface_id.str()));
            catalog::VolumeQuery attached;
            attached.attached_to = {id};
            TRY_ASSIGN(auto volumes, tx.volumes().list(attached));
            for (model::Volume& volume : volumes) {
                TRY(release_volume(tx, parts_, std::move(volume), id));
            }
            model::Job forget =
                make_job(parts_.rng, *instance.terminated, kForgetJob, id.str(), "");
            forget.not_before = forgotten_at(parts_, instance);
            TRY(tx.jobs().add(forget));
        }
        TRY(tx.instances().update(instance));
        return tx.jobs().finish(job);
    });
}

}  // namespace kiln::control
