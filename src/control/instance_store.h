// SPDX-License-Identifier: Apache-2.0
// The disks of the instance store: local, sparse files in the instance's directory, which are made
// zero at every start and gone with the end of the run (IST-1 .. IST-4). Nothing else knows of
// them: no volume stands for them, and no snapshot holds them.
//
// Thread model: functions over the host's files; of one instance one call at a time.
#pragma once

#include <string>
#include <vector>

#include "compute/hypervisor.h"
#include "control/instance_types.h"
#include "model/instance.h"

namespace kiln::control {

struct StoreDisk {
    std::string name;         // ephemeral0
    std::string device_name;  // "/dev/sdb"; empty for an NVMe disk, which needs no mapping
    std::uint64_t size_bytes = 0;
};

// BDM-2: those the machine has. NVMe disks are always there, others when they are mapped; entries
// for more disks than the type has are nothing.
std::vector<StoreDisk> store_disks(const InstanceType& type,
                                   const model::BlockDeviceMappings& mappings);
// Of the instance, as its type and its launch say.
std::vector<StoreDisk> store_disks(const model::Instance& instance);

// Makes the files that are not there yet; those of this run keep their bytes.
Result<std::vector<compute::DiskSpec>> make_store_disks(const std::vector<StoreDisk>& disks,
                                                        const std::string& directory);
// Every one of the instance, also those of an earlier type. None is a success.
Status remove_store_disks(const std::string& directory);

}  // namespace kiln::control
