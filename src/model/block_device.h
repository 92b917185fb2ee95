// SPDX-License-Identifier: Apache-2.0
// Block device mappings (BDM-1 .. BDM-18): which devices an image brings, a launch changes, an
// instance was started with.
//
// Presence matters: a field that is absent in an overriding entry keeps the underlying value
// (BDM-9), hence the optionals. Device names are kept as given and compared without a leading
// "/dev/" (BDM-5). Thread model: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/ids.h"
#include "model/names.h"

namespace kiln::model {

enum class VolumeType { standard, io1, io2, gp2, gp3, sc1, st1 };
constexpr auto enum_names(VolumeType) {
    return std::to_array<EnumName<VolumeType>>({{VolumeType::standard, "standard"},
                                                {VolumeType::io1, "io1"},
                                                {VolumeType::io2, "io2"},
                                                {VolumeType::gp2, "gp2"},
                                                {VolumeType::gp3, "gp3"},
                                                {VolumeType::sc1, "sc1"},
                                                {VolumeType::st1, "st1"}});
}

struct EbsBlockDevice {
    SnapshotId snapshot_id{};  // empty: an empty volume
    std::optional<std::uint32_t> volume_size_gib{};
    std::optional<VolumeType> volume_type{};
    std::optional<std::uint32_t> iops{};
    std::optional<std::uint32_t> throughput_mibps{};
    std::optional<bool> encrypted{};
    std::string kms_key_id{};
    std::optional<bool> delete_on_termination{};
    std::optional<std::uint32_t> initialization_rate_mibps{};  // VOL-19; of launches, not of images
    friend bool operator==(const EbsBlockDevice&, const EbsBlockDevice&) = default;
};

// Exactly one of ebs, virtual_name, no_device is set.
struct BlockDeviceMapping {
    std::string device_name{};
    std::optional<EbsBlockDevice> ebs{};
    std::string virtual_name{};  // "ephemeral0" .. "ephemeral23"
    bool no_device = false;      // in requests only
    friend bool operator==(const BlockDeviceMapping&, const BlockDeviceMapping&) = default;
};

using BlockDeviceMappings = std::vector<BlockDeviceMapping>;

// BDM-5
constexpr std::string_view bare_device_name(std::string_view name) {
    constexpr std::string_view kDev = "/dev/";
    return name.starts_with(kDev) ? name.substr(kDev.size()) : name;
}
constexpr bool same_device(std::string_view a, std::string_view b) {
    return bare_device_name(a) == bare_device_name(b);
}

}  // namespace kiln::model
