// SPDX-License-Identifier: Apache-2.0
// Who may make volumes, images and copies of a snapshot: its owner, whom it is shared with, and
// everybody when it is public and its owner has not blocked that for the region (SS-3, SS-4).
// Thread model: functions within a transaction.
#pragma once

#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "model/snapshot.h"

namespace kiln::control {

Result<bool> may_read(catalog::Transaction& tx, const model::Snapshot& snapshot,
                      const model::AccountId& account);
// Leaves out those that the account may not read.
Status keep_readable(catalog::Transaction& tx, const model::AccountId& account,
                     std::vector<model::Snapshot>& snapshots);

// The snapshot, if the caller may make something of it (ERR-3, RI-3, SNP-12).
Result<model::Snapshot> find_readable_snapshot(catalog::Transaction& tx, const Caller& caller,
                                               const model::SnapshotId& id);
// The same, but not one that is merely public (ED-11).
Result<model::Snapshot> find_granted_snapshot(catalog::Transaction& tx, const Caller& caller,
                                              const model::SnapshotId& id);
// The caller's own, not a deleted one; whoever may only read it may not do what owners do.
Result<model::Snapshot> find_own_snapshot(catalog::Transaction& tx, const Caller& caller,
                                          const model::SnapshotId& id);

}  // namespace kiln::control
