// SPDX-License-Identifier: Apache-2.0
#include "block/image/chunk_store.h"

#include <algorithm>

namespace kiln::block {

void ChunkStore::fetch(const DomainId& domain, std::vector<ChunkId> ids, EntryType type,
                       AheadMarkPtr ahead, Fetched done) {
    auto batch = std::make_shared<Batch>();
    batch->found.resize(ids.size());
    batch->missing = 1;  // the last posted step: nothing completes inside the call
    batch->done = std::move(done);
    std::vector<ChunkId> unknown;
    for (std::size_t i = 0; i < ids.size(); ++i) {
        const ChunkKey key{domain, ids[i]};
        if (ahead && type == EntryType::chunk) {
            if (context_.cache.contains(key)) {
                continue;
            }
        } else if (batch->found[i] = context_.cache.find(key); batch->found[i] != nullptr) {
            continue;
        }
        ++batch->missing;
        const auto [at, fresh] = loads_.try_emplace(key, Load{.type = type, .ahead = ahead});
        Load& load = at->second;
        load.waiters.push_back({batch, i});
        if (fresh) {
            unknown.push_back(ids[i]);
        } else if (!ahead && load.ahead) {
            join(key, load);
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

// A reader wants what was to be read ahead.
void ChunkStore::join(const ChunkKey& key, Load& load) {
    load.ahead.reset();
    load.joined = true;
    const auto is_it = [&key](const auto& entry) {
        if constexpr (requires { entry.get; }) {
            return entry.get.key == key;
        } else {
            return entry.key == key;
        }
    };
    if (const auto get = std::ranges::find_if(behind_, is_it); get != behind_.end()) {
        waiting_.push_back(*get);
        behind_.erase(get);
        pump();
    } else if (const auto ripe = std::ranges::find_if(ripe_, is_it); ripe != ripe_.end()) {
        Ripe now = std::move(*ripe);
        ripe_.erase(ripe);
        open({std::move(now)});
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
        (loads_.at(key).ahead ? behind_ : waiting_).push_back({key, *at, attempt});
    }
}

void ChunkStore::pump() {
    while (in_flight_ < kGetsInFlight && !waiting_.empty()) {
        ++in_flight_;
        start(next_run());
    }
    while (!behind_.empty() && ahead_may_begin()) {
        Get get = behind_.front();
        behind_.pop_front();
        get.ahead = true;
        ++ahead_in_flight_;
        start({get});
    }
}

// The first that waits, and those behind it that lie behind it.
ChunkStore::Run ChunkStore::next_run() {
    Run run;
    std::uint64_t bytes = 0;
    do {
        const Get& get = waiting_.front();
        bytes += entry_bytes(get.at.entry);
        run.push_back(get);
        waiting_.pop_front();
    } while (!waiting_.empty() && follows(run.back(), waiting_.front()) &&
             bytes + entry_bytes(waiting_.front().at.entry) <= kRunBytes);
    return run;
}

bool ChunkStore::follows(const Get& before, const Get& get) {
    return !before.alone && !get.alone && get.at.pack == before.at.pack &&
           get.at.entry.offset == before.at.entry.offset + entry_bytes(before.at.entry);
}

// One always may: whoever closes a volume waits for what is read ahead for it.
bool ChunkStore::ahead_may_begin() const {
    return ahead_in_flight_ == 0 ||
           (ahead_in_flight_ < kAheadInFlight && waiting_.empty() && in_flight_ < kAheadGivesWay);
}

void ChunkStore::start(Run run) {
    gets_ += run.size();
    const ChunkLocation& first = run.front().at;
    const PackEntry& last = run.back().at.entry;
    const std::uint64_t length = last.offset + entry_bytes(last) - first.entry.offset;
    std::string name = pack_name(context_.store_uuid, first.pack);
    const std::uint64_t offset = first.entry.offset;
    context_.objects.get(
        std::move(name), offset, length, {.timeout = kObjectTimeout},
        [this, run = std::move(run)](Result<Bytes> stored) { got(run, std::move(stored)); });
}

void ChunkStore::got(const Run& run, Result<Bytes> stored) {
    if (!run.front().ahead) {
        --in_flight_;
    } else if (!stored) {
        --ahead_in_flight_;  // else when it is decoded
    }
    if (!stored && run.size() > 1) {
        for (auto get = run.rbegin(); get != run.rend(); ++get) {
            waiting_.push_front(*get);
            waiting_.front().alone = true;
        }
        pump();
        return;
    }
    pump();
    if (!stored) {
        failed(run.front(), std::move(stored.error()));
        return;
    }
    const auto all = std::make_shared<const Bytes>(*std::move(stored));
    ByteView rest = *all;
    std::vector<Ripe> together;
    for (const Get& get : run) {
        // One that the pack's end cuts short is noticed when it is opened.
        const auto bytes = std::min<std::uint64_t>(entry_bytes(get.at.entry), rest.size());
        Ripe part{get, {all, rest.first(bytes)}};
        rest = rest.subspan(bytes);
        const bool behind = loads_.at(get.key).ahead != nullptr;
        if (behind && ahead_opening_ >= kAheadOpening) {
            ripe_.push_back(std::move(part));
        } else if (behind) {
            open({std::move(part)});
        } else {
            together.push_back(std::move(part));
        }
        if (together.size() == kOpenTogether) {
            open(std::exchange(together, {}));
        }
    }
    if (!together.empty()) {
        open(std::move(together));
    }
}

void ChunkStore::failed(const Get& get, Error error) {
    if (error.code() == Code::not_found) {
        locate_again(get, std::move(error));
    } else {
        loaded(get.key, std::move(error));
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

// Several for readers, or one that is read ahead.
void ChunkStore::open(std::vector<Ripe> parts) {
    struct Job {
        std::vector<Ripe> parts;
        std::vector<Result<Bytes>> plain{};
    };
    const bool behind = loads_.at(parts.front().get.key).ahead != nullptr;
    ahead_opening_ += behind ? 1 : 0;
    auto job = std::make_shared<Job>(Job{std::move(parts)});
    context_.worker.run(
        [job] {
            for (const Ripe& part : job->parts) {
                job->plain.push_back(open_entry(part.get.at.entry, part.stored.entry));
            }
        },
        [this, job, behind] {
            ahead_opening_ -= behind ? 1 : 0;
            for (std::size_t i = 0; i < job->parts.size(); ++i) {
                opened(job->parts[i].get, std::move(job->plain[i]));
            }
        });
}

void ChunkStore::opened(const Get& get, Result<Bytes> plain) {
    ahead_in_flight_ -= get.ahead ? 1 : 0;
    while (!ripe_.empty() && ahead_opening_ < kAheadOpening) {
        Ripe next = std::move(ripe_.front());
        ripe_.pop_front();
        open({std::move(next)});
    }
    pump();
    if (!plain) {
        loaded(get.key, std::move(plain.error()).with("pack " + get.at.pack.hex()));
        return;
    }
    auto bytes = std::make_shared<const Bytes>(*std::move(plain));
    const Load& load = loads_.at(get.key);
    if (load.ahead && load.type == EntryType::chunk) {
        context_.cache.put_ahead(get.key, bytes, load.ahead);
    } else {
        if (load.joined && load.type == EntryType::chunk) {
            context_.cache.count_joined(bytes->size());
        }
        context_.cache.put(get.key, bytes);
    }
    loaded(get.key, BytesPtr(std::move(bytes)));
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
