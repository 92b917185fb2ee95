// SPDX-License-Identifier: Apache-2.0
// Packs: which packs of the image tier there are and which chunk lies where, within one
// transaction. An id may lie in several packs. Rows are many and small, so they have columns only
// and are asked for and written in bulk.
//
// Errors as for Repository. One owner thread: the one that runs the transaction.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/pack.h"
#include "util/result.h"

namespace kiln::catalog {

namespace detail {
class SqlSession;
}

struct PackRow {
    std::int64_t number = 0;  // names the pack within the catalog; orders the list
    model::PackRecord pack;
};

struct ChunkPlace {
    model::ChunkEntry entry;
    Bytes pack;
};

class Packs {
  public:
    explicit Packs(detail::SqlSession& session) : session_(session) {}

    // A new pack in state `writing`; one that is known stays as it is.
    Status begin(const model::PackRecord& pack);
    // The pack's object is durable: its entries, and `stored` if it was `writing` or unknown.
    // Repeating it changes nothing. failed_precondition for `trash`: its object is about to go.
    Status store(const model::PackRecord& pack, const std::vector<model::ChunkEntry>& entries);
    // Of packs in these states. Unknown ids are left out; an id in several packs is there once for
    // each, the oldest pack first. Each id once.
    Result<std::vector<ChunkPlace>> lookup(const Bytes& domain, const std::vector<Bytes>& ids,
                                           const std::vector<model::PackState>& states);

    // All of a pack, by id.
    Result<std::vector<model::ChunkEntry>> entries(const Bytes& pack);
    // In the place of those there are. not_found for an unknown pack.
    Status replace_entries(const Bytes& pack, const std::vector<model::ChunkEntry>& entries);

    Result<std::optional<model::PackRecord>> find(const Bytes& id);
    // The unknown ones are left out.
    Result<std::vector<model::PackRecord>> find_all(const std::vector<Bytes>& ids);
    // A page of those in one state, by number.
    Result<std::vector<PackRow>> list(model::PackState state, std::int64_t after,
                                      std::size_t limit);
    Status set_state(const std::vector<Bytes>& ids, model::PackState state);
    // Its entries go, and it becomes `trash`.
    Status trash(const Bytes& id, UnixMillis now);
    // The pack and all its entries. Fine if it is unknown.
    Status erase(const Bytes& id);

  private:
    Result<std::optional<PackRow>> row(const Bytes& id);
    Status insert(const model::PackRecord& pack);
    detail::SqlSession& session_;
};

}  // namespace kiln::catalog
