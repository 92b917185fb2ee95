// SPDX-License-Identifier: Apache-2.0
#include "control/instance_worker.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/api_errors.h"
#include "control/attachment_worker.h"
#include "control/capacity.h"
#include "control/guest_freeze.h"
#include "control/instance_store.h"
#include "control/instances.h"
#include "control/uefi_variables.h"
#include "crypto/hash.h"
#include "util/encoding.h"
#include "util/log.h"

namespace kiln::control {
namespace {

// One attempt to open a volume or to start a machine. Opening replays at most one journal; QEMU
// starts in a second.
constexpr std::chrono::seconds kStepTime{60};
// A start that failed this often will not succeed by itself.
constexpr std::uint32_t kMaxLaunchAttempts = 4;

Deadline step_deadline() {
    return Deadline::after(kStepTime);
}

bool is_on(const compute::MachineInfo& info) {
    return info.state != compute::MachineState::shut_down &&
           info.state != compute::MachineState::gone &&
           info.state != compute::MachineState::prelaunch;
}

// "ec2xxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx": fixed for the life of the instance, and recognised by
// cloud-init as EC2.
std::string machine_uuid(const model::InstanceId& id) {
    const std::string hex = "ec2" + crypto::sha256_hex(as_bytes(id.str()));
    return fmt::format("{}-{}-{}-{}-{}", hex.substr(0, 8), hex.substr(8, 4), hex.substr(12, 4),
                       hex.substr(16, 4), hex.substr(20, 12));
}

// BDM-15: guests find their disks in the order of the device names, at every launch of an image:
// sdb, sdf, ..., sdaa. Volume ids are random.
void sort_by_device(std::vector<model::Volume>& volumes, const model::InstanceId& instance) {
    const auto name = [&](const model::Volume& volume) {
        return model::bare_device_name(model::attachment_to(volume, instance).device);
    };
    std::sort(volumes.begin(), volumes.end(), [&](const model::Volume& a, const model::Volume& b) {
        const std::string_view left = name(a);
        const std::string_view right = name(b);
        return left.size() != right.size() ? left.size() < right.size() : left < right;
    });
}

bool can_be_retried(const Error& error) {
    switch (error.code()) {
        case Code::unavailable:
        case Code::deadline_exceeded:
        case Code::resource_exhausted:
        case Code::conflict:
            return true;
        default:
            return false;
    }
}

}  // namespace

void InstanceWorker::install(JobRunner& runner) {
    runner.handle(kLaunchJob, [this](const model::Job& job) { return launch(job); });
    runner.handle(kEndJob, [this](const model::Job& job) { return end(job); });
    runner.handle(kForgetJob, [this](const model::Job& job) { return forget(job); });
    runner.handle(kRebootJob, [this](const model::Job& job) { return reboot(job); });
    runner.handle(kThawJob, [this](const model::Job& job) { return thaw_again(parts_, job); });
}

std::string InstanceWorker::instance_directory(const model::InstanceId& id) const {
    return parts_.settings.instances_directory + "/" + id.str();
}

std::string InstanceWorker::serial_log(const model::InstanceId& id) const {
    return instance_directory(id) + "/serial.log";
}

Result<model::Instance> InstanceWorker::load(const model::InstanceId& id) {
    return parts_.store.read([&](catalog::Transaction& tx) { return tx.instances().get(id); });
}

Result<bool> has_job(catalog::Transaction& tx, std::string_view kind, const model::InstanceId& id) {
    catalog::JobQuery query;
    query.kinds = {std::string(kind)};
    query.subject = id.str();
    TRY_ASSIGN(const auto jobs, tx.jobs().list(query));
    return !jobs.empty();
}

Result<std::vector<model::Volume>> InstanceWorker::attached_volumes(const model::InstanceId& id) {
    return parts_.store.read([&](catalog::Transaction& tx) {
        catalog::VolumeQuery query;
        query.attached_to = {id};
        return tx.volumes().list(query);
    });
}

Status InstanceWorker::open_volumes(const std::vector<model::Volume>& volumes,
                                    const model::InstanceId& id) {
    for (const model::Volume& volume : volumes) {
        TRY(volumes_.open(volume.id, id, step_deadline()));
    }
    return ok();
}

compute::MachineSpec InstanceWorker::machine_spec(const model::Instance& instance,
                                                  const std::vector<model::Volume>& volumes) const {
    const InstanceType& type = *find_instance_type(instance.instance_type);
    compute::MachineSpec spec;
    spec.id = machine_id(instance.id);
    spec.generation = generation_of(instance);
    spec.vcpus = type.vcpus;
    spec.memory_mib = guest_memory_mib(parts_.settings, type);
    spec.firmware = instance.current_boot_mode == model::BootMode::uefi ? compute::Firmware::uefi
                                                                        : compute::Firmware::bios;
    spec.uuid = machine_uuid(instance.id);
    spec.product = instance.instance_type;
    spec.directory = instance_directory(instance.id);
    spec.runtime_directory = parts_.settings.runtime_directory + "/" + instance.id.str();
    spec.serial_log = serial_log(instance.id);
    for (const model::Volume& volume : volumes) {
        const model::VolumeAttachment& attachment = model::attachment_to(volume, instance.id);
        compute::DiskSpec disk = disk_of(volumes_, volume.id, attachment, instance.disk_transport);
        if (model::same_device(attachment.device, instance.root_device_name)) {
            disk.boot_index = 0;
            spec.disks.insert(spec.disks.begin(), disk);
        } else {
            spec.disks.push_back(disk);
        }
    }
    return spec;
}

Status InstanceWorker::start_machine(const model::Instance& instance) {
    TRY_ASSIGN(auto volumes, attached_volumes(instance.id));
    sort_by_device(volumes, instance.id);
    TRY(open_volumes(volumes, instance.id));
    compute::MachineSpec spec = machine_spec(instance, volumes);
    TRY_ASSIGN(auto store, make_store_disks(store_disks(instance), spec.directory));
    std::move(store.begin(), store.end(), std::back_inserter(spec.disks));
    TRY_ASSIGN(spec.uefi_variables, first_uefi_variables(parts_.store, instance, spec.directory));
    TRY_ASSIGN(auto nic, networks_.start(instance.id, step_deadline()));
    if (nic) {
        spec.nics.push_back(std::move(*nic));
    }
    TRY(parts_.hypervisor.start(spec, step_deadline()));
    return ok();
}

Status InstanceWorker::launch(const model::Job& job) {
    const model::InstanceId id(job.subject);
    TRY_ASSIGN(const model::Instance instance, load(id));
    if (instance.state == model::InstanceState::pending) {
        if (Status started = start_machine(instance); !started) {
            if (can_be_retried(started.error()) && job.attempts + 1 < kMaxLaunchAttempts) {
                return started;
            }
            return give_up_launch(job, started.error());
        }
    }
    TRY(commit_running(job));
    work_added_();
    // The guest may have powered off before it was known to run.
    return note_if_ended(id);
}

Status InstanceWorker::commit_running(const model::Job& job) {
    return parts_.store.run([&](catalog::Transaction& tx) -> Status {
        const model::InstanceId id(job.subject);
        TRY_ASSIGN(model::Instance instance, tx.instances().get(id));
        if (instance.state == model::InstanceState::pending) {
            TRY_ASSIGN(instance.state,
                       model::next(instance.state, model::InstanceEvent::started, id));
            instance.state_reason.reset();
            TRY(tx.instances().update(instance));
            catalog::VolumeQuery query;
            query.attached_to = {id};
            TRY_ASSIGN(auto volumes, tx.volumes().list(query));
            for (model::Volume& volume : volumes) {
                model::VolumeAttachment& attachment = model::attachment_to(volume, id);
                if (attachment.state == model::AttachmentState::attaching) {
                    TRY_ASSIGN(
                        attachment.state,
                        model::next(attachment.state, model::AttachmentEvent::attached, volume.id));
                    TRY(tx.volumes().update(volume));
                }
            }
        }
        TRY(tx.jobs().finish(job));
        // An end that was asked for meanwhile waits for this job to be over.
        TRY(tx.jobs().wake(job.subject, parts_.clock.now()));
        return ok();
    });
}

Status InstanceWorker::give_up_launch(const model::Job& job, const Error& why) {
    log_error("instances", fmt::format("launch of {} failed: {}", job.subject, why.to_string()));
    const Status done = parts_.store.run([&](catalog::Transaction& tx) -> Status {
        const model::InstanceId id(job.subject);
        TRY_ASSIGN(model::Instance instance, tx.instances().get(id));
        // A first launch that fails ends the instance (RUN-5); a later start leaves it stopped.
        const auto event = job.step != kStartAgain ? model::InstanceEvent::launch_failed
                           : instance.state == model::InstanceState::pending
                               ? model::InstanceEvent::stop
                               : model::InstanceEvent::start_failed;
        TRY_ASSIGN(instance.state, model::next(instance.state, event, id));
        const std::string code = why.code() == Code::resource_exhausted
                                     ? "Server.InsufficientInstanceCapacity"
                                 : why.api_code().starts_with("Client.") ? why.api_code()
                                                                         : "Server.InternalError";
        TRY(tx.jobs().finish(job));
        TRY(begin_end(tx, parts_, instance, EndReason::machine_failed));
        instance.state_reason = model::StateReason{
            code,
            fmt::format("{}: {}", code, errors::told(why, "The instance could not be started."))};
        return tx.instances().update(instance);
    });
    work_added_();
    return done;
}

bool InstanceWorker::machine_runs(const model::InstanceId& id) {
    const auto info =
        parts_.hypervisor.query(machine_id(id), Deadline::after(std::chrono::seconds(10)));
    // Not known: gone. Known but not answering (its disks may be away): it is still there.
    return info ? is_on(*info) : info.error().code() != Code::not_found;
}

bool InstanceWorker::says_it_runs(const model::InstanceId& id) {
    const auto info =
        parts_.hypervisor.query(machine_id(id), Deadline::after(std::chrono::seconds(10)));
    return info && is_on(*info);
}

Status InstanceWorker::note_if_ended(const model::InstanceId& id) {
    TRY_ASSIGN(const model::Instance instance, load(id));
    if (instance.state != model::InstanceState::running || machine_runs(id)) {
        return ok();
    }
    return machine_ended(id, generation_of(instance), EndReason::guest);
}

// The news may come late: a reboot that powered the guest off may be over, and the machine on
// again. Whether it is on is asked before the transaction; a hold that was given back between the
// two makes the answer worth nothing.
Status InstanceWorker::machine_ended(const model::InstanceId& id, std::uint64_t generation,
                                     EndReason reason) {
    bool settled = false;
    while (!settled) {
        const std::uint64_t given_back = given_back_;
        const bool goes_on = says_it_runs(id);
        const auto noted = parts_.store.run([&](catalog::Transaction& tx) -> Result<bool> {
            TRY_ASSIGN(auto found, tx.instances().find(id));
            if (!found || generation_of(*found) != generation) {
                return true;  // an earlier run of this instance
            }
            model::Instance& instance = *found;
            TRY_ASSIGN(const bool held, has_hold(tx, id));
            if (instance.state != model::InstanceState::running || held) {
                // pending: the launch looks for itself; ending, held: a job waits for just this.
                TRY(tx.jobs().wake(id.str(), parts_.clock.now()));
                return true;
            }
            if (goes_on) {
                return true;
            }
            if (given_back_ != given_back) {
                return false;
            }
            const auto event = instance.shutdown_behavior == model::ShutdownBehavior::terminate &&
                                       reason == EndReason::guest
                                   ? model::InstanceEvent::guest_terminate
                                   : model::InstanceEvent::guest_stop;  // SHD-1
            TRY_ASSIGN(instance.state, model::next(instance.state, event, id));
            TRY(begin_end(tx, parts_, instance, reason));
            return true;
        });
        work_added_();
        TRY_ASSIGN(settled, noted);
    }
    return ok();
}

Status InstanceWorker::recover() {
    TRY_ASSIGN(const auto instances, parts_.store.read([&](catalog::Transaction& tx) {
        catalog::InstanceQuery query;
        query.states = model::states_with_machine();
        return tx.instances().list(query);
    }));
    // All sockets first: a guest with a request in flight answers nothing until its disk is back
    // (D17).
    for (const model::Instance& instance : instances) {
        TRY_ASSIGN(const auto volumes, attached_volumes(instance.id));
        if (Status opened = open_volumes(volumes, instance.id); !opened) {
            log_error("instances", fmt::format("the disks of {} cannot be served: {}",
                                               instance.id.str(), opened.error().to_string()));
        }
    }
    for (const model::Instance& instance : instances) {
        if (Status adopted = networks_.adopt(instance, step_deadline()); !adopted) {
            log_error("instances", fmt::format("the network of {} is not there: {}",
                                               instance.id.str(), adopted.error().to_string()));
        }
    }
    for (const model::Instance& instance : instances) {
        if (Status recovered = recover_instance(instance); !recovered) {
            log_error("instances", fmt::format("cannot adopt {}: {}", instance.id.str(),
                                               recovered.error().to_string()));
        }
    }
    return ok();
}

Status InstanceWorker::recover_instance(const model::Instance& instance) {
    TRY_ASSIGN(const compute::MachineInfo info,
               parts_.hypervisor.adopt(machine_id(instance.id), instance_directory(instance.id),
                                       step_deadline()));
    log_info("instances",
             fmt::format("{} is {}, its machine {}", instance.id.str(),
                         model::to_string(instance.state), compute::to_string(info.state)));
    if (instance.state != model::InstanceState::running) {
        return ok();  // a job knows what to do
    }
    if (info.state == compute::MachineState::gone ||
        info.state == compute::MachineState::prelaunch) {
        return machine_ended(instance.id, generation_of(instance), EndReason::machine_failed);
    }
    if (info.state == compute::MachineState::shut_down) {
        return machine_ended(instance.id, generation_of(instance), EndReason::guest);
    }
    release_frozen(parts_, instance.id);
    return ok();
}

}  // namespace kiln::control
