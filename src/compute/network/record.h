// SPDX-License-Identifier: Apache-2.0
// The runtime record of a network process: what adopt() and stop() need to find it again. JSON in
// the instance's directory, durable before the process executes anything. Format:
// docs/internals/guest-network.md. Thread model: plain value and pure functions over files.
#pragma once

#include "compute/hypervisor.h"
#include "compute/qemu/process.h"

namespace kiln::compute {

struct NetworkRecord {
    MachineId id;
    ProcessIdentity process;
    std::uint32_t argv_hash = 0;  // hash_argv()
    std::string runtime_directory;
};

std::string encode_network_record(const NetworkRecord& record);
// data_loss when it is not a record of this version.
Result<NetworkRecord> decode_network_record(std::string_view text);

Status write_network_record(const std::string& directory, const NetworkRecord& record);
// Nothing when there is none.
Result<std::optional<NetworkRecord>> read_network_record(const std::string& directory);
Status remove_network_record(const std::string& directory);

}  // namespace kiln::compute
