// SPDX-License-Identifier: Apache-2.0
// What only the QEMU hypervisor promises: isolation of the process, both firmwares, the spare
// control socket, adoption of odd records.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <thread>

#include "compute/console.h"
#include "compute/qemu/process.h"
#include "compute/qemu/qmp_client.h"
#include "compute/qemu/record.h"
#include "compute/qemu/supervisor.h"
#include "compute/qemu/unix_socket.h"
#include "compute/qemu/users.h"
#include "compute/tests/uefi_samples.h"
#include "compute/tests/worlds.h"
#include "compute/uefi/variable_store.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;
using Kind = MachineEvent::Kind;

namespace {

std::string proc_file(int pid, const std::string& name) {
    return *read_file("/proc/" + std::to_string(pid) + "/" + name);
}

// Shuts down our end of the connection to the socket at `path`, as a network fault would.
bool break_connection_to(const std::string& path) {
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
        const int fd = std::stoi(entry.path().filename());
        sockaddr_un peer{};
        socklen_t length = sizeof peer;
        if (::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &length) == 0 &&
            peer.sun_family == AF_UNIX && path == peer.sun_path) {
            return ::shutdown(fd, SHUT_RDWR) == 0;
        }
    }
    return false;
}

// A control connection of the test's own, for events that the hypervisor keeps to itself.
class ControlWatch {
  public:
    explicit ControlWatch(const std::string& path) {
        auto supervisor = Supervisor::create(std::chrono::hours(1), [] {});
        REQUIRE(supervisor);
        supervisor_ = std::move(*supervisor);
        const auto client = QmpClient::connect(path);
        REQUIRE(client);
        REQUIRE(supervisor_->watch((*client)->fd(), [this, c = *client] { return read(*c); }));
        REQUIRE((*client)->handshake(soon()));
    }
    // The next event of this name, skipping others.
    bool wait_for(const std::string& name) {
        return eventually([&] {
            MutexLock lock(mutex_);
            while (!names_.empty()) {
                const bool found = names_.front() == name;
                names_.pop_front();
                if (found) {
                    return true;
                }
            }
            return false;
        });
    }

  private:
    bool read(QmpClient& client) {
        const auto input = client.on_readable();
        MutexLock lock(mutex_);
        for (const auto& event : input.events) {
            names_.push_back(event.name);
        }
        return !input.closed;
    }

    Mutex mutex_;
    std::deque<std::string> names_ GUARDED_BY(mutex_);
    std::unique_ptr<Supervisor> supervisor_;
};

}  // namespace

TEST_CASE("QEMU inherits no descriptor of ours, leads a session and runs sandboxed") {
    QemuWorld world;
    // Left open and inheritable, as a careless library would.
    const std::string secret = world.directory.path() + "/secret";
    const UniqueFd careless(::open(secret.c_str(), O_RDWR | O_CREAT, 0600));
    const auto hypervisor = world.open();
    const auto info = hypervisor->start(world.spec("i-1"), soon());
    REQUIRE(info);
    const std::filesystem::path files = "/proc/" + std::to_string(info->pid) + "/fd";
    for (const auto& entry : std::filesystem::directory_iterator(files)) {
        CHECK(std::filesystem::read_symlink(entry.path()) != secret);
    }
    CHECK(::getsid(info->pid) == info->pid);
    const std::string status = proc_file(info->pid, "status");
    CHECK(status.find("Seccomp:\t2") != std::string::npos);
    CHECK(status.find("NoNewPrivs:\t1") != std::string::npos);
    CHECK(proc_file(info->pid, "limits").find("Max core file size        0") != std::string::npos);
}

TEST_CASE("a disk is not larger for a machine before it is for its server") {
    QemuWorld world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(hypervisor->start(spec, soon()));
    world.wait_booted(spec);
    const auto early = hypervisor->grow_disk(spec.id, spec.disks[0].id, 3U << 20, soon());
    REQUIRE_MESSAGE(early, early.error().to_string());
    CHECK_FALSE(*early);
}

TEST_CASE("as root each machine runs under a user id of its own, otherwise under ours") {
    QemuWorld world;
    const auto hypervisor = world.open();
    const auto info = hypervisor->start(world.spec("i-1"), soon());
    REQUIRE_MESSAGE(info, info.error().to_string());
    const uid_t expected =
        choose_users(true).separate ? instance_uid(MachineId("i-1")) : ::geteuid();
    const std::string line = "Uid:\t" + std::to_string(expected) + "\t" + std::to_string(expected);
    CHECK(proc_file(info->pid, "status").find(line) != std::string::npos);
    CHECK(instance_uid(MachineId("i-1")) != instance_uid(MachineId("i-2")));
}

