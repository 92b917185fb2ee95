// SPDX-License-Identifier: Apache-2.0
// SnapshotSharing: with whom its owner shares a snapshot (SS-1, SS-2, SS-4). Thread-safe, blocking.
#pragma once

#include <string>
#include <vector>

#include "control/caller.h"
#include "control/parts.h"
#include "model/snapshot.h"

namespace kiln::control {

// Exactly one of the two.
struct VolumePermission {
    std::string user_id;
    std::string group;
    friend bool operator==(const VolumePermission&, const VolumePermission&) = default;
};

struct SnapshotSharingChange {
    std::vector<VolumePermission> add;
    std::vector<VolumePermission> remove;
};

class SnapshotSharing {
  public:
    explicit SnapshotSharing(const Parts& parts) : parts_(parts) {}

    Status change(const Caller& caller, const model::SnapshotId& id,
                  const SnapshotSharingChange& change, bool dry_run);
    Status reset(const Caller& caller, const model::SnapshotId& id, bool dry_run);
    Result<model::Sharing> describe(const Caller& caller, const model::SnapshotId& id,
                                    bool dry_run);

  private:
    template <class Edit>
    Status edit(const Caller& caller, const model::SnapshotId& id, bool dry_run, Edit edit);

    const Parts parts_;
};

}  // namespace kiln::control
