// SPDX-License-Identifier: Apache-2.0
// FakeHost: the scripts.
#include "compute/fake/fake_hypervisor.h"
#include "compute/fake/fake_parts.h"

namespace kiln::compute {
namespace {

constexpr int kStatusCrashed = 128 + 11;

}  // namespace

using namespace fake;

void FakeHost::tell(const Machine& machine, const MachineEvent& event) {
    if (listener_) {
        listener_(machine.spec.id, machine.spec.generation, event);
    }
}

Status FakeHost::play(const MachineId& id, MachineState state, MachineEvent event) {
    MutexLock lock(mutex_);
    const auto found = machines_.find(id);
    if (found == machines_.end()) {
        return no_machine(id);
    }
    found->second.state = state;
    tell(found->second, event);
    if (state == MachineState::gone) {
        machines_.erase(found);
    }
    return ok();
}

Status FakeHost::guest_shutdown(const MachineId& id) {
    return play(id, MachineState::shut_down, event_of(MachineEvent::Kind::shutdown_guest));
}

Status FakeHost::guest_reset(const MachineId& id) {
    MachineEvent event = event_of(MachineEvent::Kind::reset);
    event.by_guest = true;
    return play(id, MachineState::running, event);
}

Status FakeHost::guest_panic(const MachineId& id) {
    return play(id, MachineState::panicked, event_of(MachineEvent::Kind::panic));
}

Status FakeHost::disk_refuses(const MachineId& id, const std::string& disk, bool no_space) {
    MachineEvent event = event_of(MachineEvent::Kind::io_error);
    event.disk = disk;
    event.no_space = no_space;
    return play(id, MachineState::io_error, event);
}

void FakeHost::run_agents(bool run) {
    MutexLock lock(mutex_);
    run_agents_ = run;
}

bool FakeHost::frozen(const MachineId& id) {
    MutexLock lock(mutex_);
    const auto found = machines_.find(id);
    return found != machines_.end() && found->second.frozen;
}

Status FakeHost::crash(const MachineId& id) {
    return play(id, MachineState::gone, exited_with(kStatusCrashed));
}

void FakeHost::obey_power_button(bool obey) {
    MutexLock lock(mutex_);
    obey_power_button_ = obey;
}

void FakeHost::release_disks(bool release) {
    MutexLock lock(mutex_);
    release_disks_ = release;
    for (auto& [id, machine] : machines_) {
        for (const std::string& disk :
             release ? std::exchange(machine.asked_for, {}) : std::set<std::string>()) {
            std::erase_if(machine.spec.disks, [&](const DiskSpec& d) { return d.id == disk; });
            MachineEvent event = event_of(MachineEvent::Kind::disk_released);
            event.disk = disk;
            tell(machine, event);
        }
    }
}

void FakeHost::fail_next_start(Error error) {
    MutexLock lock(mutex_);
    next_start_error_ = std::move(error);
}

Status FakeHost::guest_prints(const MachineId& id, std::string_view text) {
    TRY_ASSIGN(const MachineSpec spec, spec_of(id));
    return append(spec.serial_log, text);
}

std::uint64_t FakeHost::told_size(const MachineId& id, const std::string& disk) {
    MutexLock lock(mutex_);
    const auto found = machines_.find(id);
    return found == machines_.end() ? 0 : found->second.told_sizes[disk];
}

Result<MachineSpec> FakeHost::spec_of(const MachineId& id) {
    MutexLock lock(mutex_);
    const auto found = machines_.find(id);
    if (found == machines_.end()) {
        return no_machine(id);
    }
    return found->second.spec;
}

}  // namespace kiln::compute
