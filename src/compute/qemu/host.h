// SPDX-License-Identifier: Apache-2.0
// Finding what QEMU needs on this host: program, firmware files, /dev/kvm's group.
// Thread model: pure functions over the host.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>

#include "util/result.h"

namespace kiln::compute {

struct OvmfFiles {
    std::string code;
    std::string variables;  // the template that each machine's own copy is made from
};

// An executable at `wanted`, or, when that is empty, qemu-system-x86_64 from PATH. not_found says
// what to install.
Result<std::string> find_qemu(const std::string& wanted);
// "7.2.22"
Result<std::string> qemu_version(const std::string& program);
// The paths given, or the first pair this distribution may have. not_found says what to install.
Result<OvmfFiles> find_ovmf(const std::string& code, const std::string& variables);
// The group that may use /dev/kvm, when there is one.
std::optional<gid_t> kvm_group();

}  // namespace kiln::compute
