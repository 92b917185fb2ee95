// SPDX-License-Identifier: Apache-2.0
#include "control/chunk_index.h"

#include <map>

namespace kiln::control {
namespace {

using block::ChunkId;
using block::ChunkLocation;
using block::Located;
using block::PackEntry;
using block::PackHeader;
using model::PackState;

template <class Id>
Bytes to_bytes(const Id& id) {
    return Bytes(id.bytes.begin(), id.bytes.end());
}

// What the columns say is checked again by whoever reads the entry; here only that it is a value of
// the type.
Result<ChunkLocation> to_location(const catalog::ChunkPlace& place) {
    const model::ChunkEntry& chunk = place.entry;
    const bool good = place.pack.size() == block::PackId::kBytes &&
                      chunk.id.size() == ChunkId::kBytes && chunk.type >= 1 &&
                      chunk.type <= static_cast<std::uint8_t>(block::EntryType::root) &&
                      chunk.codec <= static_cast<std::uint8_t>(block::Codec::zstd) &&
                      chunk.encryption <= static_cast<std::uint8_t>(block::Encryption::aes_256_gcm);
    if (!good) {
        return Error(Code::data_loss, "chunks: a row is not readable");
    }
    ChunkLocation location;
    location.pack = block::PackId::from(place.pack);
    location.entry.id = ChunkId::from(chunk.id);
    location.entry.offset = chunk.place;
    location.entry.stored_bytes = chunk.stored_bytes;
    location.entry.plain_bytes = chunk.plain_bytes;
    location.entry.type = static_cast<block::EntryType>(chunk.type);
    location.entry.codec = static_cast<block::Codec>(chunk.codec);
    location.entry.encryption = static_cast<block::Encryption>(chunk.encryption);
    return location;
}

Result<Located> find(catalog::Transaction& tx, const block::DomainId& domain,
                     const std::vector<ChunkId>& ids, block::LookupFor purpose) {
    std::vector<PackState> states{PackState::stored};
    if (purpose == block::LookupFor::reading) {
        states.push_back(PackState::condemned);
    }
    std::map<ChunkId, std::optional<ChunkLocation>> found;
    for (const ChunkId& id : ids) {
        found[id];
    }
    std::vector<Bytes> wanted;
    for (const auto& [id, place] : found) {
        wanted.push_back(to_bytes(id));
    }
    TRY_ASSIGN(const auto places, tx.packs().lookup(to_bytes(domain), wanted, states));
    for (const catalog::ChunkPlace& place : places) {
        TRY_ASSIGN(ChunkLocation location, to_location(place));
        std::optional<ChunkLocation>& slot = found[location.entry.id];
        if (!slot) {
            slot = location;
        }
    }
    Located located;
    located.reserve(ids.size());
    for (const ChunkId& id : ids) {
        located.push_back(found[id]);
    }
    return located;
}

}  // namespace

model::PackRecord pack_record(const PackHeader& header, std::uint64_t bytes, UnixMillis now) {
    model::PackRecord record;
    record.id = to_bytes(header.pack);
    record.kind =
        header.kind == block::PackKind::node ? model::PackKind::node : model::PackKind::data;
    record.digest = header.digest == block::DigestKind::hmac_sha256 ? model::PackDigest::hmac_sha256
                                                                    : model::PackDigest::sha256;
    record.domain = to_bytes(header.domain);
    record.epoch = header.epoch;
    record.bytes = bytes;
    record.created = now;
    return record;
}

model::ChunkEntry chunk_entry(const PackEntry& entry) {
    model::ChunkEntry chunk;
    chunk.id = to_bytes(entry.id);
    chunk.place = entry.offset;
    chunk.stored_bytes = entry.stored_bytes;
    chunk.plain_bytes = entry.plain_bytes;
    chunk.type = static_cast<std::uint8_t>(entry.type);
    chunk.codec = static_cast<std::uint8_t>(entry.codec);
    chunk.encryption = static_cast<std::uint8_t>(entry.encryption);
    return chunk;
}

CatalogChunkIndex::~CatalogChunkIndex() {
    MutexLock lock(mutex_);
    while (tasks_ > 0) {
        idle_.wait(lock);
    }
}

void CatalogChunkIndex::begin_task() {
    MutexLock lock(mutex_);
    ++tasks_;
}

void CatalogChunkIndex::end_task() {
    MutexLock lock(mutex_);
    --tasks_;
    // Under the lock: the destructor may go on as soon as it is free.
    idle_.notify_all();
}

template <class T, class Work>
void CatalogChunkIndex::answer(Work work, io::Callback<Result<T>> done) {
    // Shared, because the executor copies its tasks and may refuse one.
    auto waiting = std::make_shared<io::Callback<Result<T>>>(std::move(done));
    const auto give = [this, waiting](Result<T> result) {
        scheduler_.post(
            [waiting, result = std::move(result)]() mutable { (*waiting)(std::move(result)); });
    };
    begin_task();
    Status queued = executor_.submit([this, give, work = std::move(work)] {
        give(work());
        end_task();
    });
    if (!queued) {
        give(Error(Code::unavailable, "the chunk index is busy: " + queued.error().message()));
        end_task();
    }
}

void CatalogChunkIndex::lookup(const block::DomainId& domain, std::vector<ChunkId> ids,
                               block::LookupFor purpose, io::Callback<Result<Located>> done) {
    answer<Located>(
        [this, domain, ids = std::move(ids), purpose] {
            return store_.read(
                [&](catalog::Transaction& tx) { return find(tx, domain, ids, purpose); });
        },
        std::move(done));
}

void CatalogChunkIndex::begin_pack(const PackHeader& pack, block::Done done) {
    answer<void>(
        [this, record = pack_record(pack, 0, clock_.now())] {
            return store_.run([&](catalog::Transaction& tx) { return tx.packs().begin(record); });
        },
        std::move(done));
}

void CatalogChunkIndex::insert(const PackHeader& pack, std::uint64_t pack_bytes,
                               std::vector<PackEntry> entries, block::Done done) {
    std::vector<model::ChunkEntry> chunks;
    chunks.reserve(entries.size());
    for (const PackEntry& entry : entries) {
        chunks.push_back(chunk_entry(entry));
    }
    answer<void>(
        [this, record = pack_record(pack, pack_bytes, clock_.now()), chunks = std::move(chunks)] {
            return store_.run(
                [&](catalog::Transaction& tx) { return tx.packs().store(record, chunks); });
        },
        std::move(done));
}

void CatalogChunkIndex::remove(const block::PackId& pack, block::Done done) {
    answer<void>(
        [this, id = to_bytes(pack)] {
            return store_.run([&](catalog::Transaction& tx) { return tx.packs().erase(id); });
        },
        std::move(done));
}

}  // namespace kiln::control
