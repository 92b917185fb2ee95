// SPDX-License-Identifier: Apache-2.0
// RegionSettings: what an account has chosen for one region. An account without a row has the
// defaults. Thread model: plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/ids.h"
#include "model/names.h"
#include "util/time.h"

namespace kiln::model {

enum class ImageBlockPublicAccess { unblocked, block_new_sharing };  // LP-12
constexpr auto enum_names(ImageBlockPublicAccess) {
    return std::to_array<EnumName<ImageBlockPublicAccess>>(
        {{ImageBlockPublicAccess::unblocked, "unblocked"},
         {ImageBlockPublicAccess::block_new_sharing, "block-new-sharing"}});
}

enum class SnapshotBlockPublicAccess { unblocked, block_new_sharing, block_all_sharing };  // SS-4
constexpr auto enum_names(SnapshotBlockPublicAccess) {
    return std::to_array<EnumName<SnapshotBlockPublicAccess>>(
        {{SnapshotBlockPublicAccess::unblocked, "unblocked"},
         {SnapshotBlockPublicAccess::block_new_sharing, "block-new-sharing"},
         {SnapshotBlockPublicAccess::block_all_sharing, "block-all-sharing"}});
}

// IMDS-4: what a launch gets that does not say otherwise; absent: no preference.
struct MetadataDefaults {
    std::optional<bool> tokens_required;
    std::optional<std::uint32_t> hop_limit;
    std::optional<bool> endpoint_enabled;
    std::optional<bool> instance_tags_enabled;
    std::optional<bool> tokens_enforced;  // a launch that leaves tokens optional is refused
    friend bool operator==(const MetadataDefaults&, const MetadataDefaults&) = default;
};

struct RegionSettingsIdTag {};
using RegionSettingsId = StrongId<RegionSettingsIdTag>;

struct RegionSettings {
    AccountId account;
    std::string region;
    ImageBlockPublicAccess image_access = ImageBlockPublicAccess::unblocked;
    SnapshotBlockPublicAccess snapshot_access = SnapshotBlockPublicAccess::unblocked;
    MetadataDefaults metadata{};
    UnixMillis created;                      // when the first was chosen
    bool no_default_vpc = false;             // NET-15: it was deleted, and none is made by itself
    std::vector<std::string> zone_groups{};  // REG-4: those that were opted in to, sorted
    // FS-1: the snapshots in whose records of fast restores the account may stand, sorted.
    std::vector<SnapshotId> fast_restored{};
    // FLN-1: the images with whose fast launches the account may stand, sorted.
    std::vector<ImageId> fast_launched{};
    RegionSettingsId id() const { return RegionSettingsId(account.str() + "/" + region); }
    friend bool operator==(const RegionSettings&, const RegionSettings&) = default;
};

}  // namespace kiln::model
