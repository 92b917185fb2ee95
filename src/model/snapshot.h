// SPDX-License-Identifier: Apache-2.0
// Snapshot: a volume's bytes at one instant (section 22). It names a content (D1); deleting it
// deletes the row and leaves the content to those who still need it (SNP-21).
//
// `completed` means that the bytes are as durable as the deployment promises (D8); a completed
// snapshot is immutable (SNP-11). Thread model: plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/fast_restore.h"
#include "model/ids.h"
#include "model/names.h"
#include "model/sharing.h"
#include "model/source_image.h"
#include "model/transition.h"
#include "util/time.h"

namespace kiln::model {

// `deleted` is not a state of EC2: the snapshot is invisible to everybody, and the row stays only
// until the job that still works on it is over (SNP-22).
enum class SnapshotState { pending, completed, error, deleted };
constexpr auto enum_names(SnapshotState) {
    return std::to_array<EnumName<SnapshotState>>({{SnapshotState::pending, "pending"},
                                                   {SnapshotState::completed, "completed"},
                                                   {SnapshotState::error, "error"},
                                                   {SnapshotState::deleted, "deleted"}});
}

enum class SnapshotEvent {
    complete,
    fail,
    read,    // make a volume or an image of it (SNP-12, RI-3); changes nothing
    remove,  // DeleteSnapshot; whether an image uses it (SNP-20) is asked apart
};
constexpr auto enum_names(SnapshotEvent) {
    return std::to_array<EnumName<SnapshotEvent>>({{SnapshotEvent::complete, "complete"},
                                                   {SnapshotEvent::fail, "fail"},
                                                   {SnapshotEvent::read, "read"},
                                                   {SnapshotEvent::remove, "remove"}});
}

// How a copy came about; others have none.
enum class SnapshotTransfer { standard, time_based };
constexpr auto enum_names(SnapshotTransfer) {
    return std::to_array<EnumName<SnapshotTransfer>>(
        {{SnapshotTransfer::standard, "standard"}, {SnapshotTransfer::time_based, "time-based"}});
}

struct Snapshot {
    SnapshotId id;
    AccountId owner_id;
    std::string region;
    SnapshotState state = SnapshotState::pending;
    std::string state_message;
    std::uint32_t progress_percent = 0;  // SNP-3: never goes back
    std::string description;
    std::string owner_alias;
    VolumeId volume_id;   // SNP-7: a placeholder when it was not cut from a volume
    std::string lineage;  // empty: its own; see lineage_of()
    std::optional<SourceImage> source_image;  // RI-16
    std::uint32_t volume_size_gib = 0;
    ContentId content;
    SnapshotSetId set;  // the cut it belongs to (D7); empty when imported
    bool encrypted = false;
    std::string kms_key_id;
    UnixMillis created;  // startTime: the instant of the cut (SNP-6)
    std::optional<UnixMillis> completed;
    std::optional<std::uint64_t> full_size_bytes;  // SNP-6; known once counted
    Sharing volume_permissions;                    // SS-1: createVolumePermission
    std::optional<SnapshotTransfer> transfer_type;
    std::optional<std::int64_t> completion_minutes;  // as the copy was asked for
    std::string local_zone;  // REG-5: it lies there and is used there; empty: in its region
    std::vector<FastRestore> fast_restores;  // FS-1: of whoever enabled them
    friend bool operator==(const Snapshot&, const Snapshot&) = default;
};

// SNP-5: the same for all snapshots of a volume, of volumes made from them, and so on.
std::string lineage_of(const Snapshot& snapshot);

inline constexpr std::string_view kPlaceholderVolumeId = "vol-ffffffff";  // SNP-7

using SnapshotTransition = Transition<SnapshotState, SnapshotEvent>;
std::span<const SnapshotTransition> snapshot_transitions();
Result<SnapshotState> next(SnapshotState state, SnapshotEvent event, const SnapshotId& id);

}  // namespace kiln::model
