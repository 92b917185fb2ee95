// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "compute/qemu/record.h"
#include "compute/qemu/users.h"
#include "compute/tests/worlds.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

namespace {

struct Shell {
    explicit Shell(const std::string& script) {
        log.reset(::open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
        request.program = "/bin/sh";
        request.args = {"sh", "-c", script};
        request.log = log.get();
    }
    // Runs to the end; what it printed.
    std::string run() {
        auto process = HeldProcess::spawn(request);
        REQUIRE(process);
        REQUIRE(process->release(soon()));
        const UniqueFd pidfd = process->take_pidfd();
        REQUIRE(wait_for_exit(pidfd, soon()));
        status = reap(pidfd);
        return *read_file(log_path);
    }

    TemporaryDirectory directory;
    std::string log_path = directory.path() + "/log";
    UniqueFd log;
    SpawnRequest request;
    std::optional<int> status;
};

}  // namespace

TEST_CASE("a process runs only after release, and its status is known") {
    Shell shell("echo ran; exit 3");
    auto process = HeldProcess::spawn(shell.request);
    REQUIRE(process);
    CHECK(read_file(shell.log_path)->empty());
    CHECK(*open_process(process->identity()));
    REQUIRE(process->release(soon()));
    const UniqueFd pidfd = process->take_pidfd();
    REQUIRE(wait_for_exit(pidfd, soon()));
    CHECK_FALSE(*open_process(process->identity()));
    CHECK(*read_file(shell.log_path) == "ran\n");
}

TEST_CASE("a process that is never released executes nothing and ends") {
    Shell shell("echo ran");
    ProcessIdentity identity;
    {
        const auto process = HeldProcess::spawn(shell.request);
        REQUIRE(process);
        identity = process->identity();
    }
    CHECK_FALSE(*open_process(identity));
    CHECK(*read_file(shell.log_path) == "");
}

TEST_CASE("descriptors arrive in order, and no others") {
    TemporaryDirectory directory;
    std::vector<UniqueFd> files;
    Shell shell("for fd in 3 4 5; do cat <&$fd; done; ls /proc/self/fd | wc -l");
    for (const char* name : {"a", "b"}) {
        const std::string path = directory.path() + "/" + name;
        REQUIRE(write_file_atomic(path, name));
        files.emplace_back(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
        shell.request.descriptors.push_back(files.back().get());
    }
    const UniqueFd careless(::open("/dev/null", O_RDONLY));
    shell.run();
    const std::string output = *read_file(shell.log_path);
    CHECK(output.starts_with("ab"));
    CHECK(output.find("5: Bad file descriptor") != std::string::npos);
    // 0, 1, 2, the two given, and the one ls reads the directory with.
    CHECK(output.ends_with("\n6\n"));
}

TEST_CASE("blocked and ignored signals are not inherited") {
    sigset_t term;
    ::sigemptyset(&term);
    ::sigaddset(&term, SIGTERM);
    REQUIRE(::pthread_sigmask(SIG_BLOCK, &term, nullptr) == 0);
    const auto before = ::signal(SIGPIPE, SIG_IGN);
    // Signals 32 and 33 are the C library's own: nobody can set them, so what the parent had stays;
    // the digits with them are masked.
    Shell shell(
        "grep -E '^Sig(Blk|Ign)' /proc/self/status | sed -E 's/[0-9a-f]{2}([0-9a-f]{7})$/00\\1/'");
    const std::string output = shell.run();
    ::signal(SIGPIPE, before);
    ::pthread_sigmask(SIG_UNBLOCK, &term, nullptr);
    CHECK(output == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("what cannot be executed or reached is an error that names it") {
    Shell shell("true");
    shell.request.must_reach = {shell.directory.path(), shell.directory.path() + "/absent"};
    auto process = HeldProcess::spawn(shell.request);
    REQUIRE(process);
    auto released = process->release(soon());
    REQUIRE_FALSE(released);
    CHECK(released.error().code() == Code::not_found);
    CHECK(released.error().message().find("/absent") != std::string::npos);
    reap(process->take_pidfd());

    shell.request.must_reach.clear();
    shell.request.program = "/no/such/program";
    auto second = HeldProcess::spawn(shell.request);
    released = second->release(soon());
    REQUIRE_FALSE(released);
    CHECK(released.error().code() == Code::not_found);
    CHECK(released.error().message().find("execute") != std::string::npos);
    reap(second->take_pidfd());
}

TEST_CASE("a killed process tells 128 and the signal; only the same process is found again") {
    Shell shell("sleep 1000");
    shell.request.program = "/bin/sleep";
    shell.request.args = {"sleep", "1000"};
    auto process = HeldProcess::spawn(shell.request);
    REQUIRE(process);
    REQUIRE(process->release(soon()));
    const UniqueFd pidfd = process->take_pidfd();
    CHECK(hash_argv_text(*command_line(process->identity().pid)) == hash_argv({"sleep", "1000"}));
    ProcessIdentity other = process->identity();
    other.start_time += 1;
    CHECK_FALSE(*open_process(other));
    other = process->identity();
    other.boot_id = "other";
    CHECK_FALSE(*open_process(other));
    CHECK(*open_process(process->identity()));
    REQUIRE(signal_process(pidfd, SIGKILL));
    REQUIRE(wait_for_exit(pidfd, soon()));
    CHECK(reap(pidfd) == 128 + SIGKILL);
    CHECK_FALSE(reap(pidfd));
}

TEST_CASE("a runtime record comes back as it was written") {
    RuntimeRecord record;
    record.id = MachineId("i-0123456789abcdef0");
    record.generation = 3;
    record.process = {1234, 567890, "6b1c5a9e-0000-4000-8000-000000000000"};
    record.argv_hash = 0xdeadbeef;
    record.accelerator = Accelerator::kvm;
    record.user = instance_uid(record.id);
    record.runtime_directory = "/run/kiln/\"quoted\"";
    record.serial_log = "/var/lib/kiln/console.log";
    record.disk_sockets = {{"vol-a", "/run/kiln/a"}, {"vol-b", "/run/kiln/b"}};
    const auto read = decode_record(encode_record(record));
    REQUIRE(read);
    CHECK(encode_record(*read) == encode_record(record));
    CHECK(read->user == record.user);
    CHECK(read->disk_sockets == record.disk_sockets);
}

TEST_CASE("a damaged runtime record is data loss, an absent one is none") {
    TemporaryDirectory directory;
    CHECK_FALSE(*read_record(directory.path()));
    RuntimeRecord record;
    record.process.pid = 1234;
    const std::string good = encode_record(record);
    REQUIRE(decode_record(good));
    const auto damaged = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        const auto at = text.find(from);
        REQUIRE(at != std::string::npos);
        text.replace(at, from.size(), to);
        REQUIRE(write_file_atomic(directory.path() + "/machine.json", text));
        const auto read = read_record(directory.path());
        return !read && read.error().code() == Code::data_loss;
    };
    CHECK(damaged("\"version\": 2", "\"version\": 1"));
    CHECK(damaged("1234", "1"));
    CHECK(damaged("1234", "-1"));
    CHECK(damaged("1234", "4294967298"));
    CHECK(damaged("1234", "\"1234\""));
    CHECK(damaged("boot_id", "boot"));
    CHECK(damaged("{", "["));
    CHECK(damaged("\"disk_sockets\": {}", "\"disk_sockets\": {\"vol-a\": 1}"));
}

TEST_CASE("user ids of machines lie in their range, and the range must be mapped") {
    for (int i = 0; i < 1000; ++i) {
        const uid_t user = instance_uid(MachineId("i-" + std::to_string(i)));
        CHECK(user >= kFirstInstanceUid);
        CHECK(user - kFirstInstanceUid < kInstanceUidCount);
    }
    CHECK(maps_instance_uids("         0          0 4294967295\n"));
    CHECK_FALSE(maps_instance_uids("         0     100000      65536\n"));
    CHECK_FALSE(maps_instance_uids(""));
    CHECK_FALSE(maps_instance_uids("0 0 1880000001\n"));
}
