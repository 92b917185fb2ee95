// SPDX-License-Identifier: Apache-2.0
// Everything between a specification and a process that waits to execute QEMU: directories,
// listening sockets, log and variable files, the command line, the durable record. Thread model:
// pure functions over files; one launch of a machine at a time.
#pragma once

#include "compute/hypervisor.h"
#include "compute/qemu/process.h"
#include "compute/qemu/record.h"

namespace kiln::compute {

// What a hypervisor found out about its host once.
struct LaunchFacts {
    std::string program;
    Accelerator accelerator = Accelerator::tcg;
    std::string ovmf_code;  // empty when absent
    std::string ovmf_variables;
    bool separate_users = false;
};

struct HeldMachine {
    HeldProcess process;
    RuntimeRecord record;
};

// On success the record is durable. On failure no process is left; files may be.
Result<HeldMachine> prepare_launch(const MachineSpec& spec, const LaunchFacts& facts);

// Gives a disk's socket, which its server creates for its own user alone, to the machine's user.
Status grant_socket(const RuntimeRecord& record, const std::string& path);
// All of the record's; an error is the last one, after the others were tried.
Status grant_sockets(const RuntimeRecord& record);

// QEMU's last words, for the error of a failed start; empty when there are none.
std::string last_words(const std::string& directory);

}  // namespace kiln::compute
