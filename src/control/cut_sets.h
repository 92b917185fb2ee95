// SPDX-License-Identifier: Apache-2.0
// What the catalog holds of a cut's set of snapshots (cuts.h), as one transaction sees it.
#pragma once

#include <optional>
#include <set>
#include <vector>

#include "control/contents.h"
#include "control/parts.h"
#include "model/snapshot.h"

namespace kiln::control {

Result<std::vector<model::Snapshot>> members_of(catalog::Transaction& tx,
                                                const model::SnapshotSetId& set);

// Sets with a pending snapshot, deleted meanwhile (SNP-22) or not.
Result<std::set<model::SnapshotSetId>> unsettled_sets(catalog::Transaction& tx);

// Of the content and those below it: so many are not stored yet.
Result<std::size_t> layers_to_destage(catalog::Transaction& tx, const model::ContentId& id);

// The volume whose writes the successor of this content takes.
Result<std::optional<model::Volume>> volume_on(catalog::Transaction& tx,
                                               const model::Snapshot& snapshot);

// The successor of this content is there, and takes writes.
Status mark_made(catalog::Transaction& tx, const model::Snapshot& snapshot);

// Transaction 2 of a set that is cut.
Status complete_set(catalog::Transaction& tx, const Parts& parts, const model::SnapshotSetId& set);

// Of a set that is not cut and cannot be taken back: its snapshots end in `error`.
Status fail_set(catalog::Transaction& tx, const Parts& parts, const model::SnapshotSetId& set);

// In the transaction that made a content rooted: completes the sets that waited for it (D8).
Status complete_waiting_sets(catalog::Transaction& tx, const Parts& parts);

}  // namespace kiln::control
