// SPDX-License-Identifier: Apache-2.0
// What a caller is shown of a snapshot: the snapshot with the caller's tags; and the filters of
// DescribeSnapshots. Thread model: plain values; load functions within a transaction.
#pragma once

#include <vector>

#include "catalog/store.h"
#include "control/caller.h"
#include "control/filter.h"
#include "model/snapshot.h"
#include "model/tag.h"

namespace kiln::control {

struct SnapshotView {
    model::Snapshot snapshot;
    std::vector<model::Tag> tags;
};

Result<std::vector<SnapshotView>> load_views(catalog::Transaction& tx, const Caller& caller,
                                             std::vector<model::Snapshot> snapshots);

// "42%"; empty before anything is known (SNP-3).
std::string progress_text(const model::Snapshot& snapshot);

// SNP-14.
const FilterTable<SnapshotView>& snapshot_filters();

}  // namespace kiln::control
