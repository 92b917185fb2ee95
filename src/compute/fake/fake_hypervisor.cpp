// SPDX-License-Identifier: Apache-2.0
#include "compute/fake/fake_hypervisor.h"

#include <fmt/format.h>

#include <algorithm>

#include "compute/check_spec.h"
#include "compute/fake/fake_parts.h"
#include "util/executor.h"
#include "util/log.h"

namespace kiln::compute {
namespace {

// Far above what any test has in flight.
constexpr std::size_t kMaxQueuedEvents = 1U << 20;
constexpr int kStatusKilled = 128 + 9;

}  // namespace

using namespace fake;

class FakeHypervisor final : public Hypervisor {
  public:
    FakeHypervisor(FakeHost& host, MachineEvents& events)
        // One thread, so that events keep their order.
        : host_(host), events_(events), supervisor_("fake-hypervisor", 1, kMaxQueuedEvents) {
        MutexLock lock(host_.mutex_);
        host_.listener_ = [this](const MachineId& id, std::uint64_t generation,
                                 const MachineEvent& event) { deliver(id, generation, event); };
    }
    ~FakeHypervisor() override {
        MutexLock lock(host_.mutex_);
        host_.listener_ = nullptr;
    }

    Result<MachineInfo> start(const MachineSpec& spec, Deadline deadline) override;
    Result<MachineInfo> adopt(const MachineId& id, const std::string& directory,
                              Deadline deadline) override;
    Status power_down(const MachineId& id, Deadline deadline) override;
    Status reset(const MachineId& id, Deadline deadline) override;
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
    Result<UniqueFd> open_serial(const MachineId&) override {
        return Error(Code::unsupported, "fake machines have no serial port");
    }
    Result<Picture> screenshot(const MachineId& id, bool wake, Deadline deadline) override;
    Status kill(const MachineId& id, Deadline deadline) override;
    Result<MachineInfo> query(const MachineId& id, Deadline deadline) override;
    std::vector<MachineId> machines() override;
    std::optional<HostMemory> host_memory() override { return host_.memory(); }
    std::string description() override {
        return "fake machines: nothing boots, no guest code runs (--hypervisor=fake)";
    }

  private:
    void deliver(const MachineId& id, std::uint64_t generation, const MachineEvent& event);
    // not_found unless the machine lives and was started or adopted through us.
    Result<MachineInfo> look(const MachineId& id);

