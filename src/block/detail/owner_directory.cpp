// SPDX-License-Identifier: Apache-2.0
#include "block/detail/owner_directory.h"

#include <algorithm>

namespace kiln::block {

std::optional<std::size_t> OwnerDirectory::owner_of(const VolumeId& id) const {
    MutexLock lock(mutex_);
    const auto found = owners_.find(id);
    return found == owners_.end() ? std::nullopt : std::optional(found->second);
}

std::size_t OwnerDirectory::place(const VolumeId& id) {
    MutexLock lock(mutex_);
    if (const auto found = owners_.find(id); found != owners_.end()) {
        return found->second;
    }
    const auto fewest = std::min_element(volumes_of_.rbegin(), volumes_of_.rend());
    const auto owner = static_cast<std::size_t>(volumes_of_.rend() - fewest) - 1;
    owners_[id] = owner;
    ++volumes_of_[owner];
    return owner;
}

bool OwnerDirectory::claim(const VolumeId& id, std::size_t owner) {
    MutexLock lock(mutex_);
    const auto [at, fresh] = owners_.try_emplace(id, owner);
    if (fresh) {
        ++volumes_of_[owner];
    }
    return at->second == owner;
}

void OwnerDirectory::release(const VolumeId& id, std::size_t owner) {
    MutexLock lock(mutex_);
    const auto found = owners_.find(id);
    if (found != owners_.end() && found->second == owner) {
        owners_.erase(found);
        --volumes_of_[owner];
    }
}

std::optional<VolumeId> OwnerDirectory::claim_path(const std::string& path, const VolumeId& id) {
    MutexLock lock(mutex_);
    const auto [at, fresh] = paths_.try_emplace(path, id);
    return fresh ? std::nullopt : std::optional(at->second);
}

void OwnerDirectory::release_path(const std::string& path) {
    MutexLock lock(mutex_);
    paths_.erase(path);
}

}  // namespace kiln::block
