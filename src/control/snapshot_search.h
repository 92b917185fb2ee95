// SPDX-License-Identifier: Apache-2.0
// SnapshotSearch: one DescribeSnapshots (SNP-13, SNP-14): what the caller may make volumes of, or a
// part of that. Thread model: used by one thread, within a transaction.
#pragma once

#include <string>
#include <vector>

#include "control/describe_scope.h"
#include "control/pagination.h"
#include "control/snapshot_views.h"

namespace kiln::control {

struct DescribeSnapshotsInput {
    std::vector<model::SnapshotId> ids;
    std::vector<std::string> owners;         // account ids, `self`, aliases
    std::vector<std::string> restorable_by;  // account ids, `self`, `all`
    std::vector<Filter> filters;
    PageRequest page;
};

class SnapshotSearch {
  public:
    static Result<SnapshotSearch> create(const Caller& caller, const DescribeSnapshotsInput& input);

    Result<Page<SnapshotView>> run(catalog::Transaction& tx) const;

  private:
    SnapshotSearch(const Caller& caller, const DescribeSnapshotsInput& input)
        : caller_(caller), input_(input) {}
    bool is_restorable(const model::Snapshot& snapshot) const;
    catalog::SnapshotQuery narrowed() const;
    Result<std::vector<model::Snapshot>> read_named(catalog::Transaction& tx) const;
    Result<std::vector<SnapshotView>> shown(catalog::Transaction& tx,
                                            std::vector<model::Snapshot> snapshots) const;

    const Caller& caller_;
    const DescribeSnapshotsInput& input_;
    PageStart start_;
    OwnerScope owners_;
    SharedScope restorable_by_;
};

}  // namespace kiln::control
