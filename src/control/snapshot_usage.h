// SPDX-License-Identifier: Apache-2.0
// How much of a snapshot is allocated, and how much of that its owner holds nowhere else (SNP-6,
// SNP-23), in blocks of 512 KiB. Thread model: functions are thread-safe, blocking.
#pragma once

#include "block/engine.h"
#include "control/parts.h"
#include "model/snapshot.h"

namespace kiln::control {

struct SnapshotUsage {
    std::uint64_t logical_bytes = 0;  // the volume's size
    std::uint64_t full_bytes = 0;     // allocated
    std::uint64_t unique_bytes = 0;   // of these: at no place of what else the account holds
    std::uint64_t shared_bytes = 0;   // of these: the others
};

// Of the snapshot alone, as if its account were alone. failed_precondition while it is not stored
// in the image tier, resource_exhausted for an account that holds more than kMostUsageOthers
// others.
Result<SnapshotUsage> usage_of(const Parts& parts, const model::Snapshot& snapshot);
inline constexpr std::size_t kMostUsageOthers = 4096;

// The allocated bytes of the tree that was just made of a layered content, whose job has a lease.
// What its base has may be known: then only what differs from that is looked at. Nothing, and a
// line in the log, when it cannot be counted.
std::optional<std::uint64_t> count_allocated(const Parts& parts, const model::ContentId& content,
                                             const std::string& root);
// SNP-6: of all snapshots of the content, copies too.
Status set_full_size(catalog::Transaction& tx, const model::ContentId& content,
                     std::uint64_t bytes);

}  // namespace kiln::control
