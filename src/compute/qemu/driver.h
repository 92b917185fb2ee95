// SPDX-License-Identifier: Apache-2.0
// QemuDriver: the Hypervisor of make_qemu_hypervisor(). A table of live machines, the supervisor
// that watches them, and the steps of start and adoption. Whatever is known is watched: a machine
// enters the table together with its pidfd's watch and leaves it in on_exit() alone.
//
// Thread-safe. Lock order: the table's mutex_, then nothing (a Machine's mutex is never taken under
// it, nor it under that).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>

#include "compute/qemu/guest_agent.h"
#include "compute/qemu/launch.h"
#include "compute/qemu/machine.h"
#include "compute/qemu/supervisor.h"

namespace kiln::compute {

class QemuDriver final : public Hypervisor {
  public:
    QemuDriver(LaunchFacts facts, std::string description, MachineEvents& events)
        : facts_(std::move(facts)), description_(std::move(description)), events_(events) {}

    // Once, before anything else.
    Status begin();

    Result<MachineInfo> start(const MachineSpec& spec, Deadline deadline) override;
    Result<MachineInfo> adopt(const MachineId& id, const std::string& directory,
                              Deadline deadline) override;
    Status power_down(const MachineId& id, Deadline deadline) override {
        return command(id, "system_powerdown", deadline);
    }
    Status reset(const MachineId& id, Deadline deadline) override {
        TRY(command(id, "system_reset", deadline));
        return command(id, "cont", deadline);  // does nothing to a machine that runs
    }
    Status resume(const MachineId& id, Deadline deadline) override;
    Result<bool> freeze(const MachineId& id, Deadline deadline) override;
    Status thaw(const MachineId& id, Deadline deadline) override;
    Status attach_disk(const MachineId& id, const DiskSpec& disk, Deadline deadline) override;
    Result<bool> detach_disk(const MachineId& id, const std::string& disk,
                             Deadline deadline) override;
    Status cut_off_disk(const MachineId& id, const std::string& disk, std::uint64_t size_bytes,
                        Deadline deadline) override;
    Result<bool> grow_disk(const MachineId& id, const std::string& disk, std::uint64_t size_bytes,
                           Deadline deadline) override;
    Result<UniqueFd> open_serial(const MachineId& id) override;
    Result<Picture> screenshot(const MachineId& id, bool wake, Deadline deadline) override;
    Status kill(const MachineId& id, Deadline deadline) override;
    Result<MachineInfo> query(const MachineId& id, Deadline deadline) override;
    std::vector<MachineId> machines() override EXCLUDES(mutex_);
    std::optional<HostMemory> host_memory() override { return read_host_memory(); }
    std::string description() override { return description_; }

  private:
    // Holds an id while start() or adopt() works on it.
    class Claim {
      public:
        Claim(QemuDriver& owner, MachineId id) : owner_(&owner), id_(std::move(id)) {}
        Claim(Claim&& other) noexcept
            : owner_(std::exchange(other.owner_, nullptr)), id_(std::move(other.id_)) {}
        Claim& operator=(Claim&&) = delete;
        ~Claim() {
            if (owner_) {
                owner_->unclaim(id_);
            }
        }

      private:
        QemuDriver* owner_;
        MachineId id_;
    };
    Result<Claim> claim(const MachineId& id) EXCLUDES(mutex_);
    void unclaim(const MachineId& id) EXCLUDES(mutex_);

    MachinePtr find(const MachineId& id) EXCLUDES(mutex_);
    Result<MachinePtr> get(const MachineId& id);
    Result<std::shared_ptr<QmpClient>> control_of(const MachineId& id);
    Status command(const MachineId& id, std::string_view name, Deadline deadline);
    Result<MachineInfo> query(Machine& machine, Deadline deadline);
    // Whether a program in the guest has the agent's port open.
    Result<bool> has_agent(const MachineId& id, Deadline deadline);
    Result<GuestAgent> agent_of(const MachineId& id, Deadline deadline);

    Result<MachineInfo> adopt_claimed(const MachineId& id, const std::string& directory,
                                      Deadline deadline);
    Result<MachinePtr> find_recorded(const MachineId& id, const std::string& directory,
                                     Deadline deadline);
    Result<MachineInfo> launch(const MachineSpec& spec, Deadline deadline);
    Status bring_up(HeldProcess& process, const MachinePtr& machine, Deadline deadline);
    Status publish(const MachinePtr& machine) EXCLUDES(mutex_);
    Status connect(const MachinePtr& machine, const std::string& path, Deadline deadline);
    Status connect_any(const MachinePtr& machine, Deadline deadline);
    Status kill(Machine& machine, Deadline deadline);
    // The disks' sockets as the runtime record has them, changed.
    Status keep_sockets(Machine& machine,
                        const std::function<void(std::map<std::string, std::string>&)>& change);
    Status forget_socket(Machine& machine, const std::string& disk);

    // On the supervisor thread.
    bool on_control(const MachinePtr& machine, QmpClient& client);
    void on_exit(const MachinePtr& machine);
    void on_tick() EXCLUDES(mutex_);
    void report(const Machine& machine, const MachineEvent& event);
    void report_all(const Machine& machine, const std::vector<QmpMessage>& messages);

    const LaunchFacts facts_;
    const std::string description_;
    MachineEvents& events_;

    Mutex mutex_;
    std::map<MachineId, MachinePtr> machines_ GUARDED_BY(mutex_);
    std::set<MachineId> claimed_ GUARDED_BY(mutex_);

    std::unique_ptr<Supervisor> supervisor_;  // last: its thread uses all of the above
};

}  // namespace kiln::compute
