// SPDX-License-Identifier: Apache-2.0
// QemuDriver: disks that come and go while the machine runs. The record learns of a new disk's
// socket before QEMU does, so that an adoption after a crash gives the socket to the machine's user
// again; and it forgets the socket when the disk is gone, since the volume may be another machine's
// next.
#include "compute/qemu/driver.h"
#include "compute/qemu/hot_plug.h"

namespace kiln::compute {

Status QemuDriver::keep_sockets(
    Machine& machine, const std::function<void(std::map<std::string, std::string>&)>& change) {
    RuntimeRecord record = machine.record;
    MutexLock lock(machine.mutex);
    record.disk_sockets = machine.sockets;
    change(record.disk_sockets);
    if (record.disk_sockets == machine.sockets) {
        return ok();
    }
    TRY(write_record(machine.directory, record));
    machine.sockets = std::move(record.disk_sockets);
    return ok();
}

Status QemuDriver::forget_socket(Machine& machine, const std::string& disk) {
    return keep_sockets(machine, [&](auto& sockets) { sockets.erase(disk); });
}

Status QemuDriver::attach_disk(const MachineId& id, const DiskSpec& disk, Deadline deadline) {
    TRY_ASSIGN(const MachinePtr machine, get(id));
    TRY(keep_sockets(*machine, [&](auto& sockets) { sockets[disk.id] = disk.socket; }));
    TRY(grant_socket(machine->record, disk.socket));
    TRY_ASSIGN(const auto control, control_of(id));
    const Status plugged = plug_disk(*control, disk, deadline);
    if (!plugged && plugged.error().code() == Code::resource_exhausted) {
        TRY(forget_socket(*machine, disk.id));
    }
    TRY(plugged, "attach " + disk.id + " to " + id.str());
    return ok();
}

Result<bool> QemuDriver::detach_disk(const MachineId& id, const std::string& disk,
                                     Deadline deadline) {
    TRY_ASSIGN(const MachinePtr machine, get(id));
    TRY_ASSIGN(const auto control, control_of(id));
    TRY_ASSIGN(const bool gone, unplug_disk(*control, disk, deadline),
               "detach " + disk + " from " + id.str());
    if (gone) {
        TRY(forget_socket(*machine, disk));
    }
    return gone;
}

Status QemuDriver::cut_off_disk(const MachineId& id, const std::string& disk,
                                std::uint64_t size_bytes, Deadline deadline) {
    TRY_ASSIGN(const MachinePtr machine, get(id));
    TRY_ASSIGN(const auto control, control_of(id));
    TRY(compute::cut_off_disk(*control, disk, size_bytes, deadline),
        "cut " + disk + " off from " + id.str());
    return forget_socket(*machine, disk);
}

Result<bool> QemuDriver::grow_disk(const MachineId& id, const std::string& disk,
                                   std::uint64_t size_bytes, Deadline deadline) {
    TRY_ASSIGN(const auto control, control_of(id));
    TRY_ASSIGN(const bool grown, compute::grow_disk(*control, disk, size_bytes, deadline),
               "grow " + disk + " of " + id.str());
    return grown;
}

}  // namespace kiln::compute
