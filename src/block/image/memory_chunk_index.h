// SPDX-License-Identifier: Apache-2.0
// MemoryChunkIndex: the index in memory, for tests and simulation. Several may have the same rows,
// as those of several reactors have the catalog's. Thread model: one owner thread; the rows may
// have other owners.
#pragma once

#include <map>
#include <set>

#include "block/image/chunk_index.h"
#include "io/scheduler.h"
#include "util/mutex.h"

namespace kiln::block {

class MemoryChunkIndex final : public ChunkIndex {
  public:
    struct Pack {
        PackHeader header;
        std::uint64_t bytes = 0;  // 0: begun only
        std::vector<PackEntry> entries;
    };
    struct Rows {
        using Key = std::pair<DomainId, ChunkId>;
        Mutex mutex;
        std::map<PackId, Pack> packs GUARDED_BY(mutex);
        std::map<Key, std::map<PackId, PackEntry>> places GUARDED_BY(mutex);
        std::set<PackId> condemned GUARDED_BY(mutex);
    };
    explicit MemoryChunkIndex(io::Scheduler& scheduler,
                              std::shared_ptr<Rows> rows = std::make_shared<Rows>())
        : scheduler_(scheduler), rows_(std::move(rows)) {}

    void lookup(const DomainId& domain, std::vector<ChunkId> ids, LookupFor purpose,
                io::Callback<Result<Located>> done) override;
    void begin_pack(const PackHeader& pack, Done done) override;
    void insert(const PackHeader& pack, std::uint64_t pack_bytes, std::vector<PackEntry> entries,
                Done done) override;
    void remove(const PackId& pack, Done done) override;

    // From now on the pack serves no deduplication.
    void condemn(const PackId& pack);
    std::map<PackId, Pack> packs() const;

  private:
    io::Scheduler& scheduler_;
    const std::shared_ptr<Rows> rows_;
};

}  // namespace kiln::block
