// SPDX-License-Identifier: Apache-2.0
// InstanceWorker: makes true what the instance rows say: starts machines, ends them, and takes note
// of what happens to them. Its steps run as jobs, are idempotent, and survive a kill at any point.
//
//   instance.launch     open the volumes, start network and machine, commit `running`; a launch
//                       that cannot succeed ends `terminated`
//   instance.end        press the power button, wait, switch off, end the network, close the
//                       volumes, commit `stopped` or `terminated`
//   instance.forget     an hour after the end: the row and the directory go (TRM-4)
//   instance.reboot     press the power button, wait, reset the machine (RBT-1, RBT-2)
//
// Thread-safe, blocking.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>

#include "compute/hypervisor.h"
#include "control/instance_networks.h"
#include "control/job_runner.h"
#include "control/parts.h"
#include "control/volume_access.h"
#include "model/instance.h"

namespace kiln::control {

inline constexpr char kLaunchJob[] = "instance.launch";
inline constexpr char kEndJob[] = "instance.end";
inline constexpr char kRebootJob[] = "instance.reboot";
inline constexpr char kForgetJob[] = "instance.forget";
inline constexpr char kCreateImageJob[] = "image.create";  // CI-4; its subject is the instance

// The step of a launch job that is a later start (STP-3): when it fails the instance stays.
inline constexpr char kStartAgain[] = "start-again";

// Why an instance ends (INS-3).
enum class EndReason { user, guest, machine_failed };
// How long its guest may take (STP-1): its time, a moment, none.
enum class EndMode { orderly, forced, at_once };

// In the transaction that moves `instance` to `stopping`, `shutting-down` or `terminated`: notes
// the reason, stores the row, and queues the work (or wakes it, if the instance was ending
// already: a mode other than `orderly` then ends the guest's time).
Status begin_end(catalog::Transaction& tx, const Parts& parts, model::Instance& instance,
                 EndReason reason, EndMode mode = EndMode::orderly);

// Whether work of this kind is under way for the instance.
Result<bool> has_job(catalog::Transaction& tx, std::string_view kind, const model::InstanceId& id);
// Whether its guest is being powered off only to go on again: a reboot, or an image.
Result<bool> has_hold(catalog::Transaction& tx, const model::InstanceId& id);
// Until when such a job, or an end, waits for the guest; nothing before it asked.
std::optional<UnixMillis> waits_until(const model::Job& job);

class InstanceWorker {
  public:
    // `work_added` is called after a transaction that queued or woke a job.
    InstanceWorker(const Parts& parts, VolumeAccess& volumes, InstanceNetworks& networks,
                   std::function<void()> work_added)
        : parts_(parts),
          volumes_(volumes),
          networks_(networks),
          work_added_(std::move(work_added)) {}

    // Registers the handlers above.
    void install(JobRunner& runner);

    // The machine of `id`, in its run `generation`, is off or gone; or it was, and a reboot that is
    // over has reset it since.
    Status machine_ended(const model::InstanceId& id, std::uint64_t generation, EndReason reason);

    // For a job that holds the instance (has_hold()). True when its guest is off, or had its time;
    // false when the job was parked, to be called again: for its turn, or for the guest.
    Result<bool> take_hold(const model::Job& job);
    // Nothing runs when this returns.
    Status cut_off(const model::InstanceId& id);
    // The machine goes on, from its firmware. Nothing if the instance is ending.
    Status go_on(const model::InstanceId& id);
    // Ends the job.
    Status give_back(const model::Job& job);

    // After a restart (D17): volumes of live machines are exported again and their networks taken
    // over, then the machines adopted; what happened meanwhile is noted. Before jobs run.
    Status recover();

    std::string instance_directory(const model::InstanceId& id) const;
    std::string serial_log(const model::InstanceId& id) const;

  private:
    Status launch(const model::Job& job);
    Status give_up_launch(const model::Job& job, const Error& why);
    Status start_machine(const model::Instance& instance);
    Status commit_running(const model::Job& job);
    compute::MachineSpec machine_spec(const model::Instance& instance,
                                      const std::vector<model::Volume>& volumes) const;

    Status end(const model::Job& job);
    Status ask_to_power_off(const model::Job& job);
    Status wait_for_power_off(const model::Job& job);
    Status switch_off(const model::Job& job);
    Status commit_off(const model::Job& job);

    Status forget(const model::Job& job);
    Status reboot(const model::Job& job);
    // Parks the job for as long as the guest may take to power off; `grace` from now.
    Status wait_for_guest(model::Job job, std::chrono::milliseconds grace);

    Status open_volumes(const std::vector<model::Volume>& volumes, const model::InstanceId& id);
    Result<std::vector<model::Volume>> attached_volumes(const model::InstanceId& id);
    Result<model::Instance> load(const model::InstanceId& id);
    bool machine_runs(const model::InstanceId& id);
    // What says nothing does not.
    bool says_it_runs(const model::InstanceId& id);
    Status note_if_ended(const model::InstanceId& id);
    Status recover_instance(const model::Instance& instance);

    const Parts parts_;
    VolumeAccess& volumes_;
    InstanceNetworks& networks_;
    const std::function<void()> work_added_;
    // How often a hold was given back, of any instance: counted after its machine goes on and
    // before its job is over.
    std::atomic<std::uint64_t> given_back_{0};
};

// The name of one run of an instance: its launch time, which is renewed at every start.
inline std::uint64_t generation_of(const model::Instance& instance) {
    return static_cast<std::uint64_t>(instance.launched.value);
}

}  // namespace kiln::control
