// SPDX-License-Identifier: Apache-2.0
#include "compute/tests/worlds.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

#include "compute/console.h"
#include "compute/qemu/record.h"
#include "compute/qemu/unix_socket.h"
#include "compute/tests/boot_sector.h"
#include "util/fs.h"

namespace kiln::compute::testing {
namespace {

pid_t spawn(std::vector<std::string> args) {
    std::vector<char*> pointers;
    for (auto& arg : args) {
        pointers.push_back(arg.data());
    }
    pointers.push_back(nullptr);
    pid_t pid = 0;
    REQUIRE_MESSAGE(
        ::posix_spawnp(&pid, pointers[0], nullptr, nullptr, pointers.data(), environ) == 0,
        args[0]);
    return pid;
}

void end(pid_t pid) {
    ::kill(pid, SIGKILL);
    ::waitpid(pid, nullptr, 0);
}

std::vector<std::string> plain_image(const std::string& path) {
    return {"--format=raw", path};
}

std::vector<std::string> full_once_image(const std::string& path) {
    return {"--image-opts",
            "driver=raw,file.driver=blkdebug,file.inject-error.0.event=write_aio,"
            "file.inject-error.0.errno=28,file.inject-error.0.once=on,file.image.driver=file,"
            "file.image.filename=" +
                path};
}

std::size_t occurrences(std::string_view text, std::string_view part) {
    std::size_t count = 0;
    for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + 1)) {
        ++count;
    }
    return count;
}

}  // namespace

void EventLog::on_event(const MachineId& id, std::uint64_t generation, const MachineEvent& event) {
    MutexLock lock(mutex_);
    entries_.push_back({id, generation, event});
    changed_.notify_all();
}

std::optional<EventLog::Entry> EventLog::wait(MachineEvent::Kind kind, Deadline deadline) {
    MutexLock lock(mutex_);
    while (true) {
        while (read_ < entries_.size()) {
            const Entry& entry = entries_[read_++];
            if (entry.event.kind == kind) {
                return entry;
            }
        }
        if (!changed_.wait_until(lock, deadline.at()) && deadline.passed()) {
            return std::nullopt;
        }
    }
}

std::size_t EventLog::count(MachineEvent::Kind kind) {
    MutexLock lock(mutex_);
    return static_cast<std::size_t>(
        std::count_if(entries_.begin(), entries_.end(),
                      [kind](const Entry& entry) { return entry.event.kind == kind; }));
}

TemporaryDirectory::TemporaryDirectory() {
    path_ = std::filesystem::temp_directory_path() / "kiln-compute-XXXXXX";
    REQUIRE(::mkdtemp(path_.data()) != nullptr);
    REQUIRE(::chmod(path_.c_str(), 0711) == 0);
}

TemporaryDirectory::~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
}

bool eventually(const std::function<bool()>& condition, Deadline deadline) {
    while (!condition()) {
        if (deadline.passed()) {
            return false;
        }
        ::poll(nullptr, 0, 5);
    }
    return true;
}

MachineSpec plain_spec(const std::string& directory, const std::string& id,
                       std::uint64_t generation) {
    MachineSpec spec;
    spec.id = MachineId(id);
    spec.generation = generation;
    spec.memory_mib = 32;
    spec.uuid = "ec2f0000-0000-4000-8000-000000000001";
    spec.product = "t3.micro";
    spec.directory = directory + "/" + id;
    spec.runtime_directory = directory + "/run-" + id;
    spec.serial_log = spec.directory + "/console.log";
    DiskSpec root;
    root.id = "vol-0123456789abcdef0";
    root.serial = "vol0123456789abcdef0";
    root.socket = directory + "/" + id + ".nbd";
    root.nbd_export = root.id;
    root.boot_index = 0;
    root.device_name = "/dev/xvda";
    spec.disks.push_back(root);
    return spec;
}

// ---- fake
// -----------------------------------------------------------------------------------------------------------

MachineSpec FakeWorld::spec(const std::string& id, std::uint64_t generation) {
    return plain_spec(directory.path(), id, generation);
}
void FakeWorld::guest_needs_space(const MachineSpec& spec) {
    REQUIRE(host.disk_refuses(spec.id, spec.disks[0].id));
}
void FakeWorld::guest_power_off(const MachineSpec& spec) {
    REQUIRE(host.guest_shutdown(spec.id));
}
void FakeWorld::guest_reset(const MachineSpec& spec) {
    REQUIRE(host.guest_reset(spec.id));
}
void FakeWorld::ignore_button(const MachineSpec&) {
    host.obey_power_button(false);
}
void FakeWorld::crash(const MachineInfo& info) {
    REQUIRE(host.crash(info.id));
}
void FakeWorld::break_next_start(MachineSpec&) {
    host.fail_next_start(Error(Code::unavailable, "scripted"));
}

