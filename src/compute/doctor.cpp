// SPDX-License-Identifier: Apache-2.0
#include "compute/doctor.h"

#include <fcntl.h>

#include "compute/qemu/host.h"
#include "compute/qemu/users.h"
#include "util/fs.h"
#include "util/strings.h"

namespace kiln::compute {
namespace {

bool advertises_virtualization(std::string_view cpuinfo) {
    for (const std::string_view line : split(cpuinfo, '\n')) {
        if (!line.starts_with("flags")) {
            continue;
        }
        for (const std::string_view flag : split(line, ' ')) {
            if (flag == "vmx" || flag == "svm") {
                return true;
            }
        }
    }
    return false;
}

}  // namespace

AcceleratorFacts accelerator_facts() {
    AcceleratorFacts facts;
    facts.kvm_opens = static_cast<bool>(UniqueFd(::open("/dev/kvm", O_RDWR | O_CLOEXEC)));
    // Files under /proc have no size to check first; 16 MiB cover thousands of processors.
    const auto cpuinfo = read_file("/proc/cpuinfo");
    facts.cpu_has_virtualization = cpuinfo && advertises_virtualization(*cpuinfo);
    return facts;
}

AcceleratorChoice choose_accelerator(Accelerator wanted, const AcceleratorFacts& facts) {
    switch (wanted) {
        case Accelerator::kvm:
            return {Accelerator::kvm, "asked for"};
        case Accelerator::tcg:
            return {Accelerator::tcg, "asked for"};
        case Accelerator::automatic:
            break;
    }
    if (!facts.kvm_opens) {
        return {Accelerator::tcg, "/dev/kvm cannot be opened"};
    }
    if (!facts.cpu_has_virtualization) {
        return {Accelerator::tcg, "/dev/kvm opens but the processor has neither vmx nor svm"};
    }
    return {Accelerator::kvm, "/dev/kvm opens and the processor can virtualize"};
}

HostReport inspect_host(const QemuOptions& options) {
    HostReport report;
    if (auto path = find_qemu(options.binary)) {
        report.qemu_path = *path;
        if (auto version = qemu_version(*path)) {
            report.qemu_version = *version;
        }
    }
    if (auto ovmf = find_ovmf(options.ovmf_code, options.ovmf_vars)) {
        report.ovmf_code = ovmf->code;
        report.ovmf_vars = ovmf->variables;
    }
    const UserPolicy users = choose_users(options.separate_users);
    report.separate_users = users.separate;
    report.users_reason = users.reason;
    report.accelerator = choose_accelerator(options.accelerator, accelerator_facts());
    // Machines under users of their own reach /dev/kvm through its group.
    if (users.separate && options.accelerator == Accelerator::automatic &&
        report.accelerator.accelerator == Accelerator::kvm && !kvm_group()) {
        report.accelerator = {Accelerator::tcg,
                              "/dev/kvm has no group that may use it; chgrp kvm /dev/kvm, "
                              "chmod 660 /dev/kvm"};
    }
    return report;
}

}  // namespace kiln::compute
