// SPDX-License-Identifier: Apache-2.0
// DiskInspections: what is on the disk of a snapshot (disks/inspection.h), looked at when somebody
// asks, and remembered: a content never changes. Those who may read the snapshot may ask (SNP-12).
// Thread-safe; a question blocks for at most some 30 s.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "control/disk_exports.h"
#include "disks/inspection.h"
#include "util/mutex.h"

namespace kiln::control {

class DiskInspections {
  public:
    // `program`: the path of kiln itself.
    DiskInspections(DiskExports& exports, std::string program)
        : exports_(exports), program_(std::move(program)) {}

    // Never null. `unavailable` when too many are looked at already.
    Result<std::shared_ptr<const disks::Inspection>> of(const Caller& caller,
                                                        const model::SnapshotId& id)
        EXCLUDES(mutex_);

  private:
    using Known = std::shared_ptr<const disks::Inspection>;
    Known known(const model::ContentId& content) EXCLUDES(mutex_);

    DiskExports& exports_;
    const std::string program_;
    Mutex mutex_;
    std::map<model::ContentId, Known> known_ GUARDED_BY(mutex_);
    int running_ GUARDED_BY(mutex_) = 0;
};

}  // namespace kiln::control
