// SPDX-License-Identifier: Apache-2.0
// A small real implementation of Hypervisor without guests, for API tests and `--hypervisor=fake`:
// machines are entries in a FakeHost, which outlives the hypervisor as real guests outlive the
// daemon. By default a machine starts at once, obeys the power button, and capacity is unlimited.
// Tests play the guest through FakeHost.
//
// Thread-safe. Events are delivered on a thread of the hypervisor's own, like the real one's; what
// happens while no hypervisor is attached is only found by adopt().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "compute/hypervisor.h"
#include "util/mutex.h"

namespace kiln::compute {

// The host and its guests, as a test moves them.
class FakeHost {
  public:
    struct Options {
        std::optional<std::uint64_t> memory_mib;  // nothing: without limit
        // Nothing: enough for those, however many run; the host has other memory for itself.
        std::optional<std::uint64_t> available_mib{};
    };
    FakeHost() = default;
    explicit FakeHost(Options options) : options_(options) {}

    // Scripts. not_found for a machine that is not there.
    Status guest_shutdown(const MachineId& id) EXCLUDES(mutex_);
    Status guest_reset(const MachineId& id) EXCLUDES(mutex_);
    Status guest_panic(const MachineId& id) EXCLUDES(mutex_);
    // A disk refuses what the guest asks, as it does when the store is full.
    Status disk_refuses(const MachineId& id, const std::string& disk, bool no_space = true)
        EXCLUDES(mutex_);
    // Whether guests have an agent; false at first. For all, present and future.
    void run_agents(bool run) EXCLUDES(mutex_);
    // Whether its file systems are held still.
    bool frozen(const MachineId& id) EXCLUDES(mutex_);
    // The process dies as if by SIGSEGV.
    Status crash(const MachineId& id) EXCLUDES(mutex_);
    // Whether machines power off when asked; true at first. For all, present and future.
    void obey_power_button(bool obey) EXCLUDES(mutex_);
    // Whether guests let go of disks when asked; true at first. Turned on again, held ones go.
    void release_disks(bool release) EXCLUDES(mutex_);
    // The next start fails with this error.
    void fail_next_start(Error error) EXCLUDES(mutex_);
    // Appends to the machine's serial log.
    Status guest_prints(const MachineId& id, std::string_view text) EXCLUDES(mutex_);
    // The size a machine was last told of a disk; 0: none.
    std::uint64_t told_size(const MachineId& id, const std::string& disk) EXCLUDES(mutex_);
    // The specification a machine was started with.
    Result<MachineSpec> spec_of(const MachineId& id) EXCLUDES(mutex_);
    std::optional<HostMemory> memory() const {
        if (!options_.memory_mib) {
            return std::nullopt;
        }
        constexpr std::uint64_t kOfHostMib = 1024;
        return HostMemory{*options_.memory_mib,
                          options_.available_mib.value_or(*options_.memory_mib + kOfHostMib),
                          std::nullopt};
    }

  private:
    friend class FakeHypervisor;
    using Listener = std::function<void(const MachineId&, std::uint64_t, const MachineEvent&)>;
    struct Machine {
        MachineSpec spec;
        MachineState state = MachineState::running;
        bool frozen = false;
        std::set<std::string> asked_for;  // disks the guest is to let go
        std::map<std::string, std::uint64_t> told_sizes;
    };

    Status play(const MachineId& id, MachineState state, MachineEvent event) EXCLUDES(mutex_);
    void tell(const Machine& machine, const MachineEvent& event) REQUIRES(mutex_);

    const Options options_{};
    Mutex mutex_;
    std::map<MachineId, Machine> machines_ GUARDED_BY(mutex_);
    bool obey_power_button_ GUARDED_BY(mutex_) = true;
    bool run_agents_ GUARDED_BY(mutex_) = false;
    bool release_disks_ GUARDED_BY(mutex_) = true;
    std::optional<Error> next_start_error_ GUARDED_BY(mutex_);
    Listener listener_ GUARDED_BY(mutex_);  // the attached hypervisor; at most one
};

// `events` and `host` outlive the hypervisor.
std::unique_ptr<Hypervisor> make_fake_hypervisor(FakeHost& host, MachineEvents& events);

}  // namespace kiln::compute
