// SPDX-License-Identifier: Apache-2.0
#include "catalog/block_uploads.h"

#include "catalog/detail/codec.h"
#include "catalog/detail/sql.h"

namespace kiln::catalog {

namespace {

using namespace detail;
using model::BlockUpload;
using model::UploadedBlock;

constexpr std::string_view kBlockColumns = "block, digest, writing";

// No bytes are NULL.
SqlValue to_value(const Bytes& bytes) {
    return bytes.empty() ? SqlValue() : SqlValue(bytes);
}

bool read(const SqlValue& in, Bytes& out) {
    if (in == SqlValue()) {
        return true;
    }
    const auto* bytes = std::get_if<Bytes>(&in);
    if (bytes != nullptr) {
        out = *bytes;
    }
    return bytes != nullptr;
}

Result<BlockUpload> decode_upload(const SqlRow& row) {
    BlockUpload out;
    const bool good = row.size() == 5 && from_sql(row[0], out.snapshot) &&
                      from_sql(row[1], out.parent) && from_sql(row[2], out.timeout_ms) &&
                      from_sql(row[3], out.active) && from_sql(row[4], out.completing);
    if (!good) {
        return Error(Code::data_loss, "block_uploads: a row is not readable");
    }
    return out;
}

Result<std::vector<UploadedBlock>> decode_blocks(const std::vector<SqlRow>& rows) {
    std::vector<UploadedBlock> found;
    found.reserve(rows.size());
    for (const SqlRow& row : rows) {
        UploadedBlock& block = found.emplace_back();
        const bool good = row.size() == 3 && from_sql(row[0], block.index) &&
                          read(row[1], block.digest) && read(row[2], block.writing);
        if (!good) {
            return Error(Code::data_loss, "uploaded_blocks: a row is not readable");
        }
    }
    return found;
}

}  // namespace

Status BlockUploads::insert(const BlockUpload& upload) {
    TRY(session_.execute(
        {"INSERT INTO block_uploads (snapshot, parent, timeout, active, completing) VALUES "
         "(?, ?, ?, ?, ?)",
         {to_sql(upload.snapshot), to_sql(upload.parent), to_sql(upload.timeout_ms),
          to_sql(upload.active), to_sql(upload.completing)}}));
    return ok();
}

Result<std::optional<BlockUpload>> BlockUploads::find(const model::SnapshotId& id) {
    TRY_ASSIGN(const auto rows,
               session_.query({"SELECT snapshot, parent, timeout, active, completing FROM "
                               "block_uploads WHERE snapshot = ?",
                               {to_sql(id)}}));
    if (rows.empty()) {
        return std::optional<BlockUpload>();
    }
    TRY_ASSIGN(BlockUpload found, decode_upload(rows[0]));
    return std::optional<BlockUpload>(std::move(found));
}

Status BlockUploads::update(const BlockUpload& upload) {
    TRY_ASSIGN(const auto known, find(upload.snapshot));
    if (!known) {
        return Error(Code::not_found, "the upload is unknown");
    }
    TRY(session_.execute(
        {"UPDATE block_uploads SET active = ?, completing = ? WHERE snapshot = ?",
         {to_sql(upload.active), to_sql(upload.completing), to_sql(upload.snapshot)}}));
    return ok();
}

Status BlockUploads::erase(const model::SnapshotId& id) {
    TRY(session_.execute({"DELETE FROM uploaded_blocks WHERE snapshot = ?", {to_sql(id)}}));
    TRY(session_.execute({"DELETE FROM block_uploads WHERE snapshot = ?", {to_sql(id)}}));
    return ok();
}

Status BlockUploads::put(const model::SnapshotId& id, const UploadedBlock& block) {
    TRY(session_.execute(
        {"INSERT INTO uploaded_blocks (snapshot, block, digest, writing) VALUES (?, ?, ?, ?) ON "
         "CONFLICT (snapshot, block) DO UPDATE SET digest = excluded.digest, writing = "
         "excluded.writing",
         {to_sql(id), to_sql(block.index), to_value(block.digest), to_value(block.writing)}}));
    return ok();
}

Status BlockUploads::erase_block(const model::SnapshotId& id, std::uint64_t index) {
    TRY(session_.execute({"DELETE FROM uploaded_blocks WHERE snapshot = ? AND block = ?",
                          {to_sql(id), to_sql(index)}}));
    return ok();
}

Result<std::optional<UploadedBlock>> BlockUploads::find_block(const model::SnapshotId& id,
                                                              std::uint64_t index) {
    TRY_ASSIGN(auto found, blocks(id, index, 1));
    if (found.empty() || found.front().index != index) {
        return std::optional<UploadedBlock>();
    }
    return std::optional<UploadedBlock>(std::move(found.front()));
}

Result<std::vector<UploadedBlock>> BlockUploads::blocks(const model::SnapshotId& id,
                                                        std::uint64_t from, std::size_t limit) {
    TRY_ASSIGN(const auto rows,
               session_.query({"SELECT " + std::string(kBlockColumns) +
                                   " FROM uploaded_blocks WHERE snapshot = ? AND block >= ? ORDER "
                                   "BY block LIMIT " +
                                   std::to_string(limit),
                               {to_sql(id), to_sql(from)}}));
    return decode_blocks(rows);
}

Result<std::vector<UploadedBlock>> BlockUploads::unsettled(const model::SnapshotId& id) {
    TRY_ASSIGN(const auto rows,
               session_.query({"SELECT " + std::string(kBlockColumns) +
                                   " FROM uploaded_blocks WHERE snapshot = ? AND writing IS NOT "
                                   "NULL ORDER BY block",
                               {to_sql(id)}}));
    return decode_blocks(rows);
}

Result<std::uint64_t> BlockUploads::count(const model::SnapshotId& id) {
    TRY_ASSIGN(
        const auto rows,
        session_.query({"SELECT COUNT(*) FROM uploaded_blocks WHERE snapshot = ?", {to_sql(id)}}));
    std::uint64_t count = 0;
    if (rows.empty() || rows[0].empty() || !from_sql(rows[0][0], count)) {
        return Error(Code::data_loss, "uploaded_blocks: the count is not readable");
    }
    return count;
}

}  // namespace kiln::catalog
