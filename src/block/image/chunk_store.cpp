// SPDX-License-Identifier: Apache-2.0
#include "block/image/chunk_store.h"

namespace kiln::block {

void ChunkStore::fetch(const DomainId& domain, std::vector<ChunkId> ids, EntryType type,
                       Fetched done) {
    auto batch = std::make_shared<Batch>();
    batch->found.resize(ids.size());
    batch->missing = 1;  // the last posted step: nothing completes inside the call
    batch->done = std::move(done);
    std::vector<ChunkId> unknown;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        batch->found[i] = find(domain, ids[i]);
        if (batch->found[i] != nullptr) {
            continue;
        }
        ++batch->missing;
        const auto [load, fresh] = loads_.try_emplace({domain, ids[i]}, Load{type, {}});
        load->second.waiters.push_back({batch, i});
        if (fresh) {
            unknown.push_back(ids[i]);
        }
    }
    if (!unknown.empty()) {
        locate(domain, std::move(unknown));
    }
    context_.scheduler.post([batch] { give({batch, batch->found.size()}, BytesPtr()); });
}

void ChunkStore::give(const Waiter& waiter, const Result<BytesPtr>& result) {
    Batch& batch = *waiter.batch;
    if (!result) {
        if (batch.status) {
            batch.status = result.error();
        }
    } else if (waiter.slot < batch.found.size()) {
        batch.found[waiter.slot] = *result;
    }
    if (--batch.missing > 0) {
        return;
    }
    Fetched done = std::move(batch.done);
    if (batch.status) {
        done(std::move(batch.found));
    } else {
        done(batch.status.error());
    }
}

void ChunkStore::locate(const DomainId& domain, std::vector<ChunkId> ids) {
    std::vector<ChunkId> asked = ids;
    context_.index.lookup(domain, std::move(asked), LookupFor::reading,
                          [this, domain, ids = std::move(ids)](Result<Located> located_at) {
                              for (std::size_t i = 0; i < ids.size(); ++i) {
                                  if (!located_at) {
                                      loaded({domain, ids[i]}, located_at.error());
                                  } else {
                                      located({domain, ids[i]}, (*located_at)[i], 1);
                                  }
                              }
                              pump();
                          });
}

void ChunkStore::located(const ChunkKey& key, const std::optional<ChunkLocation>& at,
                         unsigned attempt) {
    if (!at) {
        loaded(key, Error(Code::data_loss, "no pack holds " + key.id.hex()));
    } else if (at->entry.type != loads_.at(key).type || at->entry.id != key.id ||
               at->entry.plain_bytes > kMaxPlainBytes || at->entry.stored_bytes > kMaxPlainBytes) {
        loaded(key, Error(Code::data_loss, "the index is wrong about " + key.id.hex()));
    } else {
        waiting_.push_back({key, *at, attempt});
    }
}

void ChunkStore::pump() {
    while (in_flight_ < kGetsInFlight && !waiting_.empty()) {
        const Get get = waiting_.front();
        waiting_.pop_front();
        ++in_flight_;
        ++gets_;
        context_.objects.get(pack_name(context_.store_uuid, get.at.pack), get.at.entry.offset,
                             kEntryHeaderBytes + std::uint64_t{get.at.entry.stored_bytes},
                             {.timeout = kObjectTimeout}, [this, get](Result<Bytes> stored) {
                                 --in_flight_;
                                 pump();
                                 if (stored) {
                                     open(get, *std::move(stored));
                                     return;
                                 }
                                 if (stored.error().code() == Code::not_found) {
                                     locate_again(get, std::move(stored.error()));
                                 } else {
                                     loaded(get.key, std::move(stored.error()));
                                 }
                             });
    }
}

// A collected pack leaves the index before its object goes. If the index still names the same pack,
// its absence is no answer but damage.
void ChunkStore::locate_again(const Get& get, Error missing) {
    context_.index.lookup(
        get.key.domain, {get.key.id}, LookupFor::reading,
        [this, get, missing = std::move(missing)](Result<Located> found) {
            if (!found) {
                loaded(get.key, std::move(found.error()));
                return;
            }
            const std::optional<ChunkLocation>& at = found->front();
            if (at && (at->pack == get.at.pack || get.attempt == kMaxLocateAttempts)) {
                loaded(get.key, Error(Code::data_loss, "a pack is missing: " + missing.message()));
            } else {
                located(get.key, at, get.attempt + 1);
            }
            pump();
        });
}

void ChunkStore::open(const Get& get, Bytes stored) {
    struct Job {
        Bytes stored;
        PackEntry entry;
        Result<Bytes> plain = Bytes();
    };
    auto job = std::make_shared<Job>(Job{std::move(stored), get.at.entry});
    context_.worker.run(
        [job] { job->plain = open_entry(job->entry, job->stored); },
        [this, job, get] {
            if (!job->plain) {
                loaded(get.key, std::move(job->plain.error()).with("pack " + get.at.pack.hex()));
                return;
            }
            auto bytes = std::make_shared<const Bytes>(*std::move(job->plain));
            context_.cache.put(get.key, bytes);
            loaded(get.key, BytesPtr(std::move(bytes)));
        });
}

void ChunkStore::loaded(const ChunkKey& key, Result<BytesPtr> result) {
    const auto at = loads_.find(key);
    INVARIANT(at != loads_.end());
    const std::vector<Waiter> waiters = std::move(at->second.waiters);
    loads_.erase(at);
    for (const Waiter& waiter : waiters) {
        give(waiter, result);
    }
}

}  // namespace kiln::block
