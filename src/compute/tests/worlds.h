// SPDX-License-Identifier: Apache-2.0
// What the contract suite needs from a hypervisor's surroundings: machines to start and the guest's
// side of them. One world with real QEMU processes and a boot sector as guest, one with the fake
// host. Thread model: one test, one thread; EventLog is thread-safe.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "compute/fake/fake_hypervisor.h"
#include "compute/qemu/qemu_hypervisor.h"
#include "util/mutex.h"

namespace kiln::compute::testing {

inline Deadline soon() {
    return Deadline::after(std::chrono::seconds(30));
}

// Records events; the test waits for them.
class EventLog final : public MachineEvents {
  public:
    struct Entry {
        MachineId id;
        std::uint64_t generation;
        MachineEvent event;
    };
    void on_event(const MachineId& id, std::uint64_t generation, const MachineEvent& event) override
        EXCLUDES(mutex_);
    // The next event of this kind, skipping others; nothing when it does not come in time.
    std::optional<Entry> wait(MachineEvent::Kind kind, Deadline deadline = soon()) EXCLUDES(mutex_);
    std::size_t count(MachineEvent::Kind kind) EXCLUDES(mutex_);

  private:
    Mutex mutex_;
    CondVar changed_;
    std::vector<Entry> entries_ GUARDED_BY(mutex_);
    std::size_t read_ GUARDED_BY(mutex_) = 0;
};

// Removed with its content at the end. Searchable by others, as a daemon's runtime directory is.
class TemporaryDirectory {
  public:
    TemporaryDirectory();
    ~TemporaryDirectory();
    TemporaryDirectory(const TemporaryDirectory&) = delete;
    TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
    const std::string& path() const { return path_; }

  private:
    std::string path_;
};

// Polls `condition` until it holds; false when it never did.
bool eventually(const std::function<bool()>& condition, Deadline deadline = soon());
MachineSpec plain_spec(const std::string& directory, const std::string& id,
                       std::uint64_t generation);

class FakeWorld {
  public:
    std::unique_ptr<Hypervisor> open() { return make_fake_hypervisor(host, events); }
    MachineSpec spec(const std::string& id, std::uint64_t generation = 1);
    MachineSpec spec_on_full_store(const std::string& id) { return spec(id); }
    void guest_needs_space(const MachineSpec& spec);
    void wait_booted(const MachineSpec&, unsigned /*times*/ = 1) {}
    void guest_power_off(const MachineSpec& spec);
    void guest_reset(const MachineSpec& spec);
    void guest_stays_on(const MachineSpec& /*spec*/) {}
    void ignore_button(const MachineSpec& spec);
    void crash(const MachineInfo& info);
    void break_next_start(MachineSpec& spec);
    void serve_more(const MachineSpec& /*spec*/, std::uint64_t /*size_bytes*/) {}

    TemporaryDirectory directory;
    FakeHost host;
    EventLog events;
};

class QemuWorld {
  public:
    ~QemuWorld();
    std::unique_ptr<Hypervisor> open();
    // Makes the disk and serves it, the first time for an id.
    MachineSpec spec(const std::string& id, std::uint64_t generation = 1);
    // The same with a disk that answers the first write with ENOSPC.
    MachineSpec spec_on_full_store(const std::string& id);
    // The guest writes to its disk, and resets.
    void guest_needs_space(const MachineSpec& spec) { guest_reset(spec); }
    void wait_booted(const MachineSpec& spec, unsigned times = 1);
    void guest_power_off(const MachineSpec& spec);
    void guest_reset(const MachineSpec& spec);
    // What the guest was told stands on its disk: without this it would power off at each boot.
    void guest_stays_on(const MachineSpec& spec);
    void ignore_button(const MachineSpec& spec);
    void crash(const MachineInfo& info);
    void break_next_start(MachineSpec& spec);
    // The disk is larger, and its server another one.
    void serve_more(const MachineSpec& spec, std::uint64_t size_bytes);
    // Ends the server of the machine's disk.
    void stop_serving(const std::string& id);

    TemporaryDirectory directory;
    QemuOptions options;
    EventLog events;

  private:
    // `image` is what qemu-nbd takes for the disk at a path.
    using Image = std::vector<std::string> (*)(const std::string& path);
    void serve(const std::string& id, Image image);
    void serve_disk(const std::string& id, Image image);
    std::string disk_of(const MachineSpec& spec) const;
    // The newest record of every machine, so that none outlives the test.
    std::vector<MachineSpec> specs_;
    std::map<std::string, pid_t> servers_;  // qemu-nbd, by machine
};

}  // namespace kiln::compute::testing
