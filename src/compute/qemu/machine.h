// SPDX-License-Identifier: Apache-2.0
// One live QEMU process as the driver keeps it, and QEMU's words for states and events turned into
// ours.
//
// Thread model: Machine is shared between callers and the supervisor; members say who may touch
// them. The functions are pure.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>

#include "compute/hypervisor.h"
#include "compute/qemu/qmp_client.h"
#include "compute/qemu/record.h"
#include "util/mutex.h"

namespace kiln::compute {

// One live process. Shared by the table, the supervisor's handlers and callers in progress.
struct Machine {
    Machine(RuntimeRecord record_in, UniqueFd pidfd_in, std::string directory_in)
        : record(std::move(record_in)),
          pidfd(std::move(pidfd_in)),
          directory(std::move(directory_in)),
          sockets(record.disk_sockets) {}

    const RuntimeRecord record;  // but for the disk sockets: `sockets`
    const UniqueFd pidfd;
    const std::string directory;  // where the record is
    // False while start() may still fail: nobody hears of a machine that never was.
    std::atomic<bool> reporting{false};

    Mutex screen;  // held while a picture is taken; never with `mutex`

    Mutex mutex;
    CondVar changed;
    std::shared_ptr<QmpClient> control GUARDED_BY(mutex);  // none: never had, or reported lost
    bool control_suspect GUARDED_BY(mutex) = false;        // ended; the process may be ending too
    bool exited GUARDED_BY(mutex) = false;
    // Of its disks, plugged ones included.
    std::map<std::string, std::string> sockets GUARDED_BY(mutex);
};
using MachinePtr = std::shared_ptr<Machine>;

// The device of a disk has this before the disk's id.
inline constexpr std::string_view kDiskDevicePrefix = "disk-";

// `status` as query-status answers it.
MachineState state_from_status(std::string_view status);
// Nothing for an event that means nothing to us.
std::optional<MachineEvent> translate_event(const QmpMessage& message);
MachineInfo info_of(const Machine& machine, MachineState state);

}  // namespace kiln::compute
