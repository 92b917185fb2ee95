// SPDX-License-Identifier: Apache-2.0
// The migration scripts, one source file each.
#pragma once

#include <string_view>

namespace kiln::catalog::detail {

extern const std::string_view k0001Initial;
extern const std::string_view k0002Packs;
extern const std::string_view k0003KeyPairs;
extern const std::string_view k0004Network;
extern const std::string_view k0005Identity;
extern const std::string_view k0006RowCrc;
extern const std::string_view k0007SpareLayers;
extern const std::string_view k0008VolumeModifications;
extern const std::string_view k0009DiskTransport;
extern const std::string_view k0010Sharing;
extern const std::string_view k0011LaunchTemplates;
extern const std::string_view k0012BlockUploads;
extern const std::string_view k0013VolumeHealth;
extern const std::string_view k0014Relations;
extern const std::string_view k0015Vpcs;
extern const std::string_view k0016Zones;
extern const std::string_view k0017MultiAttach;

}  // namespace kiln::catalog::detail
