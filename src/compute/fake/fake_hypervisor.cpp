// SPDX-License-Identifier: Apache-2.0
#include "compute/fake/fake_hypervisor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "compute/check_spec.h"
#include "util/executor.h"
#include "util/fs.h"
#include "util/log.h"

namespace kiln::compute {
namespace {

// Far above what any test has in flight.
constexpr std::size_t kMaxQueuedEvents = 1U << 20;
constexpr int kStatusKilled = 128 + 9;
constexpr int kStatusCrashed = 128 + 11;

MachineEvent event_of(MachineEvent::Kind kind) {
    MachineEvent event;
    event.kind = kind;
    return event;
}

MachineEvent exited_with(int status) {
    MachineEvent event = event_of(MachineEvent::Kind::exited);
    event.exit_status = status;
    return event;
}

Status append(const std::string& path, std::string_view text) {
    if (const auto slash = path.rfind('/'); slash != std::string::npos && slash > 0) {
        TRY(make_directories(path.substr(0, slash), 0700));
    }
    UniqueFd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
    if (!fd) {
        return Error::from_errno(errno, "open " + path);
    }
    if (::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
        return Error::from_errno(errno, "write " + path);
    }
    return ok();
}

Error no_machine(const MachineId& id) {
    return Error(Code::not_found, "no machine " + id.str());
}

}  // namespace

// ---- FakeHost
// -------------------------------------------------------------------------------------------------------

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

// ---- FakeHypervisor
// -------------------------------------------------------------------------------------------------

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