TEST_CASE("a disk socket that the machine's user cannot reach is a clear error") {
    if (!choose_users(true).separate) {
        MESSAGE("skipped: machines do not get users of their own here");
        return;
    }
    QemuWorld world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(::chmod(world.directory.path().c_str(), 0700) == 0);
    const auto started = hypervisor->start(spec, soon());
    REQUIRE_FALSE(started);
    CHECK(started.error().code() == Code::permission_denied);
    CHECK(started.error().message().find(spec.disks[0].socket) != std::string::npos);
    CHECK(started.error().message().find("searchable") != std::string::npos);
}

TEST_CASE("a failed start carries QEMU's own words") {
    QemuWorld world;
    const auto hypervisor = world.open();
    MachineSpec spec = world.spec("i-1");
    world.break_next_start(spec);
    const auto started = hypervisor->start(spec, soon());
    REQUIRE_FALSE(started);
    CHECK(started.error().message().find("no-such-export") != std::string::npos);
}

TEST_CASE("BM-2: a UEFI machine starts with the variables it is given, which become its own") {
    QemuWorld world;
    const auto hypervisor = world.open();
    MachineSpec spec = world.spec("i-1");
    spec.firmware = Firmware::uefi;
    spec.memory_mib = 256;
    UefiVariable given = sample("KilnTest", "given");
    given.vendor[0] = 1;  // none that the firmware knows
    spec.uefi_variables = {given};
    const auto started = hypervisor->start(spec, soon());
    REQUIRE_MESSAGE(started, started.error().to_string());
    const std::string variables = spec.directory + "/" + kUefiStoreFile;
    // The firmware runs: it makes its variables its own early on.
    const auto own = [&] { return value_of(read_variable_store(as_bytes(*read_file(variables)))); };
    CHECK(eventually([&] { return own().size() > 1; }));
    REQUIRE(hypervisor->kill(spec.id, soon()));
    const UefiVariables kept = own();
    CHECK(std::find(kept.begin(), kept.end(), given) != kept.end());
    const std::string written = *read_file(variables);

    // Not made from the template again.
    spec.generation = 2;
    spec.uefi_variables = {sample("KilnTest", "other")};
    spec.disks[0].nbd_export = "no-such-export";
    CHECK_FALSE(hypervisor->start(spec, soon()));
    CHECK(*read_file(variables) == written);
}

TEST_CASE("BM-2: a machine whose variables have no room does not start, and leaves no store") {
    QemuWorld world;
    const auto hypervisor = world.open();
    MachineSpec spec = world.spec("i-1");
    spec.firmware = Firmware::uefi;
    spec.memory_mib = 256;
    spec.uefi_variables = {sample("KilnTest", std::string(600U << 10, 'x'))};
    const auto started = hypervisor->start(spec, soon());
    REQUIRE_FALSE(started);
    CHECK(started.error().message().find("has room for") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(spec.directory + "/" + kUefiStoreFile));
}

TEST_CASE(
    "a machine with a data disk and a NIC starts, and the NIC's socket takes one peer after "
    "another") {
    QemuWorld world;
    const auto hypervisor = world.open();
    MachineSpec spec = world.spec("i-1");
    const MachineSpec other = world.spec("i-2");
    spec.disks.push_back(other.disks[0]);
    spec.disks[1].id = "vol-0123456789abcdef1";
    spec.disks[1].boot_index.reset();
    spec.nics.push_back({"eni-0", "0e:00:00:00:00:01", world.directory.path() + "/nic.sock"});
    const auto started = hypervisor->start(spec, soon());
    REQUIRE_MESSAGE(started, started.error().to_string());
    world.wait_booted(spec);
    // QEMU tells on its spare control socket whom it serves.
    ControlWatch watch(qmp_spare_path(spec.runtime_directory));
    for (int peer = 0; peer < 2; ++peer) {
        const auto socket = connect_unix(spec.nics[0].socket);
        REQUIRE(socket);
        CHECK(watch.wait_for("NETDEV_STREAM_CONNECTED"));
    }
}

TEST_CASE("D17: adoption uses the spare control socket when somebody holds the first") {
    QemuWorld world;
    const MachineSpec spec = world.spec("i-1");
    {
        const auto hypervisor = world.open();
        REQUIRE(hypervisor->start(spec, soon()));
    }
    const auto holder = connect_unix(qmp_path(spec.runtime_directory));
    REQUIRE(holder);
    char greeting = 0;
    REQUIRE(eventually([&] { return ::recv(holder->get(), &greeting, 1, MSG_DONTWAIT) == 1; }));
    const auto hypervisor = world.open();
    const auto adopted =
        hypervisor->adopt(spec.id, spec.directory, Deadline::after(std::chrono::seconds(2)));
    REQUIRE_MESSAGE(adopted, adopted.error().to_string());
    CHECK(adopted->state == MachineState::running);
}

