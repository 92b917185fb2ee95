// SPDX-License-Identifier: Apache-2.0
// DiskDiffs: in which blocks of 512 KiB two snapshots differ, or the root snapshots of images
// (SNP-24). Of two that are stored, trees are compared, which costs what differs; while one of them
// is not, both are read where they have data. Page by page; nothing is kept between the pages.
//
// Whoever may export both may compare them. Errors: as for an export; Unavailable when one is
// deleted meanwhile. Thread-safe, blocking.
#pragma once

#include "control/disk_exports.h"

namespace kiln::control {

struct DiskDiff {
    std::uint64_t from_bytes = 0;  // sizes of the disks
    std::uint64_t to_bytes = 0;
    std::uint64_t block_bytes = 0;
    // Whole blocks that differ, ascending and apart; a disk that ends before counts as zeros there.
    std::vector<block::DataRange> ranges;
    std::optional<std::uint64_t> next;  // where the next page begins; none at the end
};

class DiskDiffs {
  public:
    DiskDiffs(const Parts& parts, DiskExports& exports, std::function<void()> work_added)
        : parts_(parts), exports_(exports), work_added_(std::move(work_added)) {}

    // `offset`: 0, or what the page before says.
    Result<DiskDiff> page(const Caller& caller, const std::string& from, const std::string& to,
                          std::uint64_t offset);

  private:
    struct Sides;
    Result<Sides> find(const Caller& caller, const std::string& from, const std::string& to);
    Status compare_trees(const Sides& sides, std::uint64_t offset, DiskDiff& page);
    Status compare_bytes(const Sides& sides, std::uint64_t offset, DiskDiff& page);
    Error explain(const Sides& sides, Error error);

    const Parts parts_;
    DiskExports& exports_;
    const std::function<void()> work_added_;
};

}  // namespace kiln::control
