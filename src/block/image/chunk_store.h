// SPDX-License-Identifier: Apache-2.0
// ChunkStore: plaintext by id: cache, index, pack, decode, verify. Every chunk and node that comes
// out matches its id; anything else is data_loss, never zeros. Requests for an id that is being
// loaded join it. A pack that was collected between the look at the index and the read is looked
// for anew.
//
// What is read ahead goes behind what readers want: it begins when they leave room, and no more of
// it is decoded at a time than there are processors as a rule. As soon as a reader joins a load it
// is that reader's, and goes first.
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
    void fetch(const DomainId& domain, std::vector<ChunkId> ids, EntryType type, Fetched done) {
        fetch(domain, std::move(ids), type, nullptr, std::move(done));
    }
    // The same for nobody yet: with a mark (ImageCache). Of chunks that are at hand nothing is
    // given.
    void fetch(const DomainId& domain, std::vector<ChunkId> ids, EntryType type, AheadMarkPtr ahead,
               Fetched done);

    // Entries read from packs so far, for tests and counters.
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
        std::vector<Waiter> waiters{};
        AheadMarkPtr ahead{};  // while no reader wants it
        bool joined = false;   // by a reader, after it had begun as one of those
    };
    struct Get {
        ChunkKey key;
        ChunkLocation at;
        unsigned attempt = 1;
        bool ahead = false;  // it counts as one that is read ahead
        bool alone = false;  // reading it with others failed
    };
    // One behind the other in one pack; more than one only for readers.
    using Run = std::vector<Get>;
    // An entry's part of what a run read.
    struct Stored {
        BytesPtr all;
        ByteView entry;
    };
    struct Ripe {
        Get get;
        Stored stored;
    };
    static void give(const Waiter& waiter, const Result<BytesPtr>& result);
    void join(const ChunkKey& key, Load& load);
    void locate(const DomainId& domain, std::vector<ChunkId> ids);
    void located(const ChunkKey& key, const std::optional<ChunkLocation>& at, unsigned attempt);
    void pump();
    bool ahead_may_begin() const;
    Run next_run();
    static bool follows(const Get& before, const Get& get);
    void start(Run run);
    void got(const Run& run, Result<Bytes> stored);
    void failed(const Get& get, Error error);
    void locate_again(const Get& get, Error missing);
    void open(std::vector<Ripe> parts);
    void opened(const Get& get, Result<Bytes> plain);
    void loaded(const ChunkKey& key, Result<BytesPtr> result);

    const ImageContext& context_;
    std::unordered_map<ChunkKey, Load, ChunkKeyHash> loads_;
    std::deque<Get> waiting_;
    std::deque<Get> behind_;  // to be read ahead
    std::deque<Ripe> ripe_;   // read ahead, to be decoded
    std::size_t in_flight_ = 0;
    std::size_t ahead_in_flight_ = 0;
    std::size_t ahead_opening_ = 0;
    std::uint64_t gets_ = 0;
};

}  // namespace kiln::block
