// SPDX-License-Identifier: Apache-2.0
// Snapshots: making, describing and deleting them (SNP). A create request checks everything, cuts
// the volumes while it waits, and answers the snapshots `pending`, as EC2 does. Thread-safe,
// blocking.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "control/caller.h"
#include "control/cuts.h"
#include "control/places.h"
#include "control/snapshot_search.h"
#include "control/tagging.h"

namespace kiln::control {

struct CreateSnapshotInput {
    model::VolumeId volume_id;
    LocationInput place{};
    std::string description;
    std::vector<TagSpecification> tags;
    bool dry_run = false;
};

// Of an instance's volumes, at one instant (SNP-8).
struct CreateSnapshotsInput {
    model::InstanceId instance_id;
    bool exclude_boot_volume = false;
    std::vector<model::VolumeId> exclude_data_volumes;
    bool copy_volume_tags = false;
    LocationInput place{};
    std::string description;
    std::vector<TagSpecification> tags;
    bool dry_run = false;
};

inline constexpr std::size_t kMaxSnapshotDescription = 255;  // SNP-10
Status check_snapshot_request(const std::string& description,
                              const std::vector<TagSpecification>& tags);

// SNP-2, SNP-9: whether a snapshot of it may be begun.
Status check_cuttable(catalog::Transaction& tx, const Parts& parts, const model::Volume& volume);
// A snapshot of the volume, but for the content and the set, which the cut gives it (SNP-8: all of
// one request have the same start time).
model::Snapshot draft_snapshot(const Parts& parts, const Caller& caller,
                               const model::Volume& volume, std::string description,
                               UnixMillis now);

// SNP-20: an image that is not gone and names it, if there is one.
Result<std::optional<model::Image>> image_using(catalog::Transaction& tx,
                                                const model::SnapshotId& id);
// The row of one that is not pending, and its tags; its content, if nothing else names that.
Status erase_snapshot(catalog::Transaction& tx, const Parts& parts,
                      const model::Snapshot& snapshot);

class Snapshots {
  public:
    Snapshots(const Parts& parts, Cuts& cuts, std::function<void()> work_added)
        : parts_(parts), cuts_(cuts), work_added_(std::move(work_added)) {}

    Result<SnapshotView> create(const Caller& caller, const CreateSnapshotInput& input);
    Result<std::vector<SnapshotView>> create_set(const Caller& caller,
                                                 const CreateSnapshotsInput& input);
    Result<Page<SnapshotView>> describe(const Caller& caller, const DescribeSnapshotsInput& input);
    Status remove(const Caller& caller, const model::SnapshotId& id, bool dry_run);
    // DR-2: each that can be deleted; what became of it: "success", "skipped" (an image uses it),
    // "missing-permissions", "client-error" or "internal-error".
    struct Removal {
        model::SnapshotId id;
        std::string outcome;
    };
    std::vector<Removal> remove_each(const Caller& caller,
                                     const std::vector<model::SnapshotId>& ids);

  private:
    // What the snapshots of one request have in common.
    struct Draft {
        std::string description;
        std::vector<model::Tag> tags;
        bool copy_volume_tags = false;
        LocationInput place{};
    };
    Result<std::vector<SnapshotView>> cut(const Caller& caller,
                                          const std::vector<model::VolumeId>& volumes,
                                          const Cuts::Begin& begin);
    Result<std::vector<model::Snapshot>> draft(catalog::Transaction& tx, const Caller& caller,
                                               const std::vector<model::Volume>& volumes,
                                               const Draft& draft);
    const Parts parts_;
    Cuts& cuts_;
    const std::function<void()> work_added_;
};

}  // namespace kiln::control
