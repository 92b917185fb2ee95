// SPDX-License-Identifier: Apache-2.0
#include "control/disk_inspections.h"

namespace kiln::control {
namespace {

// Some KiB each.
constexpr std::size_t kMaxKnown = 256;
// Each has a process, and may hold a request's thread for its whole time.
constexpr int kMaxRunning = 4;

}  // namespace

DiskInspections::Known DiskInspections::known(const model::ContentId& content) {
    MutexLock lock(mutex_);
    const auto found = known_.find(content);
    return found == known_.end() ? nullptr : found->second;
}

Result<std::shared_ptr<const disks::Inspection>> DiskInspections::of(const Caller& caller,
                                                                     const model::SnapshotId& id) {
    TRY_ASSIGN(const ExportableDisk disk, exports_.find(caller, id.str()));
    if (Known before = known(disk.content_id)) {
        return before;
    }
    {
        MutexLock lock(mutex_);
        if (running_ == kMaxRunning) {
            return Error(Code::unavailable, "other disks are being looked at; ask again");
        }
        ++running_;
    }
    const auto look = [&]() -> Result<Known> {
        TRY_ASSIGN(const auto source, exports_.open(caller, id));
        TRY_ASSIGN(auto seen, disks::inspect_disk(
                                  source->size_bytes(),
                                  [&source](std::uint64_t offset, MutableByteView into) {
                                      return source->read(offset, into);
                                  },
                                  program_));
        return std::make_shared<const disks::Inspection>(std::move(seen));
    };
    const auto seen = look();
    MutexLock lock(mutex_);
    --running_;
    // Where there was no sandbox there may be one the next time.
    if (seen && (*seen)->why_not.empty()) {
        if (known_.size() == kMaxKnown) {
            known_.erase(known_.begin());
        }
        known_[disk.content_id] = *seen;
    }
    return seen;
}

}  // namespace kiln::control
