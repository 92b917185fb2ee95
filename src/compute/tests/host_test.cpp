// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/host.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compute/console.h"
#include "compute/doctor.h"
#include "compute/tests/worlds.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

TEST_CASE("KVM is taken only when its device opens and the processor can virtualize") {
    const auto choice = [](Accelerator wanted, bool opens, bool virtualization) {
        return choose_accelerator(wanted, {opens, virtualization}).accelerator;
    };
    CHECK(choice(Accelerator::automatic, true, true) == Accelerator::kvm);
    CHECK(choice(Accelerator::automatic, true, false) == Accelerator::tcg);
    CHECK(choice(Accelerator::automatic, false, true) == Accelerator::tcg);
    CHECK(choice(Accelerator::tcg, true, true) == Accelerator::tcg);
    CHECK(choice(Accelerator::kvm, false, false) == Accelerator::kvm);
    CHECK(choose_accelerator(Accelerator::automatic, {true, false}).reason.find("vmx") !=
          std::string::npos);
}

TEST_CASE("the host report names QEMU, its version and the firmware") {
    const HostReport report = inspect_host({});
    REQUIRE(report.qemu_path);
    REQUIRE(report.qemu_version);
    CHECK(std::count(report.qemu_version->begin(), report.qemu_version->end(), '.') == 2);
    CHECK(report.ovmf_code);
    CHECK(report.ovmf_vars);
    CHECK(report.accelerator.accelerator != Accelerator::automatic);
    CHECK_FALSE(report.accelerator.reason.empty());
    CHECK_FALSE(report.users_reason.empty());
}

TEST_CASE("what is missing on the host is an error that says so") {
    QemuOptions options;
    options.binary = "/no/such/qemu";
    CHECK_FALSE(inspect_host(options).qemu_path);
    EventLog events;
    const auto hypervisor = make_qemu_hypervisor(options, events);
    REQUIRE_FALSE(hypervisor);
    CHECK(hypervisor.error().message().find("/no/such/qemu") != std::string::npos);
    CHECK(qemu_version("/bin/true").error().code() == Code::unsupported);
    CHECK(find_ovmf("/no/code", "/no/vars").error().code() == Code::not_found);
}

TEST_CASE("CON-1: the console is the last 64 KiB of the serial log") {
    TemporaryDirectory directory;
    const std::string log = directory.path() + "/console.log";
    CHECK(read_console(log)->bytes.empty());
    CHECK(read_console(log)->written.value == 0);
    REQUIRE(write_file_atomic(log, "short\r\n"));
    CHECK(read_console(log)->bytes == "short\r\n");
    CHECK(read_console(log)->written.value > 1'500'000'000'000);
    REQUIRE(write_file_atomic(log, std::string(100'000, 'a') + std::string(65'536, 'b')));
    CHECK(read_console(log)->bytes == std::string(65'536, 'b'));
}

TEST_CASE("a serial log that grows without end keeps its newest part and gives the rest back") {
    TemporaryDirectory directory;
    const std::string log = directory.path() + "/console.log";
    REQUIRE(bound_console_log(log));
    const auto allocated = [&] {
        struct stat info {};
        REQUIRE(::stat(log.c_str(), &info) == 0);
        return static_cast<std::uint64_t>(info.st_blocks) * 512;
    };
    const UniqueFd writer(::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600));
    for (int round = 0; round < 5; ++round) {
        const std::string part(1U << 20, static_cast<char>('a' + round));
        REQUIRE(::write(writer.get(), part.data(), part.size()) == 1 << 20);
        const std::string end = "end of round";
        REQUIRE(::write(writer.get(), end.data(), end.size()) == static_cast<ssize_t>(end.size()));
        REQUIRE(bound_console_log(log));
        CHECK(allocated() <= kConsoleLogBytes);
        const std::string console = read_console(log)->bytes;
        CHECK(console.size() == kConsoleOutputBytes);
        CHECK(console.ends_with(std::string(1, static_cast<char>('a' + round)) + end));
        CHECK(console.find('\0') == std::string::npos);
    }
}
