// SPDX-License-Identifier: Apache-2.0
// Hot plug: the conversation with QEMU that gives a running machine a disk or takes one away. Every
// step may be repeated: what is there already, or gone already, is fine.
//
// Thread model: functions over a thread-safe QmpClient; calls for one machine are serial.
#pragma once

#include "compute/hypervisor.h"
#include "compute/qemu/qmp_client.h"

namespace kiln::compute {

Status plug_disk(QmpClient& control, const DiskSpec& disk, Deadline deadline);
// True when the guest has let go and the disk is gone.
Result<bool> unplug_disk(QmpClient& control, const std::string& disk, Deadline deadline);
// The device stays, over nothing: reads are zeros, writes go nowhere.
Status cut_off_disk(QmpClient& control, const std::string& disk, std::uint64_t size_bytes,
                    Deadline deadline);
// False: QEMU's node is still smaller, and did not connect again yet.
Result<bool> grow_disk(QmpClient& control, const std::string& disk, std::uint64_t size_bytes,
                       Deadline deadline);

}  // namespace kiln::compute
