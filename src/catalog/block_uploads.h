// SPDX-License-Identifier: Apache-2.0
// BlockUploads: snapshots whose blocks are being put, and which blocks those are, within one
// transaction (model/block_upload.h). Blocks are many and small, so they have columns only.
//
// Errors as for Repository. One owner thread: the one that runs the transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/block_upload.h"
#include "util/result.h"

namespace kiln::catalog {

namespace detail {
class SqlSession;
}

class BlockUploads {
  public:
    explicit BlockUploads(detail::SqlSession& session) : session_(session) {}

    Status insert(const model::BlockUpload& upload);
    Result<std::optional<model::BlockUpload>> find(const model::SnapshotId& id);
    // What may change: `active` and `completing`. not_found when it is gone.
    Status update(const model::BlockUpload& upload);
    // With its blocks. Fine if it is gone.
    Status erase(const model::SnapshotId& id);

    // In the place of the one with this index, if there is one.
    Status put(const model::SnapshotId& id, const model::UploadedBlock& block);
    Status erase_block(const model::SnapshotId& id, std::uint64_t index);
    Result<std::optional<model::UploadedBlock>> find_block(const model::SnapshotId& id,
                                                           std::uint64_t index);
    // By index, from one on.
    Result<std::vector<model::UploadedBlock>> blocks(const model::SnapshotId& id,
                                                     std::uint64_t from, std::size_t limit);
    // Those with `writing`.
    Result<std::vector<model::UploadedBlock>> unsettled(const model::SnapshotId& id);
    Result<std::uint64_t> count(const model::SnapshotId& id);

  private:
    detail::SqlSession& session_;
};

}  // namespace kiln::catalog
