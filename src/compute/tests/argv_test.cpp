// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/argv.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "compute/check_spec.h"
#include "compute/tests/worlds.h"
#include "util/tests/golden.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

namespace {

const ArgvFacts kFacts{"/usr/bin/qemu-system-x86_64", Accelerator::tcg,
                       "/usr/share/OVMF/OVMF_CODE_4M.fd"};

MachineSpec spec_at(const std::string& directory) {
    MachineSpec spec = plain_spec(directory, "i-0123456789abcdef0", 1);
    spec.memory_mib = 1024;
    return spec;
}

// One argument a line; options with their value.
std::string printed(const std::vector<std::string>& args) {
    std::string text;
    for (std::size_t i = 0; i < args.size(); ++i) {
        const bool has_value =
            i > 0 && args[i][0] == '-' && i + 1 < args.size() && args[i + 1][0] != '-';
        text += args[i] + (has_value ? " " + args[i + 1] : "") + "\n";
        i += has_value ? 1 : 0;
    }
    return text;
}

void compare_with_golden(const MachineSpec& spec, const ArgvFacts& facts, const std::string& name) {
    const auto args = build_argv(spec, facts);
    REQUIRE_MESSAGE(args, args.error().to_string());
    kiln::testing::check_golden(std::string(KILN_COMPUTE_GOLDEN) + "/" + name, printed(*args));
}

}  // namespace

TEST_CASE("the command line of a small BIOS machine is the golden one") {
    compare_with_golden(spec_at("/run/kiln/0"), kFacts, "bios.args");
}

TEST_CASE(
    "the command line of a UEFI machine with data disks and a NIC under KVM is the golden one") {
    MachineSpec spec = spec_at("/run/kiln/0");
    spec.firmware = Firmware::uefi;
    spec.vcpus = 4;
    spec.memory_mib = 16384;
    for (int i = 1; i <= 2; ++i) {
        DiskSpec data = spec.disks[0];
        data.id = "vol-0123456789abcdef" + std::to_string(i);
        data.serial = "vol0123456789abcdef" + std::to_string(i);
        data.socket = "/run/kiln/0/" + data.id;
        data.boot_index.reset();
        spec.disks.push_back(data);
    }
    spec.nics.push_back({"eni-0123456789abcdef0", "0e:12:34:56:78:9a", "/run/kiln/0/nic.sock"});
    ArgvFacts facts = kFacts;
    facts.accelerator = Accelerator::kvm;
    compare_with_golden(spec, facts, "uefi-kvm.args");
}

TEST_CASE("the command line of a machine with vhost-user disks is the golden one") {
    MachineSpec spec = spec_at("/run/kiln,0");
    DiskSpec data = spec.disks[0];
    data.id = "vol-0123456789abcdef1";
    data.serial = "vol0123456789abcdef1";
    data.boot_index.reset();
    spec.disks.push_back(data);
    for (DiskSpec& disk : spec.disks) {
        disk.transport = DiskTransport::vhost_user;
    }
    compare_with_golden(spec, kFacts, "vhost-user.args");
}

TEST_CASE("IST-3: the command line of a machine with a file for a disk is the golden one") {
    MachineSpec spec = spec_at("/run/kiln/0");
    DiskSpec file;
    file.transport = DiskTransport::file;
    file.id = file.serial = "ephemeral0";
    file.file = "/var/lib/kiln/instances/i-0123456789abcdef0/ephemeral0.raw";
    spec.disks.push_back(file);
    compare_with_golden(spec, kFacts, "file.args");
    const auto slots = child_files(spec);
    CHECK(slots.back().file == ChildFile::disk);
    CHECK(slots.back().disk == 1);
    spec.disks[1].file = "ephemeral0.raw";
    CHECK_FALSE(check_spec(spec));
    spec.disks[1].file = file.file;
    spec.disks[1].boot_index = 1;
    CHECK_FALSE(check_spec(spec));
}

