// SPDX-License-Identifier: Apache-2.0
// QemuDriver: disks that come and go while the machine runs. The record learns of a new disk's
// socket before QEMU does, so that an adoption after a crash gives the socket to the machine's user
// again.
#include <sys/stat.h>

#include <algorithm>

#include "compute/qemu/driver.h"
#include "compute/qemu/hot_plug.h"

namespace kiln::compute {

Status QemuDriver::record_sockets(Machine& machine, const std::string& socket) {
    RuntimeRecord record = machine.record;
    MutexLock lock(machine.mutex);
    if (std::find(machine.sockets.begin(), machine.sockets.end(), socket) ==
        machine.sockets.end()) {
        machine.sockets.push_back(socket);
    }
    // A disk that is gone has no socket.
    std::erase_if(machine.sockets, [&](const std::string& path) {
        struct stat status {};
        return path != socket && ::stat(path.c_str(), &status) != 0;
    });
    record.disk_sockets = machine.sockets;
    TRY(write_record(machine.directory, record));
    return grant_sockets(record);
}

Status QemuDriver::attach_disk(const MachineId& id, const DiskSpec& disk, Deadline deadline) {
    TRY_ASSIGN(const MachinePtr machine, get(id));
    TRY(record_sockets(*machine, disk.nbd_socket));
    TRY_ASSIGN(const auto control, control_of(id));
    TRY(plug_disk(*control, disk, deadline), "attach " + disk.id + " to " + id.str());
    return ok();
}

Result<bool> QemuDriver::detach_disk(const MachineId& id, const std::string& disk,
                                     Deadline deadline) {
    TRY_ASSIGN(const auto control, control_of(id));
    auto gone = unplug_disk(*control, disk, deadline);
    return gone ? std::move(gone)
                : std::move(gone).error().with("detach " + disk + " from " + id.str());
}

Status QemuDriver::cut_off_disk(const MachineId& id, const std::string& disk,
                                std::uint64_t size_bytes, Deadline deadline) {
    TRY_ASSIGN(const auto control, control_of(id));
    TRY(compute::cut_off_disk(*control, disk, size_bytes, deadline),
        "cut " + disk + " off from " + id.str());
    return ok();
}

}  // namespace kiln::compute
