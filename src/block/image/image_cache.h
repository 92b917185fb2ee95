// SPDX-License-Identifier: Apache-2.0
// ImageCache: tree nodes and decoded, verified chunks in memory, one for all volumes of a host,
// bounded by bytes. What a reader holds stays alive outside the count.
//
// Admission as in 2Q, so that a scan of whatever length pushes out nothing that is read again and
// again. What is read for the first time is `recent`: first in, first out, also when it is read
// several times meanwhile, as by small reads that follow each other; such has a quarter when there
// is not room for all. Keys that left it are remembered, and what comes back is `frequent`: least
// recently used goes first. What was read ahead and nobody has asked for yet is `ahead`: at most a
// quarter, the oldest goes, and its mark says so to whoever had it read.
//
// Thread-safe: the volumes that read it have owners of their own. Its lock is held for a look into
// a table and a change of a list, nothing else: every read of a tree passes here.
#pragma once

#include <array>
#include <atomic>
#include <list>
#include <memory>
#include <unordered_map>

#include "block/image/image_ids.h"
#include "util/mutex.h"

namespace kiln::block {

using BytesPtr = std::shared_ptr<const Bytes>;

struct ChunkKey {
    DomainId domain;
    ChunkId id;
    friend bool operator==(const ChunkKey&, const ChunkKey&) = default;
};

struct ChunkKeyHash {
    std::size_t operator()(const ChunkKey& key) const {
        return std::hash<ChunkId>{}(key.id) ^ std::hash<DomainId>{}(key.domain);
    }
};

// Of whoever reads ahead: something of it went before it was used. There is not room for all.
struct AheadMark {
    std::atomic<bool> lost = false;
};
using AheadMarkPtr = std::shared_ptr<AheadMark>;

// Plaintext of chunks, since the start. What is neither used nor wasted waits in the cache.
struct AheadCounters {
    std::uint64_t bytes = 0;
    std::uint64_t used = 0;
    std::uint64_t wasted = 0;
};

class ImageCache {
  public:
    explicit ImageCache(std::size_t limit_bytes) : limit_(limit_bytes) {}
    // For a reader: it counts as used.
    BytesPtr find(const ChunkKey& key) EXCLUDES(mutex_);
    // Changes nothing.
    bool contains(const ChunkKey& key) const EXCLUDES(mutex_);
    void put(const ChunkKey& key, BytesPtr bytes) EXCLUDES(mutex_);
    void put_ahead(const ChunkKey& key, BytesPtr bytes, AheadMarkPtr mark) EXCLUDES(mutex_);
    // A reader asked for it while it was being read ahead; it is put() then.
    void count_joined(std::size_t bytes) EXCLUDES(mutex_);
    std::size_t bytes() const EXCLUDES(mutex_);
    AheadCounters ahead() const EXCLUDES(mutex_);

  private:
    enum class Part : std::uint8_t { recent, frequent, ahead };
    struct Item {
        ChunkKey key;
        BytesPtr bytes;
        Part part = Part::recent;
        AheadMarkPtr mark{};  // of `ahead` only
    };
    struct Segment {
        std::list<Item> items{};  // the next to go is the last
        std::size_t bytes = 0;
    };
    static std::size_t cost(const Item& item);
    Segment& segment(Part part) REQUIRES(mutex_) {
        return segments_.at(static_cast<std::size_t>(part));
    }
    // Where it goes when a reader asks for it; one that is remembered is so no longer.
    Part first_part(const ChunkKey& key) REQUIRES(mutex_);
    void insert(Item item) REQUIRES(mutex_);
    void move(std::list<Item>::iterator item, Part to) REQUIRES(mutex_);
    void drop_last(Part part) REQUIRES(mutex_);
    void remember(const ChunkKey& key) REQUIRES(mutex_);
    void shrink() REQUIRES(mutex_);

    const std::size_t limit_;
    mutable Mutex mutex_;
    std::size_t bytes_ GUARDED_BY(mutex_) = 0;
    std::array<Segment, 3> segments_ GUARDED_BY(mutex_){};
    std::unordered_map<ChunkKey, std::list<Item>::iterator, ChunkKeyHash> index_ GUARDED_BY(mutex_);
    // Keys that were recent.
    std::list<ChunkKey> gone_ GUARDED_BY(mutex_);
    std::unordered_map<ChunkKey, std::list<ChunkKey>::iterator, ChunkKeyHash> gone_index_
        GUARDED_BY(mutex_);
    AheadCounters counters_ GUARDED_BY(mutex_);
};

}  // namespace kiln::block