// ---- QEMU
// -----------------------------------------------------------------------------------------------------------

QemuWorld::~QemuWorld() {
    for (const auto& spec : specs_) {
        const auto record = read_record(spec.directory);
        if (!record || !*record) {
            continue;
        }
        const auto process = open_process((*record)->process);
        if (process && *process) {
            (void)signal_process(**process, SIGKILL);
            (void)wait_for_exit(**process, soon());
            reap(**process);
        }
    }
    for (const auto& [id, pid] : servers_) {
        end(pid);
    }
}

void QemuWorld::stop_serving(const std::string& id) {
    end(servers_.at(id));
    servers_.erase(id);
}

std::unique_ptr<Hypervisor> QemuWorld::open() {
    auto hypervisor = make_qemu_hypervisor(options, events);
    REQUIRE_MESSAGE(hypervisor, hypervisor.error().to_string());
    return std::move(*hypervisor);
}

MachineSpec QemuWorld::spec(const std::string& id, std::uint64_t generation) {
    if (servers_.count(id) == 0) {
        serve(id, plain_image);
    }
    specs_.push_back(plain_spec(directory.path(), id, generation));
    return specs_.back();
}

MachineSpec QemuWorld::spec_on_full_store(const std::string& id) {
    serve(id, full_once_image);
    return spec(id);
}

void QemuWorld::serve(const std::string& id, Image image) {
    write_boot_disk(directory.path() + "/" + id + ".img");
    serve_disk(id, image);
}

void QemuWorld::serve_more(const MachineSpec& spec, std::uint64_t size_bytes) {
    const std::string id = spec.id.str();
    stop_serving(id);
    std::filesystem::resize_file(disk_of(spec), size_bytes);
    serve_disk(id, plain_image);
    // A new socket, where a service's own goes on listening; the machine may have a user of its
    // own.
    REQUIRE(::chmod(spec.disks[0].socket.c_str(), 0666) == 0);
}

void QemuWorld::serve_disk(const std::string& id, Image image) {
    const std::string base = directory.path() + "/" + id;
    const MachineSpec spec = plain_spec(directory.path(), id, 1);
    const std::string& socket = spec.disks[0].socket;
    std::vector<std::string> args = {"qemu-nbd", "--persistent", "--shared=8",
                                     "--export-name=" + spec.disks[0].nbd_export,
                                     "--socket=" + socket};
    for (std::string& arg : image(base + ".img")) {
        args.push_back(std::move(arg));
    }
    servers_[id] = spawn(std::move(args));
    REQUIRE(eventually([&] { return connect_unix(socket).has_value(); }));
    REQUIRE(::chmod(socket.c_str(), 0600) == 0);
}

std::string QemuWorld::disk_of(const MachineSpec& spec) const {
    return directory.path() + "/" + spec.id.str() + ".img";
}

void QemuWorld::wait_booted(const MachineSpec& spec, unsigned times) {
    const bool booted = eventually([&] {
        const auto console = read_console(spec.serial_log);
        return console && occurrences(console->bytes, kSaysUp) >= times;
    });
    REQUIRE_MESSAGE(booted, "the guest did not boot");
}

void QemuWorld::guest_power_off(const MachineSpec& spec) {
    command_guest(disk_of(spec), 'S', 0);
}
void QemuWorld::guest_reset(const MachineSpec& spec) {
    command_guest(disk_of(spec), 'R', 0);
}
void QemuWorld::guest_stays_on(const MachineSpec& spec) {
    command_guest(disk_of(spec), 0, 0);
}
void QemuWorld::ignore_button(const MachineSpec& spec) {
    command_guest(disk_of(spec), 0, 'I');
}
void QemuWorld::crash(const MachineInfo& info) {
    REQUIRE(::kill(info.pid, SIGSEGV) == 0);
}
void QemuWorld::break_next_start(MachineSpec& spec) {
    spec.disks[0].nbd_export = "no-such-export";
}

}  // namespace kiln::compute::testing
