// SPDX-License-Identifier: Apache-2.0
// A machine's QEMU command line, as a pure function of its specification (golden files in
// tests/golden).
//
// QEMU opens nothing by path but its program files and the disks' sockets: control sockets,
// serial log, UEFI variables and NIC sockets are inherited descriptors, in the order child_files()
// gives, so that its user needs access to none of our directories. What a guest can see (slots,
// devices, SMBIOS) is fixed by the specification, not by what the host offers, and a change here
// changes machines: devices keep their PCI addresses over stop and start.
//
// Thread model: pure functions.
#pragma once

#include <string>
#include <vector>

#include "compute/hypervisor.h"

namespace kiln::compute {

// Root ports that stand empty at start: as many volumes can be attached to the running machine.
inline constexpr unsigned kSparePorts = 8;
// More disks than any instance may have.
inline constexpr std::size_t kMaxPorts = 64;
// How long a guest's request waits for a disk's server to come back: a guest waits for a daemon
// that is being repaired; it never sees an error because we were away.
inline constexpr unsigned kReconnectSeconds = 86400;

// How often a vhost-user device looks for its server again. Its guest's requests wait meanwhile.
inline constexpr unsigned kVhostReconnectSeconds = 1;

std::string port_name(std::size_t number);
// Of the connection of a vhost-user disk.
std::string disk_chardev(const std::string& disk);

// Descriptors QEMU inherits, beginning with number 3.
enum class ChildFile { qmp, qmp_spare, agent, serial, serial_log, uefi_variables, nic, disk };
struct ChildFileSlot {
    ChildFile file;
    std::size_t nic = 0;   // index into MachineSpec::nics
    std::size_t disk = 0;  // index into MachineSpec::disks
};
std::vector<ChildFileSlot> child_files(const MachineSpec& spec);

struct ArgvFacts {
    std::string program;      // args[0]
    Accelerator accelerator;  // not automatic
    std::string ovmf_code;    // for Firmware::uefi
};
Result<std::vector<std::string>> build_argv(const MachineSpec& spec, const ArgvFacts& facts);

}  // namespace kiln::compute
