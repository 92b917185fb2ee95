// SPDX-License-Identifier: Apache-2.0
// ChunkStore: plaintext by id: cache, index, pack, decode, verify. Every chunk and node that comes
// out matches its id; anything else is data_loss, never zeros. Requests for an id that is being
// loaded join it. A pack that was collected between the look at the index and the read is looked
// for anew.
//
// ImageContext is what all of the image tier works with; everything in it outlives every user, and
// a ChunkStore its fetches. Thread model: one owner thread.
#pragma once

#include <deque>
#include <unordered_map>

#include "block/image/chunk_index.h"
#include "block/image/image_cache.h"
#include "block/image/image_limits.h"
#include "block/image/worker.h"
#include "io/clock.h"
#include "objects/object_store.h"

namespace kiln::block {

struct ImageContext {
    objects::ObjectStore& objects;
    ChunkIndex& index;
    Worker& worker;
    io::Scheduler& scheduler;
    io::Rng& rng;
    ImageCache& cache;
    std::string store_uuid;
    std::uint32_t pack_target_bytes = kPackTargetBytes;
};

class ChunkStore {
  public:
    explicit ChunkStore(const ImageContext& context) : context_(context) {}

    const ImageContext& context() const { return context_; }
    // Only from the cache.
    BytesPtr find(const DomainId& domain, const ChunkId& id) {
        return context_.cache.find({domain, id});
    }
    // All of one type, in the order of the ids. Never completes inside the call.
    using Fetched = io::Callback<Result<std::vector<BytesPtr>>>;
    void fetch(const DomainId& domain, std::vector<ChunkId> ids, EntryType type, Fetched done);

    // Reads from packs so far, for tests and counters.
    std::uint64_t gets() const { return gets_; }

  private:
    struct Batch {
        std::vector<BytesPtr> found;
        std::size_t missing = 0;
        Status status = ok();
        Fetched done;
    };
    struct Waiter {
        std::shared_ptr<Batch> batch;
        std::size_t slot;
    };
    struct Load {
        EntryType type = EntryType::chunk;
        std::vector<Waiter> waiters;
    };
    struct Get {
        ChunkKey key;
        ChunkLocation at;
        unsigned attempt = 1;
    };
    static void give(const Waiter& waiter, const Result<BytesPtr>& result);
    void locate(const DomainId& domain, std::vector<ChunkId> ids);
    void located(const ChunkKey& key, const std::optional<ChunkLocation>& at, unsigned attempt);
    void pump();
    void locate_again(const Get& get, Error missing);
    void open(const Get& get, Bytes stored);
    void loaded(const ChunkKey& key, Result<BytesPtr> result);

    const ImageContext& context_;
    std::unordered_map<ChunkKey, Load, ChunkKeyHash> loads_;
    std::deque<Get> waiting_;
    std::size_t in_flight_ = 0;
    std::uint64_t gets_ = 0;
};

}  // namespace kiln::block
