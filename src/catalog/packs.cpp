// SPDX-License-Identifier: Apache-2.0
#include "catalog/packs.h"

#include <bit>
#include <map>
#include <span>

#include "catalog/detail/codec.h"
#include "catalog/detail/row_crc.h"
#include "catalog/detail/sql.h"

namespace kiln::catalog {

namespace {

using namespace detail;
using model::ChunkEntry;
using model::PackRecord;
using model::PackState;

constexpr std::string_view kPackColumns =
    "number, id, kind, digest, domain, state, epoch, bytes, created, trashed";
// A statement's text is prepared once and kept. Lists are cut into pieces of these lengths, so that
// there are few texts.
constexpr std::size_t kMaxPiece = 256;
constexpr std::size_t kMaxRows = 64;

std::string marks(std::size_t count) {
    std::string text = "?";
    for (std::size_t i = 1; i < count; ++i) {
        text += ",?";
    }
    return text;
}

// "(?,?)" for one value more than there are is filled by repeating the last: the length becomes a
// power of two.
std::string pad(std::vector<SqlValue>& params, std::span<const Bytes> ids) {
    const std::size_t length = std::bit_ceil(ids.size());
    for (std::size_t i = 0; i < length; ++i) {
        params.emplace_back(ids[std::min(i, ids.size() - 1)]);
    }
    return "(" + marks(length) + ")";
}

template <class F>
Status each_piece(const std::vector<Bytes>& ids, F piece) {
    for (std::size_t at = 0; at < ids.size(); at += kMaxPiece) {
        TRY(piece(std::span(ids).subspan(at, std::min(kMaxPiece, ids.size() - at))));
    }
    return ok();
}

bool read(const SqlValue& in, Bytes& out) {
    const auto* bytes = std::get_if<Bytes>(&in);
    if (bytes != nullptr) {
        out = *bytes;
    }
    return bytes != nullptr;
}

// In the order of kPackColumns.
SqlRow encode_pack(std::int64_t number, const PackRecord& pack) {
    return {number,
            pack.id,
            to_sql(pack.kind),
            to_sql(pack.digest),
            pack.domain,
            to_sql(pack.state),
            to_sql(pack.epoch),
            to_sql(pack.bytes),
            to_sql(pack.created),
            to_sql(pack.trashed)};
}

// The columns and the check sum (D9).
Result<PackRow> decode_pack(SqlRow row) {
    const SqlValue crc = row.empty() ? SqlValue() : std::move(row.back());
    row.resize(row.empty() ? 0 : row.size() - 1);
    TRY(check_row_crc("packs", row, crc), "packs");
    PackRow out;
    PackRecord& pack = out.pack;
    const bool good = row.size() == 10 && from_sql(row[0], out.number) && read(row[1], pack.id) &&
                      from_sql(row[2], pack.kind) && from_sql(row[3], pack.digest) &&
                      read(row[4], pack.domain) && from_sql(row[5], pack.state) &&
                      from_sql(row[6], pack.epoch) && from_sql(row[7], pack.bytes) &&
                      from_sql(row[8], pack.created) && from_sql(row[9], pack.trashed);
    if (!good) {
        return Error(Code::data_loss, "packs: a row is not readable");
    }
    return out;
}

Result<ChunkPlace> decode_place(const SqlRow& row) {
    ChunkPlace out;
    ChunkEntry& entry = out.entry;
    const bool good = row.size() == 8 && read(row[0], entry.id) && read(row[1], out.pack) &&
                      from_sql(row[2], entry.place) && from_sql(row[3], entry.stored_bytes) &&
                      from_sql(row[4], entry.plain_bytes) && from_sql(row[5], entry.type) &&
                      from_sql(row[6], entry.codec) && from_sql(row[7], entry.encryption);
    if (!good) {
        return Error(Code::data_loss, "chunks: a row is not readable");
    }
    return out;
}

// What may change of a pack.
Status update_pack(SqlSession& session, const PackRow& changed) {
    const PackRecord& pack = changed.pack;
    const std::int64_t crc = row_crc("packs", encode_pack(changed.number, pack));
    TRY(session.execute(
        {"UPDATE packs SET state = ?, bytes = ?, trashed = ?, crc = ? WHERE number = ?",
         {to_sql(pack.state), to_sql(pack.bytes), to_sql(pack.trashed), crc, changed.number}}));
    return ok();
}

Status insert_entries(SqlSession& session, std::int64_t pack, std::span<const ChunkEntry> entries) {
    while (!entries.empty()) {
        const std::size_t count = std::min(kMaxRows, std::bit_floor(entries.size()));
        std::string sql =
            "INSERT INTO chunks (id, pack, place, stored_bytes, plain_bytes, type, codec, "
            "encryption) VALUES (?,?,?,?,?,?,?,?)";
        std::vector<SqlValue> params;
        params.reserve(count * 8);
        for (std::size_t i = 0; i < count; ++i) {
            const ChunkEntry& entry = entries[i];
            sql += i == 0 ? "" : ",(?,?,?,?,?,?,?,?)";
            params.emplace_back(entry.id);
            for (const std::uint64_t number :
                 {static_cast<std::uint64_t>(pack), std::uint64_t{entry.place},
                  std::uint64_t{entry.stored_bytes}, std::uint64_t{entry.plain_bytes},
                  std::uint64_t{entry.type}, std::uint64_t{entry.codec},
                  std::uint64_t{entry.encryption}}) {
                params.emplace_back(static_cast<std::int64_t>(number));
            }
        }
        TRY(session.execute({sql + " ON CONFLICT DO NOTHING", std::move(params)}));
        entries = entries.subspan(count);
    }
    return ok();
}

}  // namespace

Status Packs::insert(const PackRecord& pack) {
    // The next number; those of erased packs may come again, since nothing names them any more.
    TRY_ASSIGN(const auto next,
               session_.query({"SELECT COALESCE(MAX(number), 0) + 1 FROM packs", {}}));
    std::int64_t number = 0;
    if (next.empty() || next[0].empty() || !from_sql(next[0][0], number)) {
        return Error(Code::data_loss, "packs: the numbers are not readable");
    }
    PackRecord fresh = pack;
    fresh.trashed.reset();
    SqlRow values = encode_pack(number, fresh);
    values.emplace_back(row_crc("packs", values));
    TRY(session_.execute({"INSERT INTO packs (" + std::string(kPackColumns) +
                              ", crc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                          std::move(values)}));
    return ok();
}

Result<std::optional<PackRow>> Packs::row(const Bytes& id) {
    TRY_ASSIGN(const auto rows, session_.query({"SELECT " + std::string(kPackColumns) +
                                                    ", crc FROM packs WHERE id = ?",
                                                {id}}));
    if (rows.empty()) {
        return std::optional<PackRow>();
    }
    TRY_ASSIGN(PackRow found, decode_pack(rows[0]));
    return std::optional<PackRow>(std::move(found));
}

Status Packs::begin(const PackRecord& pack) {
    TRY_ASSIGN(const auto known, row(pack.id));
    if (known) {
        return ok();
    }
    PackRecord fresh = pack;
    fresh.state = PackState::writing;
    return insert(fresh);
}

Status Packs::store(const PackRecord& pack, const std::vector<ChunkEntry>& entries) {
    TRY_ASSIGN(auto known, row(pack.id));
    if (!known) {
        PackRecord fresh = pack;
        fresh.state = PackState::stored;
        TRY(insert(fresh));
        TRY_ASSIGN(known, row(pack.id));
    } else if (known->pack.state == PackState::trash) {
        return Error(Code::failed_precondition, "the pack was given up");
    } else if (known->pack.state == PackState::writing) {
        known->pack.state = PackState::stored;
        known->pack.bytes = pack.bytes;
        TRY(update_pack(session_, *known));
    }
    return insert_entries(session_, known->number, entries);
}

Result<std::vector<ChunkPlace>> Packs::lookup(const Bytes& domain, const std::vector<Bytes>& ids,
                                              const std::vector<PackState>& states) {
    std::vector<ChunkPlace> found;
    TRY(each_piece(ids, [&](std::span<const Bytes> piece) -> Status {
        std::vector<SqlValue> params;
        std::string sql =
            "SELECT c.id, p.id, c.place, c.stored_bytes, c.plain_bytes, c.type, c.codec, "
            "c.encryption FROM chunks AS c JOIN packs AS p ON p.number = c.pack WHERE c.id IN " +
            pad(params, piece) + " AND p.domain = ? AND p.state IN (" + marks(states.size()) +
            ") ORDER BY c.id, c.pack";
        params.emplace_back(domain);
        for (const PackState state : states) {
            params.push_back(to_sql(state));
        }
        TRY_ASSIGN(const auto rows, session_.query({std::move(sql), std::move(params)}));
        for (const SqlRow& row : rows) {
            TRY_ASSIGN(found.emplace_back(), decode_place(row));
        }
        return ok();
    }));
    return found;
}

Result<std::vector<ChunkEntry>> Packs::entries(const Bytes& pack) {
    TRY_ASSIGN(const auto rows,
               session_.query(
                   {"SELECT c.id, p.id, c.place, c.stored_bytes, c.plain_bytes, c.type, c.codec, "
                    "c.encryption FROM chunks AS c JOIN packs AS p ON p.number = c.pack WHERE "
                    "p.id = ? ORDER BY c.id",
                    {pack}}));
    std::vector<ChunkEntry> found;
    for (const SqlRow& row : rows) {
        TRY_ASSIGN(ChunkPlace place, decode_place(row));
        found.push_back(std::move(place.entry));
    }
    return found;
}

Status Packs::replace_entries(const Bytes& pack, const std::vector<ChunkEntry>& entries) {
    TRY_ASSIGN(const auto known, row(pack));
    if (!known) {
        return Error(Code::not_found, "the pack is unknown");
    }
    TRY(session_.execute({"DELETE FROM chunks WHERE pack = ?", {known->number}}));
    return insert_entries(session_, known->number, entries);
}

Result<std::optional<PackRecord>> Packs::find(const Bytes& id) {
    TRY_ASSIGN(auto found, row(id));
    return found ? std::optional(std::move(found->pack)) : std::nullopt;
}

Result<std::vector<PackRecord>> Packs::find_all(const std::vector<Bytes>& ids) {
    std::vector<PackRecord> found;
    TRY(each_piece(ids, [&](std::span<const Bytes> piece) -> Status {
        std::vector<SqlValue> params;
        std::string sql = "SELECT " + std::string(kPackColumns) + ", crc FROM packs WHERE id IN " +
                          pad(params, piece);
        TRY_ASSIGN(const auto rows, session_.query({std::move(sql), std::move(params)}));
        for (const SqlRow& row : rows) {
            TRY_ASSIGN(PackRow decoded, decode_pack(row));
            found.push_back(std::move(decoded.pack));
        }
        return ok();
    }));
    return found;
}

Result<std::vector<PackRow>> Packs::list(PackState state, std::int64_t after, std::size_t limit) {
    TRY_ASSIGN(
        const auto rows,
        session_.query({"SELECT " + std::string(kPackColumns) +
                            ", crc FROM packs WHERE state = ? AND number > ? ORDER BY number "
                            "LIMIT " +
                            std::to_string(limit),
                        {to_sql(state), after}}));
    std::vector<PackRow> found;
    for (const SqlRow& row : rows) {
        TRY_ASSIGN(found.emplace_back(), decode_pack(row));
    }
    return found;
}

Status Packs::set_state(const std::vector<Bytes>& ids, PackState state) {
    for (const Bytes& id : ids) {
        TRY_ASSIGN(auto known, row(id));
        if (known) {
            known->pack.state = state;
            TRY(update_pack(session_, *known));
        }
    }
    return ok();
}

Status Packs::trash(const Bytes& id, UnixMillis now) {
    TRY_ASSIGN(auto known, row(id));
    if (!known) {
        return ok();
    }
    TRY(session_.execute({"DELETE FROM chunks WHERE pack = ?", {known->number}}));
    known->pack.state = PackState::trash;
    known->pack.trashed = now;
    return update_pack(session_, *known);
}

Status Packs::erase(const Bytes& id) {
    TRY(session_.execute(
        {"DELETE FROM chunks WHERE pack = (SELECT number FROM packs WHERE id = ?)", {id}}));
    TRY(session_.execute({"DELETE FROM packs WHERE id = ?", {id}}));
    return ok();
}

}  // namespace kiln::catalog
