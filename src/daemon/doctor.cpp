// SPDX-License-Identifier: Apache-2.0
#include "daemon/doctor.h"

#include <fmt/format.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "cli/client.h"
#include "compute/doctor.h"
#include "compute/host_memory.h"
#include "compute/network/driver.h"
#include "control/capacity.h"
#include "util/fs.h"
#include "util/strings.h"

namespace kiln::daemon {
namespace {

using Level = Finding::Level;

constexpr std::uint64_t kMiB = 1U << 20;
// Less does not hold a Debian guest and the service.
constexpr std::uint64_t kLittleMemoryMib = 1024;
constexpr std::uint64_t kLittleSpaceMib = 4096;

bool in_path(const std::string& program) {
    const char* path = std::getenv("PATH");
    for (const std::string_view folder : split(path != nullptr ? path : "", ':')) {
        if (::access((std::string(folder) + "/" + program).c_str(), X_OK) == 0) {
            return true;
        }
    }
    return false;
}

Finding qemu(const compute::HostReport& host) {
    if (!host.qemu_path) {
        return {Level::missing, "QEMU", "not found", "", {"qemu-system-x86"}};
    }
    return {Level::good,
            "QEMU",
            fmt::format("{} at {}", host.qemu_version.value_or("unknown version"), *host.qemu_path),
            "",
            {}};
}

Finding accelerator(const compute::HostReport& host) {
    if (host.accelerator.accelerator == compute::Accelerator::kvm) {
        return {Level::good, "accelerator", "KVM: " + host.accelerator.reason, "", {}};
    }
    return {
        Level::limited,
        "accelerator",
        "QEMU's emulation (TCG): " + host.accelerator.reason,
        "guests run, ten to thirty times slower than with KVM; for KVM, use a processor with vmx "
        "or svm and a user that may open /dev/kvm",
        {}};
}

Finding firmware(const compute::HostReport& host) {
    if (!host.ovmf_code) {
        return {Level::limited,
                "UEFI firmware",
                "not found: images that boot by UEFI do not start",
                "",
                {"ovmf"}};
    }
    return {Level::good, "UEFI firmware", *host.ovmf_code, "", {}};
}

Finding users(const compute::HostReport& host) {
    return {host.separate_users ? Level::good : Level::limited,
            "users of guests",
            (host.separate_users ? "one for each: " : "all as this one: ") + host.users_reason,
            host.separate_users ? "" : "run the service as root to keep guests apart by user ids",
            {}};
}

Finding memory() {
    const auto memory = compute::read_host_memory();
    const std::uint64_t mib = memory ? memory->available_mib : 0;
    const std::string limit =
        memory && memory->group_limit_mib
            ? fmt::format(" below the control group's limit of {} MiB", *memory->group_limit_mib)
            : "";
    return {mib < kLittleMemoryMib ? Level::limited : Level::good,
            "memory",
            fmt::format("{} MiB available{}: {} t3.micro", mib, limit,
                        (mib - std::min(mib, control::kHostKeepsMib)) / 1024),
            mib < kLittleMemoryMib
                ? "launches that do not fit are refused; kiln serve --guest-memory-cap 192 gives "
                  "guests less"
                : "",
            {}};
}

Finding space(const std::string& data_directory) {
    std::string place = data_directory;
    struct statvfs info {};
    while (::statvfs(place.c_str(), &info) != 0 && place.size() > 1) {
        place = std::filesystem::path(place).parent_path();
    }
    const std::uint64_t mib = info.f_bavail * static_cast<std::uint64_t>(info.f_frsize) / kMiB;
    return {mib < kLittleSpaceMib ? Level::limited : Level::good,
            "disk space",
            fmt::format("{} MiB free for {}", mib, data_directory),
            mib < kLittleSpaceMib ? "kiln serve --data DIR puts it elsewhere" : "",
            {}};
}

// D20: what `--network-driver auto` does here, and how to get the other one.
Finding network_driver() {
    const compute::DriverFacts facts = compute::driver_facts(/*has_pool=*/true);
    compute::DriverFacts without_pool = facts;
    without_pool.has_pool = false;
    const auto chosen = compute::choose_driver(compute::DriverWish::automatic, without_pool);
    const bool low_ports = facts.low_ports_refused.empty();
    const std::string tun =
        facts.tun_refused.empty()
            ? fmt::format(
                  "kiln serve {}--public-pool 203.0.113.0/24 (addresses of yours) takes the "
                  "driver tun: every port is reached as itself",
                  low_ports ? "--network-driver tun " : "")
            : "for the driver tun, by which every port is reached as itself: " + facts.tun_refused;
    return {low_ports ? Level::good : Level::limited,
            "network driver",
            chosen ? "user: " + chosen->reason : chosen.error().message(),
            low_ports ? tun : "kiln inspect i-... tells the port, kiln ssh i-... finds it; " + tun,
            {}};
}

Finding program(const std::string& name, const std::string& package, const std::string& use) {
    if (in_path(name)) {
        return {Level::good, name, use, "", {}};
    }
    return {Level::limited, name, "not found: " + use + " does not work", "", {package}};
}

Finding service(const std::string& data_directory) {
    const auto endpoint = read_file(data_directory + "/endpoint");
    if (!endpoint) {
        return {Level::good,
                "service",
                "none runs on " + data_directory,
                "start it: kiln serve --data " + data_directory,
                {}};
    }
    cli::ClientChoices choices;
    choices.data_directory = data_directory;
    auto client = cli::Client::create(choices);
    const std::string url(trim(*endpoint));
    const auto answer = client ? (*client)->call("GET", "/kiln/v1/operations")
                               : Result<std::string>(client.error());
    if (!answer) {
        return {Level::limited,
                "service",
                url + " does not answer: " + answer.error().message(),
                "start it: kiln serve --data " + data_directory,
                {}};
    }
    return {Level::good, "service", "answers at " + url, "", {}};
}

std::string_view mark(Level level) {
    switch (level) {
        case Level::good:
            return "ok      ";
        case Level::limited:
            return "limited ";
        case Level::missing:
            return "MISSING ";
    }
    return "";
}

}  // namespace

std::vector<Finding> examine_host(const std::string& data_directory) {
    const compute::HostReport host = compute::inspect_host({});
    return {qemu(host),
            accelerator(host),
            firmware(host),
            users(host),
            memory(),
            space(data_directory),
            network_driver(),
            program("qemu-nbd", "qemu-utils", "import and export of qcow2, VMDK, VHD and VHDX"),
            program("bwrap", "bubblewrap", "the sandbox for them"),
            program("ssh", "openssh-client", "kiln ssh"),
            service(data_directory)};
}

int run_doctor(const std::string& data_directory) {
    const std::string data =
        data_directory.empty() ? cli::default_data_directory() : data_directory;
    bool can_run = true;
    std::string packages;
    for (const Finding& finding : examine_host(data)) {
        fmt::print("{}{:<24}{}\n", mark(finding.level), finding.what, finding.found);
        if (!finding.mend.empty()) {
            fmt::print("{:32}{}\n", "", finding.mend);
        }
        for (const std::string& package : finding.packages) {
            packages += " " + package;
        }
        can_run = can_run && finding.level != Level::missing;
    }
    if (!packages.empty()) {
        fmt::print("\nTo have what is missing, as root:\n\n  apt-get install{}\n", packages);
    }
    return can_run ? 0 : 1;
}

}  // namespace kiln::daemon
