// SPDX-License-Identifier: Apache-2.0
#include "model/snapshot.h"

namespace kiln::model {

namespace {

constexpr Refusal kSuperseded{Code::failed_precondition, "", "snapshot {} is not pending any more"};
constexpr Refusal kPending{Code::failed_precondition, "IncorrectState",
                           "Snapshot is in invalid state - pending"};
constexpr Refusal kError{Code::failed_precondition, "IncorrectState",
                         "Snapshot is in invalid state - error"};
constexpr Refusal kNotFound{Code::not_found, "InvalidSnapshot.NotFound",
                            "The snapshot '{}' does not exist."};

using S = SnapshotState;
using E = SnapshotEvent;

constexpr SnapshotTransition kTable[] = {
    {S::pending, E::complete, S::completed},
    {S::pending, E::fail, S::error},
    {S::pending, E::read, {}, &kPending},
    {S::pending, E::remove, S::deleted},

    {S::completed, E::complete, S::completed},
    {S::completed, E::fail, {}, &kSuperseded},
    {S::completed, E::read, S::completed},
    {S::completed, E::remove, S::deleted},

    {S::error, E::complete, {}, &kSuperseded},
    {S::error, E::fail, S::error},
    {S::error, E::read, {}, &kError},
    {S::error, E::remove, S::deleted},

    // SNP-22: the job that was making it ends without complaint.
    {S::deleted, E::complete, S::deleted},
    {S::deleted, E::fail, S::deleted},
    {S::deleted, E::read, {}, &kNotFound},
    {S::deleted, E::remove, {}, &kNotFound},
};

}  // namespace

std::span<const SnapshotTransition> snapshot_transitions() {
    return kTable;
}

Result<SnapshotState> next(SnapshotState state, SnapshotEvent event, const SnapshotId& id) {
    return look_up(snapshot_transitions(), state, event, id.str());
}

std::string lineage_of(const Snapshot& snapshot) {
    if (!snapshot.lineage.empty()) {
        return snapshot.lineage;
    }
    return snapshot.volume_id.str() == kPlaceholderVolumeId ? snapshot.id.str()
                                                            : snapshot.volume_id.str();
}

}  // namespace kiln::model
