// SPDX-License-Identifier: Apache-2.0
// The runtime record: what adopt() needs to find a machine's process again and talk to it. JSON in
// the machine's directory, durable before the process executes anything. Format:
// docs/internals/compute.md. Thread model: plain value and pure functions over files.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "compute/hypervisor.h"
#include "compute/qemu/process.h"

namespace kiln::compute {

struct RuntimeRecord {
    MachineId id;
    std::uint64_t generation = 0;
    ProcessIdentity process;
    std::uint32_t argv_hash = 0;  // of the command line as /proc shows it
    Accelerator accelerator = Accelerator::tcg;
    std::optional<uid_t> user;  // nothing: ours
    std::string runtime_directory;
    std::string serial_log;
    std::map<std::string, std::string> disk_sockets;  // by the disk's id
};

std::string qmp_path(const std::string& runtime_directory);
std::string qmp_spare_path(const std::string& runtime_directory);
std::string agent_path(const std::string& runtime_directory);
std::string serial_path(const std::string& runtime_directory);

// crc32c over the arguments, each ended by a zero byte.
std::uint32_t hash_argv(const std::vector<std::string>& args);
// The same over the text of /proc/PID/cmdline.
std::uint32_t hash_argv_text(std::string_view command_line);

std::string encode_record(const RuntimeRecord& record);
// data_loss when it is not a record of this version.
Result<RuntimeRecord> decode_record(std::string_view text);

Status write_record(const std::string& directory, const RuntimeRecord& record);
// Nothing when there is none.
Result<std::optional<RuntimeRecord>> read_record(const std::string& directory);

}  // namespace kiln::compute
