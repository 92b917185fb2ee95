// SPDX-License-Identifier: Apache-2.0
// MemoryChunkIndex: the index in memory, for tests and simulation. Thread model: one owner thread.
#pragma once

#include <map>
#include <set>

#include "block/image/chunk_index.h"
#include "io/scheduler.h"

namespace kiln::block {

class MemoryChunkIndex final : public ChunkIndex {
  public:
    explicit MemoryChunkIndex(io::Scheduler& scheduler) : scheduler_(scheduler) {}

    void lookup(const DomainId& domain, std::vector<ChunkId> ids, LookupFor purpose,
                io::Callback<Result<Located>> done) override;
    void begin_pack(const PackHeader& pack, Done done) override;
    void insert(const PackHeader& pack, std::uint64_t pack_bytes, std::vector<PackEntry> entries,
                Done done) override;
    void remove(const PackId& pack, Done done) override;

    // From now on the pack serves no deduplication.
    void condemn(const PackId& pack) { condemned_.insert(pack); }

    struct Pack {
        PackHeader header;
        std::uint64_t bytes = 0;  // 0: begun only
        std::vector<PackEntry> entries;
    };
    const std::map<PackId, Pack>& packs() const { return packs_; }

  private:
    using Key = std::pair<DomainId, ChunkId>;
    io::Scheduler& scheduler_;
    std::map<PackId, Pack> packs_;
    std::map<Key, std::map<PackId, PackEntry>> places_;
    std::set<PackId> condemned_;
};

}  // namespace kiln::block