TEST_CASE("a machine whose control cannot be had is known all the same, so that it can be killed") {
    QemuWorld world;
    const MachineSpec spec = world.spec("i-1");
    {
        const auto hypervisor = world.open();
        REQUIRE(hypervisor->start(spec, soon()));
    }
    REQUIRE(remove_file(qmp_path(spec.runtime_directory)));
    REQUIRE(remove_file(qmp_spare_path(spec.runtime_directory)));
    const auto hypervisor = world.open();
    const auto adopted = hypervisor->adopt(spec.id, spec.directory, soon());
    REQUIRE_FALSE(adopted);
    CHECK(adopted.error().code() == Code::unavailable);
    CHECK(hypervisor->query(spec.id, soon()).error().code() == Code::unavailable);
    CHECK(hypervisor->machines().size() == 1);
    CHECK(hypervisor->kill(spec.id, soon()));
}

TEST_CASE("a lost control connection is told once, and adopt connects again") {
    QemuWorld world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(hypervisor->start(spec, soon()));
    REQUIRE(break_connection_to(qmp_path(spec.runtime_directory)));
    REQUIRE(world.events.wait(Kind::control_lost));
    CHECK(hypervisor->query(spec.id, soon()).error().code() == Code::unavailable);
    const auto adopted = hypervisor->adopt(spec.id, spec.directory, soon());
    REQUIRE_MESSAGE(adopted, adopted.error().to_string());
    CHECK(adopted->state == MachineState::running);
    CHECK(hypervisor->reset(spec.id, soon()));
    CHECK(world.events.wait(Kind::reset));
    CHECK(world.events.count(Kind::control_lost) == 1);
}

TEST_CASE("D18: a record whose process never executed QEMU leads to its end, not to a machine") {
    QemuWorld world;
    const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
    SpawnRequest request;
    request.program = "/bin/sleep";
    request.args = {"sleep", "1000"};
    request.log = null.get();
    auto process = HeldProcess::spawn(request);
    REQUIRE(process);
    REQUIRE(process->release(soon()));
    RuntimeRecord record;
    record.id = MachineId("i-1");
    record.process = process->identity();
    record.argv_hash = 1;
    record.runtime_directory = world.directory.path();
    REQUIRE(write_record(world.directory.path(), record));

    const auto hypervisor = world.open();
    const auto adopted = hypervisor->adopt(record.id, world.directory.path(), soon());
    REQUIRE_MESSAGE(adopted, adopted.error().to_string());
    CHECK(adopted->state == MachineState::gone);
    CHECK_FALSE(*open_process(record.process));
}

TEST_CASE("D18: a record of another boot, another start time or another machine adopts nothing") {
    QemuWorld world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    const auto info = hypervisor->start(spec, soon());
    REQUIRE(info);
    const std::string elsewhere = world.directory.path();
    RuntimeRecord record = **read_record(spec.directory);
    record.id = MachineId("i-other");
    REQUIRE(write_record(elsewhere, record));
    CHECK(hypervisor->adopt(MachineId("i-2"), elsewhere, soon()).error().code() == Code::data_loss);
    record.process.start_time += 1;
    REQUIRE(write_record(elsewhere, record));
    CHECK(hypervisor->adopt(record.id, elsewhere, soon())->state == MachineState::gone);
    record.process.start_time -= 1;
    record.process.boot_id = "another";
    REQUIRE(write_record(elsewhere, record));
    CHECK(hypervisor->adopt(record.id, elsewhere, soon())->state == MachineState::gone);
    // The real one was not harmed.
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::running);
}

TEST_CASE("D17: with its disk's server stopped a machine still answers query and dies by kill") {
    QemuWorld world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    REQUIRE(hypervisor->start(spec, soon()));
    world.wait_booted(spec);
    world.stop_serving("i-1");
    CHECK(hypervisor->query(spec.id, soon())->state == MachineState::running);
    CHECK(world.events.count(Kind::io_error) == 0);
    CHECK(hypervisor->kill(spec.id, Deadline::after(std::chrono::seconds(5))));
}

TEST_CASE("starts of one machine from two threads make one process") {
    QemuWorld world;
    const auto hypervisor = world.open();
    const MachineSpec spec = world.spec("i-1");
    std::vector<Result<MachineInfo>> results(2, Result<MachineInfo>(MachineInfo{}));
    {
        std::vector<std::jthread> threads;
        for (auto& result : results) {
            threads.emplace_back([&] { result = hypervisor->start(spec, soon()); });
        }
    }
    REQUIRE((results[0] || results[1]));
    for (const auto& result : results) {
        // The slower one was refused, or came late enough to find the machine running.
        CHECK((result ? result->pid == hypervisor->query(spec.id, soon())->pid
                      : result.error().code() == Code::failed_precondition));
    }
    CHECK(hypervisor->machines().size() == 1);
}
