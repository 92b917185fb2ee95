// SPDX-License-Identifier: Apache-2.0
// OwnerDirectory: which of an engine's owners has which volume, and which socket path belongs to
// which volume, so that a name is one thing whatever reactor it lives on. A volume stays with its
// owner until it is closed; a new one goes to the owner that has the fewest.
//
// Thread-safe; outlives every VolumeOwner.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "block/ids.h"
#include "util/mutex.h"

namespace kiln::block {

class OwnerDirectory {
  public:
    explicit OwnerDirectory(std::size_t owners) : volumes_of_(owners) {}

    std::optional<std::size_t> owner_of(const VolumeId& id) const EXCLUDES(mutex_);
    // The owner it has, or the one with the fewest volumes, which has it from now on. Of such the
    // last: the first has work of its own, storing above all.
    std::size_t place(const VolumeId& id) EXCLUDES(mutex_);
    // False: another one has it.
    bool claim(const VolumeId& id, std::size_t owner) EXCLUDES(mutex_);
    // Nothing happens when another one has it.
    void release(const VolumeId& id, std::size_t owner) EXCLUDES(mutex_);

    // The volume that has the path already; none: this one has it now.
    std::optional<VolumeId> claim_path(const std::string& path, const VolumeId& id)
        EXCLUDES(mutex_);
    void release_path(const std::string& path) EXCLUDES(mutex_);

  private:
    mutable Mutex mutex_;
    std::map<VolumeId, std::size_t> owners_ GUARDED_BY(mutex_);
    std::vector<std::size_t> volumes_of_ GUARDED_BY(mutex_);  // how many each owner has
    std::map<std::string, VolumeId> paths_ GUARDED_BY(mutex_);
};

}  // namespace kiln::block