TEST_CASE("commas in paths and names are doubled, so that no option can be smuggled in") {
    MachineSpec spec = spec_at("/run/kiln,x=y");
    spec.product = "t3,micro";
    const auto args = build_argv(spec, kFacts);
    REQUIRE(args);
    const std::string text = printed(*args);
    CHECK(text.find("server.path=/run/kiln,,x=y/i-0123456789abcdef0.nbd,export=") !=
          std::string::npos);
    CHECK(text.find("product=t3,,micro,uuid=") != std::string::npos);
}

TEST_CASE("every data disk has a port of its own and eight ports stay spare") {
    for (const std::size_t data_disks : {std::size_t{0}, std::size_t{9}, kMaxDisks - 1}) {
        MachineSpec spec = spec_at("/run/kiln/0");
        for (std::size_t i = 0; i < data_disks; ++i) {
            DiskSpec data = spec.disks[0];
            data.id = "vol-" + std::to_string(i);
            data.boot_index.reset();
            spec.disks.push_back(data);
        }
        const auto args = build_argv(spec, kFacts);
        REQUIRE(args);
        const auto count = [&](std::string_view part) {
            return static_cast<std::size_t>(std::count_if(
                args->begin(), args->end(),
                [part](const std::string& arg) { return arg.find(part) != std::string::npos; }));
        };
        CHECK(count("pcie-root-port,") == data_disks + kSparePorts);
        CHECK(count("bus=port") == data_disks);
    }
}

TEST_CASE("what no machine can be made from is refused") {
    const MachineSpec good = spec_at("/run/kiln/0");
    REQUIRE(check_spec(good));
    const auto refused = [&](auto change) {
        MachineSpec spec = good;
        change(spec);
        const auto checked = check_spec(spec);
        return !checked && checked.error().code() == Code::invalid_argument;
    };
    CHECK(refused([](auto& s) { s.id = MachineId(""); }));
    CHECK(refused([](auto& s) { s.id = MachineId("i-1,debug-threads=on"); }));
    CHECK(refused([](auto& s) { s.id = MachineId("-S"); }));
    CHECK(refused([](auto& s) { s.vcpus = 0; }));
    CHECK(refused([](auto& s) { s.vcpus = 256; }));
    CHECK(refused([](auto& s) { s.memory_mib = 0; }));
    CHECK(refused([](auto& s) { s.memory_mib = ~0ULL; }));
    CHECK(refused([](auto& s) {
        s.firmware = Firmware::uefi;
        s.memory_mib = 128;
    }));
    CHECK(refused([](auto& s) { s.uuid = "EC2F0000-0000-4000-8000-000000000001"; }));
    CHECK(refused([](auto& s) { s.uuid += "0"; }));
    CHECK(refused([](auto& s) { s.product = "t3\nmicro"; }));
    CHECK(refused([](auto& s) { s.disks.clear(); }));
    CHECK(refused([](auto& s) { s.disks.push_back(s.disks[0]); }));
    CHECK(refused([](auto& s) { s.disks[0].boot_index.reset(); }));
    CHECK(refused([](auto& s) { s.disks[0].id = "vol,x"; }));
    CHECK(refused([](auto& s) { s.disks[0].id = std::string(27, 'v'); }));
    CHECK(refused([](auto& s) { s.disks[0].serial = std::string(21, 'v'); }));
    CHECK(refused([](auto& s) { s.disks[0].socket = "relative.sock"; }));
    CHECK(refused([](auto& s) { s.disks[0].socket = "/" + std::string(107, 'x'); }));
    CHECK(refused([](auto& s) { s.nics = {{"eni-1", "0E:00:00:00:00:01", "/x"}}; }));
    CHECK(refused([](auto& s) { s.nics = {{"eni-1", "0e:00:00:00:00:01,x", "/x"}}; }));
    CHECK(refused([](auto& s) { s.directory.clear(); }));
}

TEST_CASE("UEFI without its firmware says what to install") {
    MachineSpec spec = spec_at("/run/kiln/0");
    spec.firmware = Firmware::uefi;
    const auto args = build_argv(spec, {"qemu", Accelerator::tcg, ""});
    REQUIRE_FALSE(args);
    CHECK(args.error().code() == Code::unsupported);
    CHECK(args.error().message().find("ovmf") != std::string::npos);
}
