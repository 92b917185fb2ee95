// SPDX-License-Identifier: Apache-2.0
// What this host offers for running machines, for `kiln doctor` and the log. Asks, changes nothing.
// Thread model: pure functions over the host.
#pragma once

#include <optional>
#include <string>

#include "compute/qemu/qemu_hypervisor.h"

namespace kiln::compute {

struct AcceleratorChoice {
    Accelerator accelerator = Accelerator::tcg;  // never automatic
    std::string reason;  // a clause: "the processor has neither vmx nor svm"
};

// What `automatic` is decided from. An opened /dev/kvm alone proves nothing: nested in some clouds
// it opens, and guests hang.
struct AcceleratorFacts {
    bool kvm_opens = false;
    bool cpu_has_virtualization = false;  // vmx or svm among the flags
};
AcceleratorFacts accelerator_facts();
AcceleratorChoice choose_accelerator(Accelerator wanted, const AcceleratorFacts& facts);

struct HostReport {
    std::optional<std::string> qemu_path;
    std::optional<std::string> qemu_version;  // "7.2.13"
    AcceleratorChoice accelerator;
    std::optional<std::string> ovmf_code;
    std::optional<std::string> ovmf_vars;
    bool separate_users = false;  // machines get user ids of their own
    std::string users_reason;
};
HostReport inspect_host(const QemuOptions& options);

}  // namespace kiln::compute
