// SPDX-License-Identifier: Apache-2.0
#include "control/guest_freeze.h"

#include <fcntl.h>
#include <unistd.h>

#include "control/job_runner.h"
#include "util/fs.h"
#include "util/log.h"

namespace kiln::control {
namespace {

// Writing out what a busy guest has in memory.
constexpr std::chrono::seconds kFreezeTime{10};
constexpr std::chrono::seconds kThawTime{10};

std::string note_of(const Parts& parts, const model::InstanceId& instance) {
    return parts.settings.instances_directory + "/" + instance.str() + "/frozen";
}

// For a kill of this process alone: a guest does not outlive a loss of power, so nothing is synced.
bool leave_note(const std::string& path) {
    return static_cast<bool>(UniqueFd(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600)));
}

Status try_thaw(const Parts& parts, const model::InstanceId& instance) {
    const Status thawed = parts.hypervisor.thaw(machine_id(instance), Deadline::after(kThawTime));
    if (!thawed && thawed.error().code() != Code::not_found) {
        return thawed;
    }
    ::unlink(note_of(parts, instance).c_str());
    return ok();
}

Status ask_later(const Parts& parts, const model::InstanceId& instance) {
    return parts.store.run([&](catalog::Transaction& tx) -> Status {
        catalog::JobQuery query;
        query.kinds = {kThawJob};
        query.subject = instance.str();
        TRY_ASSIGN(const auto jobs, tx.jobs().list(query));
        return jobs.empty() ? tx.jobs().add(make_job(parts.rng, parts.clock.now(), kThawJob,
                                                     instance.str(), ""))
                            : ok();
    });
}

void thaw(const Parts& parts, const model::InstanceId& instance) {
    const Status thawed = try_thaw(parts, instance);
    if (thawed) {
        return;
    }
    log_error("instances", "the file systems of " + instance.str() +
                               " may still be held still, it is asked again; `fsfreeze -u` in the "
                               "guest lets them go as well: " +
                               thawed.error().to_string());
    if (const Status later = ask_later(parts, instance); !later) {
        log_error("instances", later.error().to_string());  // the note stays for the next start
    }
}

}  // namespace

GuestFreeze::GuestFreeze(const Parts& parts, model::InstanceId instance)
    : parts_(parts), instance_(std::move(instance)) {
    const std::string note = note_of(parts_, instance_);
    if (!leave_note(note)) {
        log_warn("instances", "cannot write " + note + ": file systems are not held still");
        return;
    }
    const auto frozen =
        parts_.hypervisor.freeze(machine_id(instance_), Deadline::after(kFreezeTime));
    // What a freeze that failed left is not known; to let go of what is not held does no harm.
    held_ = frozen ? *frozen : frozen.error().code() != Code::not_found;
    if (!frozen) {
        log_warn("instances", "the file systems of " + instance_.str() +
                                  " are not held still: " + frozen.error().to_string());
    }
    if (!held_) {
        ::unlink(note.c_str());
    }
}

GuestFreeze::~GuestFreeze() {
    if (held_) {
        thaw(parts_, instance_);
    }
}

Status thaw_again(const Parts& parts, const model::Job& job) {
    const model::InstanceId instance(job.subject);
    if (::access(note_of(parts, instance).c_str(), F_OK) == 0) {
        TRY(try_thaw(parts, instance));
    }
    return parts.store.run([&](catalog::Transaction& tx) { return tx.jobs().finish(job); });
}

void release_frozen(const Parts& parts, const model::InstanceId& instance) {
    if (::access(note_of(parts, instance).c_str(), F_OK) == 0) {
        thaw(parts, instance);
    }
}

}  // namespace kiln::control
