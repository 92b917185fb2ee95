// SPDX-License-Identifier: Apache-2.0
#include "block/image/memory_chunk_index.h"

namespace kiln::block {

void MemoryChunkIndex::lookup(const DomainId& domain, std::vector<ChunkId> ids, LookupFor purpose,
                              io::Callback<Result<Located>> done) {
    Located found(ids.size());
    {
        MutexLock lock(rows_->mutex);
        for (std::size_t i = 0; i < ids.size(); ++i) {
            const auto places = rows_->places.find({domain, ids[i]});
            if (places == rows_->places.end()) {
                continue;
            }
            for (const auto& [pack, entry] : places->second) {
                if (purpose == LookupFor::reading || !rows_->condemned.contains(pack)) {
                    found[i] = ChunkLocation{pack, entry};
                    break;
                }
            }
        }
    }
    scheduler_.post(
        [found = std::move(found), done = std::move(done)]() mutable { done(std::move(found)); });
}

void MemoryChunkIndex::begin_pack(const PackHeader& pack, Done done) {
    {
        MutexLock lock(rows_->mutex);
        rows_->packs.try_emplace(pack.pack, Pack{pack, 0, {}});
    }
    scheduler_.post([done = std::move(done)]() mutable { done(ok()); });
}

void MemoryChunkIndex::insert(const PackHeader& pack, std::uint64_t pack_bytes,
                              std::vector<PackEntry> entries, Done done) {
    {
        MutexLock lock(rows_->mutex);
        for (const PackEntry& entry : entries) {
            rows_->places[{pack.domain, entry.id}][pack.pack] = entry;
        }
        rows_->packs[pack.pack] = {pack, pack_bytes, std::move(entries)};
    }
    scheduler_.post([done = std::move(done)]() mutable { done(ok()); });
}

void MemoryChunkIndex::remove(const PackId& pack, Done done) {
    {
        MutexLock lock(rows_->mutex);
        if (const auto at = rows_->packs.find(pack); at != rows_->packs.end()) {
            for (const PackEntry& entry : at->second.entries) {
                const auto places = rows_->places.find({at->second.header.domain, entry.id});
                places->second.erase(pack);
                if (places->second.empty()) {
                    rows_->places.erase(places);
                }
            }
            rows_->packs.erase(at);
            rows_->condemned.erase(pack);
        }
    }
    scheduler_.post([done = std::move(done)]() mutable { done(ok()); });
}

void MemoryChunkIndex::condemn(const PackId& pack) {
    MutexLock lock(rows_->mutex);
    rows_->condemned.insert(pack);
}

std::map<PackId, MemoryChunkIndex::Pack> MemoryChunkIndex::packs() const {
    MutexLock lock(rows_->mutex);
    return rows_->packs;
}

}  // namespace kiln::block
