// SPDX-License-Identifier: Apache-2.0
// The Hypervisor over QEMU: one process per machine, controlled through QMP, watched through a
// pidfd.
//
// Every machine's process: own session, no inherited descriptors but those named in argv.h, stdio
// in files, sandboxed, and, when we are root, under a user id of its own (see users.h). A runtime
// record is durable before QEMU is executed, so that no process can exist that a later adopt()
// would not find (the child waits for the record, and ends if we die). Listening control sockets
// are made here and inherited by QEMU: there is no moment at which one must be waited for.
//
// Thread-safe, as Hypervisor says. One supervisor thread reads all control sockets and pidfds.
#pragma once

#include <memory>
#include <string>

#include "compute/hypervisor.h"

namespace kiln::compute {

struct QemuOptions {
    std::string binary;  // empty: qemu-system-x86_64 from PATH
    Accelerator accelerator = Accelerator::automatic;
    // Empty: the first known pair of the distribution. Only needed for Firmware::uefi.
    std::string ovmf_code;
    std::string ovmf_vars;
    // When root: give each machine a user id of its own. False runs them under ours.
    bool separate_users = true;
};

// `events` outlives the hypervisor.
Result<std::unique_ptr<Hypervisor>> make_qemu_hypervisor(const QemuOptions& options,
                                                         MachineEvents& events);

}  // namespace kiln::compute
