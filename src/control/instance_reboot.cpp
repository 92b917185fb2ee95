// SPDX-License-Identifier: Apache-2.0
// Guests that are powered off only to go on again: for a reboot (the job `instance.reboot`), or for
// an image (create_image.h), or for another root volume (replace_roots.h). The guest is asked to
// power off, in good order, and its machine, which waits for that (D18), is reset and goes on: the
// same process, disks and network. A guest that does not answer in time gets no more of it (RBT-2).
#include <fmt/format.h>

#include <algorithm>

#include "control/instance_worker.h"
#include "control/replace_roots.h"
#include "util/log.h"
#include "util/strings.h"

namespace kiln::control {
namespace {

constexpr std::string_view kWait = "wait ";
// RBT-2 speaks of four minutes; the default time of a stop is two.
constexpr int kRebootGraces = 2;
// Of those that hold one instance the others look again after this; they are woken as well.
constexpr std::int64_t kTurnMs = 200;

Deadline call_deadline() {
    return Deadline::after(std::chrono::seconds(30));
}

}  // namespace

std::optional<UnixMillis> waits_until(const model::Job& job) {
    if (!job.step.starts_with(kWait)) {
        return std::nullopt;
    }
    const auto value = parse_int<std::int64_t>(std::string_view(job.step).substr(kWait.size()));
    return UnixMillis{value.value_or(0)};
}

Result<bool> has_hold(catalog::Transaction& tx, const model::InstanceId& id) {
    TRY_ASSIGN(const bool rebooting, has_job(tx, kRebootJob, id));
    TRY_ASSIGN(const bool imaging, has_job(tx, kCreateImageJob, id));
    TRY_ASSIGN(const bool replacing, has_job(tx, kReplaceRootJob, id));
    return rebooting || imaging || replacing;
}

Status InstanceWorker::wait_for_guest(model::Job job, std::chrono::milliseconds grace) {
    const UnixMillis until{parts_.clock.now().value + grace.count()};
    job.step = fmt::format("{}{}", kWait, until.value);
    TRY(parts_.store.run([&](catalog::Transaction& tx) { return tx.jobs().park(job, until); }));
    // It may have powered off between the question and the parking, when its event found nobody to
    // wake.
    if (!machine_runs(model::InstanceId(job.subject))) {
        TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
            TRY(tx.jobs().wake(job.subject, parts_.clock.now()));
            return ok();
        }));
        work_added_();
    }
    return ok();
}

Result<bool> InstanceWorker::take_hold(const model::Job& job) {
    const auto park = [&](UnixMillis until) {
        return parts_.store.run(
            [&](catalog::Transaction& tx) { return tx.jobs().park(job, until); });
    };
    const UnixMillis now = parts_.clock.now();
    TRY_ASSIGN(const auto holds, parts_.store.read([&](catalog::Transaction& tx) {
        catalog::JobQuery query;
        query.kinds = {kRebootJob, kCreateImageJob, kReplaceRootJob};
        query.subject = job.subject;
        return tx.jobs().list(query);
    }));
    const bool first = std::none_of(holds.begin(), holds.end(), [&](const model::Job& other) {
        return std::pair(other.created, other.id) < std::pair(job.created, job.id);
    });
    if (!first) {
        TRY(park(UnixMillis{now.value + kTurnMs}));
        return false;
    }
    const model::InstanceId id(job.subject);
    if (!machine_runs(id)) {
        return true;
    }
    if (const auto until = waits_until(job)) {
        if (now >= *until) {
            return true;
        }
        TRY(park(*until));
        return false;
    }
    const Status asked = parts_.hypervisor.power_down(machine_id(id), call_deadline());
    if (!asked) {
        log_warn("instances", fmt::format("{} cannot be asked to power off: {}", id.str(),
                                          asked.error().to_string()));
        return true;
    }
    TRY(wait_for_guest(job, parts_.settings.shutdown_grace * kRebootGraces));
    return false;
}

Status InstanceWorker::cut_off(const model::InstanceId& id) {
    if (!machine_runs(id)) {
        return ok();
    }
    const Status killed = parts_.hypervisor.kill(machine_id(id), call_deadline());
    return killed || killed.error().code() == Code::not_found ? ok() : killed;
}

Status InstanceWorker::go_on(const model::InstanceId& id) {
    TRY_ASSIGN(const model::Instance instance, load(id));
    if (instance.state != model::InstanceState::running) {
        return ok();  // it is ending, and that waits for us
    }
    Status reset = parts_.hypervisor.reset(machine_id(id), call_deadline());
    if (!reset && reset.error().code() == Code::not_found) {
        return start_machine(instance);
    }
    return reset;
}

Status InstanceWorker::give_back(const model::Job& job) {
    ++given_back_;
    TRY(parts_.store.run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.jobs().finish(job));
        TRY(tx.jobs().wake(job.subject, parts_.clock.now()));  // whoever waits for the instance
        return ok();
    }));
    work_added_();
    return note_if_ended(model::InstanceId(job.subject));
}

Status InstanceWorker::reboot(const model::Job& job) {
    const model::InstanceId id(job.subject);
    TRY_ASSIGN(const model::Instance instance, load(id));
    if (instance.state == model::InstanceState::running) {
        TRY_ASSIGN(const bool ready, take_hold(job));
        if (!ready) {
            return ok();
        }
        TRY(go_on(id));
    }
    return give_back(job);
}

}  // namespace kiln::control
