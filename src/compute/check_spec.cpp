// SPDX-License-Identifier: Apache-2.0
#include "compute/check_spec.h"

#include <algorithm>

namespace kiln::compute {
namespace {

// A block node's name may have 31 characters; the id is that name, and device names are made around
// it.
constexpr std::size_t kMaxNodeIdLength = 26;
constexpr std::size_t kMaxSerialLength = 20;  // VIRTIO_BLK_ID_BYTES
constexpr std::size_t kMaxSocketPathLength = 107;

bool is_name(std::string_view text, std::size_t max) {
    const auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '-';
    };
    return !text.empty() && text.size() <= max &&
           ((text[0] >= 'a' && text[0] <= 'z') || (text[0] >= 'A' && text[0] <= 'Z')) &&
           std::all_of(text.begin(), text.end(), fits);
}

// Printable ASCII only: these texts reach firmware tables and a command line.
bool is_printable(std::string_view text, std::size_t max) {
    return text.size() <= max &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= ' ' && c <= '~'; });
}

bool is_hex_pattern(std::string_view text, std::string_view pattern) {
    return std::equal(text.begin(), text.end(), pattern.begin(), pattern.end(), [](char c, char p) {
        return p == 'x' ? (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') : c == p;
    });
}

Error refuse(std::string_view what) {
    return Error(Code::invalid_argument, "machine: " + std::string(what));
}

Status check_disks(const MachineSpec& spec) {
    if (spec.disks.empty() || spec.disks.size() > kMaxDisks) {
        return refuse("needs 1 to 32 disks");
    }
    std::vector<std::string_view> ids;
    std::size_t roots = 0;
    for (const auto& disk : spec.disks) {
        if (!is_name(disk.id, kMaxNodeIdLength)) {
            return refuse("bad disk id " + disk.id);
        }
        if (!is_printable(disk.serial, kMaxSerialLength) || !is_printable(disk.nbd_export, 255)) {
            return refuse("bad serial or export name of " + disk.id);
        }
        if (disk.transport == DiskTransport::file) {
            if (!disk.file.starts_with('/') || disk.boot_index) {
                return refuse("bad file of " + disk.id);
            }
        } else if (disk.socket.empty() || disk.socket[0] != '/' ||
                   disk.socket.size() > kMaxSocketPathLength) {
            return refuse("bad socket path of " + disk.id);
        }
        if (std::find(ids.begin(), ids.end(), disk.id) != ids.end()) {
            return refuse("disk " + disk.id + " given twice");
        }
        ids.push_back(disk.id);
        roots += disk.boot_index == 0U ? 1 : 0;
    }
    return roots == 1 ? ok() : Status(refuse("needs one disk with boot index 0"));
}

Status check_nics(const MachineSpec& spec) {
    if (spec.nics.size() > kMaxNics) {
        return refuse("too many NICs");
    }
    for (const auto& nic : spec.nics) {
        if (!is_name(nic.id, kMaxNodeIdLength) || !is_hex_pattern(nic.mac, "xx:xx:xx:xx:xx:xx")) {
            return refuse("bad NIC " + nic.id);
        }
    }
    return ok();
}

}  // namespace

Status check_spec(const MachineSpec& spec) {
    if (!is_name(spec.id.str(), 64)) {
        return refuse("bad id " + spec.id.str());
    }
    if (spec.vcpus == 0 || spec.vcpus > 255) {
        return refuse("needs 1 to 255 vCPUs");
    }
    if (spec.memory_mib == 0 || spec.memory_mib > (16U << 20)) {
        return refuse("needs 1 MiB to 16 TiB of memory");
    }
    if (spec.firmware == Firmware::uefi && spec.memory_mib < kMinUefiMemoryMib) {
        return refuse("UEFI needs 256 MiB of memory");
    }
    if (!is_hex_pattern(spec.uuid, "ec2xxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")) {
        return refuse("bad uuid " + spec.uuid);
    }
    if (!is_printable(spec.product, 64)) {
        return refuse("bad product name");
    }
    if (spec.directory.empty() || spec.runtime_directory.empty() || spec.serial_log.empty()) {
        return refuse("needs directory, runtime directory and serial log");
    }
    TRY(check_disks(spec));
    return check_nics(spec);
}

}  // namespace kiln::compute
