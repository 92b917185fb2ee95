// SPDX-License-Identifier: Apache-2.0
#include "block/image/memory_chunk_index.h"

namespace kiln::block {

void MemoryChunkIndex::lookup(const DomainId& domain, std::vector<ChunkId> ids, LookupFor purpose,
                              io::Callback<Result<Located>> done) {
    Located found(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const auto places = places_.find({domain, ids[i]});
        if (places == places_.end()) {
            continue;
        }
        for (const auto& [pack, entry] : places->second) {
            if (purpose == LookupFor::reading || !condemned_.contains(pack)) {
                found[i] = ChunkLocation{pack, entry};
                break;
            }
        }
    }
    scheduler_.post(
        [found = std::move(found), done = std::move(done)]() mutable { done(std::move(found)); });
}

void MemoryChunkIndex::begin_pack(const PackHeader& pack, Done done) {
    packs_.try_emplace(pack.pack, Pack{pack, 0, {}});
    scheduler_.post([done = std::move(done)]() mutable { done(ok()); });
}

void MemoryChunkIndex::insert(const PackHeader& pack, std::uint64_t pack_bytes,
                              std::vector<PackEntry> entries, Done done) {
    for (const PackEntry& entry : entries) {
        places_[{pack.domain, entry.id}][pack.pack] = entry;
    }
    packs_[pack.pack] = {pack, pack_bytes, std::move(entries)};
    scheduler_.post([done = std::move(done)]() mutable { done(ok()); });
}

void MemoryChunkIndex::remove(const PackId& pack, Done done) {
    if (const auto at = packs_.find(pack); at != packs_.end()) {
        for (const PackEntry& entry : at->second.entries) {
            const auto places = places_.find({at->second.header.domain, entry.id});
            places->second.erase(pack);
            if (places->second.empty()) {
                places_.erase(places);
            }
        }
        packs_.erase(at);
        condemned_.erase(pack);
    }
    scheduler_.post([done = std::move(done)]() mutable { done(ok()); });
}

}  // namespace kiln::block
