// SPDX-License-Identifier: Apache-2.0
// SnapshotCopies: CopySnapshot within a region and across regions (SNP-15, SNP-16). A copy names
// the content its source names, so it is made in one transaction, whatever the size. Thread-safe,
// blocking.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/parts.h"
#include "control/places.h"
#include "control/snapshot_views.h"
#include "control/tagging.h"

namespace kiln::control {

struct CopySnapshotInput {
    std::string source_region;
    model::SnapshotId source_snapshot_id;
    PlaceInput place{};       // REG-7
    std::string description;  // SNP-16
    std::optional<std::int64_t> completion_minutes;
    std::vector<TagSpecification> tags;
    bool dry_run = false;
};

class SnapshotCopies {
  public:
    explicit SnapshotCopies(const Parts& parts) : parts_(parts) {}

    // Into the caller's region.
    Result<SnapshotView> copy(const Caller& caller, const CopySnapshotInput& input);

  private:
    const Parts parts_;
};

Status check_source_region(const Topology& topology, const std::string& region);
// Of a copy that is to be over within so many minutes. `parameter` is their name.
Status check_completion_minutes(std::optional<std::int64_t> minutes, std::string_view parameter);

// What `source` is, as a snapshot of the caller's in the caller's region, without what happened to
// it and whom it is shared with. It is whole at once.
model::Snapshot begin_snapshot_copy(const Parts& parts, const Caller& caller,
                                    const model::Snapshot& source,
                                    std::optional<std::int64_t> completion_minutes);

}  // namespace kiln::control