    FakeHost& host_;
    MachineEvents& events_;
    Mutex mutex_;  // may be taken under the host's, never the other way round
    std::set<MachineId> known_ GUARDED_BY(mutex_);
    Executor supervisor_;  // last: joined first
};

void FakeHypervisor::deliver(const MachineId& id, std::uint64_t generation,
                             const MachineEvent& event) {
    if (event.kind == MachineEvent::Kind::exited) {
        MutexLock lock(mutex_);
        known_.erase(id);
    }
    const auto queued = supervisor_.submit(
        [this, id, generation, event] { events_.on_event(id, generation, event); });
    if (!queued) {
        log_error("compute", "fake event lost: " + queued.error().to_string());
    }
}

Result<MachineInfo> FakeHypervisor::look(const MachineId& id) {
    {
        MutexLock lock(mutex_);
        if (known_.count(id) == 0) {
            return no_machine(id);
        }
    }
    MutexLock lock(host_.mutex_);
    const auto found = host_.machines_.find(id);
    if (found == host_.machines_.end()) {
        return no_machine(id);
    }
    MachineInfo info;
    info.id = id;
    info.generation = found->second.spec.generation;
    info.state = found->second.state;
    info.accelerator = Accelerator::tcg;
    return info;
}

Result<MachineInfo> FakeHypervisor::start(const MachineSpec& spec, Deadline deadline) {
    TRY(check_spec(spec));
    TRY_ASSIGN(const MachineInfo present, adopt(spec.id, spec.directory, deadline));
    if (present.state != MachineState::gone) {
        if (present.generation == spec.generation) {
            return present;
        }
        return Error(Code::failed_precondition,
                     fmt::format("{} still has the process of its start {}", spec.id.str(),
                                 present.generation));
    }
    {
        MutexLock lock(host_.mutex_);
        if (host_.next_start_error_) {
            Error error = std::move(*host_.next_start_error_);
            host_.next_start_error_.reset();
            return error;
        }
    }
    TRY(append(spec.serial_log, fmt::format("fake machine {}, start {}: no guest runs here\r\n",
                                            spec.id.str(), spec.generation)));
    {
        MutexLock lock(host_.mutex_);
        host_.machines_[spec.id] = {spec, MachineState::running};
    }
    return adopt(spec.id, spec.directory, deadline);
}

Result<MachineInfo> FakeHypervisor::adopt(const MachineId& id, const std::string& /*directory*/,
                                          Deadline /*deadline*/) {
    if (host_.spec_of(id)) {
        {
            MutexLock lock(mutex_);
            known_.insert(id);
        }
        if (const auto info = look(id)) {
            return *info;
        }
    }
    MachineInfo gone;
    gone.id = id;
    return gone;
}

Status FakeHypervisor::power_down(const MachineId& id, Deadline /*deadline*/) {
    TRY_ASSIGN(const MachineInfo info, look(id));
    bool obeys = false;
    {
        MutexLock lock(host_.mutex_);
        obeys = host_.obey_power_button_;
    }
    return obeys && info.state == MachineState::running ? host_.guest_shutdown(id) : ok();
}

Status FakeHypervisor::reset(const MachineId& id, Deadline /*deadline*/) {
    TRY_ASSIGN([[maybe_unused]] const MachineInfo info, look(id));
    return host_.play(id, MachineState::running, event_of(MachineEvent::Kind::reset));
}

Status FakeHypervisor::resume(const MachineId& id, Deadline /*deadline*/) {
    TRY_ASSIGN([[maybe_unused]] const MachineInfo info, look(id));
    MutexLock lock(host_.mutex_);
    const auto found = host_.machines_.find(id);
    if (found == host_.machines_.end()) {
        return no_machine(id);
    }
    MachineState& state = found->second.state;
    if (state != MachineState::io_error && state != MachineState::running) {
        return Error(Code::failed_precondition,
                     fmt::format("{} is {}, not waiting for a disk", id.str(), to_string(state)));
    }
    state = MachineState::running;
    return ok();
}

Result<bool> FakeHypervisor::freeze(const MachineId& id, Deadline /*deadline*/) {
    TRY_ASSIGN([[maybe_unused]] const MachineInfo info, look(id));
    MutexLock lock(host_.mutex_);
    host_.machines_.at(id).frozen = host_.run_agents_;
    return host_.run_agents_;
}

Status FakeHypervisor::thaw(const MachineId& id, Deadline /*deadline*/) {
    TRY_ASSIGN([[maybe_unused]] const MachineInfo info, look(id));
    MutexLock lock(host_.mutex_);
    if (!host_.run_agents_) {
        return Error(Code::unavailable, "the guest's agent is not there");
    }
    host_.machines_.at(id).frozen = false;
    return ok();
}

Status FakeHypervisor::attach_disk(const MachineId& id, const DiskSpec& disk,
                                   Deadline /*deadline*/) {
    TRY_ASSIGN([[maybe_unused]] const MachineInfo info, look(id));
    MutexLock lock(host_.mutex_);
    auto& disks = host_.machines_.at(id).spec.disks;
    const bool present =
        std::any_of(disks.begin(), disks.end(), [&](const DiskSpec& d) { return d.id == disk.id; });
    if (!present) {
        disks.push_back(disk);
    }
    return ok();
}

Result<bool> FakeHypervisor::detach_disk(const MachineId& id, const std::string& disk,
                                         Deadline /*deadline*/) {
    TRY_ASSIGN([[maybe_unused]] const MachineInfo info, look(id));
    MutexLock lock(host_.mutex_);
    auto& machine = host_.machines_.at(id);
    const auto found = std::find_if(machine.spec.disks.begin(), machine.spec.disks.end(),
                                    [&](const DiskSpec& d) { return d.id == disk; });
    if (found == machine.spec.disks.end()) {
        return true;
    }
    if (found->boot_index == 0U) {
        return Error(Code::failed_precondition, "the root disk cannot be unplugged");
    }
    if (!host_.release_disks_) {
        machine.asked_for.insert(disk);
        return false;
    }
    machine.spec.disks.erase(found);
    return true;
}

Status FakeHypervisor::cut_off_disk(const MachineId& id, const std::string& disk,
                                    std::uint64_t /*size_bytes*/, Deadline /*deadline*/) {
    TRY_ASSIGN([[maybe_unused]] const MachineInfo info, look(id));
    MutexLock lock(host_.mutex_);
    auto& disks = host_.machines_.at(id).spec.disks;
    const auto found =
        std::find_if(disks.begin(), disks.end(), [&](const DiskSpec& d) { return d.id == disk; });
    if (found != disks.end() && found->boot_index == 0U) {
        return Error(Code::failed_precondition, "the root disk cannot be cut off");
    }
    if (found != disks.end()) {
        disks.erase(found);
    }
    return ok();
}

Result<bool> FakeHypervisor::grow_disk(const MachineId& id, const std::string& disk,
                                       std::uint64_t size_bytes, Deadline /*deadline*/) {
    TRY_ASSIGN([[maybe_unused]] const MachineInfo info, look(id));
    MutexLock lock(host_.mutex_);
    auto& machine = host_.machines_.at(id);
    const auto& disks = machine.spec.disks;
    if (std::any_of(disks.begin(), disks.end(), [&](const DiskSpec& d) { return d.id == disk; })) {
        machine.told_sizes[disk] = size_bytes;
    }
    return true;
}

Result<Picture> FakeHypervisor::screenshot(const MachineId& id, bool /*wake*/,
                                           Deadline /*deadline*/) {
    TRY_ASSIGN([[maybe_unused]] const MachineInfo info, look(id));
    // A text screen before anything is written on it.
    static const Picture blank{720, 400, std::string(std::size_t{720} * 400 * 3, '\0')};
    return blank;
}

Status FakeHypervisor::kill(const MachineId& id, Deadline /*deadline*/) {
    TRY_ASSIGN([[maybe_unused]] const MachineInfo info, look(id));
    return host_.play(id, MachineState::gone, exited_with(kStatusKilled));
}

Result<MachineInfo> FakeHypervisor::query(const MachineId& id, Deadline /*deadline*/) {
    return look(id);
}

std::vector<MachineId> FakeHypervisor::machines() {
    std::set<MachineId> known;
    {
        MutexLock lock(mutex_);
        known = known_;
    }
    std::vector<MachineId> ids;
    for (const auto& id : known) {
        if (look(id)) {
            ids.push_back(id);
        }
    }
    return ids;
}

std::unique_ptr<Hypervisor> make_fake_hypervisor(FakeHost& host, MachineEvents& events) {
    return std::make_unique<FakeHypervisor>(host, events);
}

}  // namespace kiln::compute
