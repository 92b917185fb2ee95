// SPDX-License-Identifier: Apache-2.0
// The rules of block device mappings (BDM-1 .. BDM-18), apart from what needs the catalog: names,
// volume type limits, and how a launch's list is merged onto an image's. Thread model: pure
// functions.
#pragma once

#include <cstdint>
#include <string_view>

#include "model/block_device.h"
#include "model/machine.h"
#include "util/result.h"

namespace kiln::control {

// RI-5: for data that is seldom asked for; nothing boots from it.
inline bool is_cold(model::VolumeType type) {
    return type == model::VolumeType::st1 || type == model::VolumeType::sc1;
}

// BDM-6.
bool is_valid_device_name(std::string_view name, model::VirtualizationType virtualization);

// What every list must satisfy by itself: device names valid and used once (BDM-4), exactly one of
// Ebs, VirtualName and NoDevice (BDM-1, BDM-2).
Status check_mapping_list(const model::BlockDeviceMappings& mappings,
                          model::VirtualizationType virtualization);

// BDM-17: size, Iops and Throughput against the limits of the volume type. `size_gib` and the type
// are the resolved ones.
Status check_volume_limits(model::VolumeType type, std::uint32_t size_gib,
                           const model::EbsBlockDevice& ebs);
// BDM-17: what a gp3 volume has for which nothing else is asked.
inline constexpr std::uint32_t kGp3Iops = 3000;
inline constexpr std::uint32_t kGp3ThroughputMibps = 125;
// Puts them in where the type, which is resolved, is gp3.
void add_default_performance(model::EbsBlockDevice& ebs);
// VOL-2: of io1 and io2 volumes alone.
Status check_multi_attach(model::VolumeType type, bool multi_attach);

// BDM-9, BDM-10: the launch's entries over the image's, device by device and field by field.
// `root_device` must stay an EBS device with its own snapshot.
Result<model::BlockDeviceMappings> merge_launch_mappings(const model::BlockDeviceMappings& image,
                                                         const model::BlockDeviceMappings& request,
                                                         std::string_view root_device);

}  // namespace kiln::control
