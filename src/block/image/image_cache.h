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
// Thread model: one owner thread.
#pragma once

#include <array>
#include <list>
#include <memory>
#include <unordered_map>

#include "block/image/image_ids.h"

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
    bool lost = false;
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
    BytesPtr find(const ChunkKey& key);
    // Changes nothing.
    bool contains(const ChunkKey& key) const { return index_.contains(key); }
    void put(const ChunkKey& key, BytesPtr bytes);
    void put_ahead(const ChunkKey& key, BytesPtr bytes, AheadMarkPtr mark);
    // A reader asked for it while it was being read ahead; it is put() then.
    void count_joined(std::size_t bytes);
    std::size_t bytes() const { return bytes_; }
    const AheadCounters& ahead() const { return counters_; }

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
    Segment& segment(Part part) { return segments_.at(static_cast<std::size_t>(part)); }
    // Where it goes when a reader asks for it; one that is remembered is so no longer.
    Part first_part(const ChunkKey& key);
    void insert(Item item);
    void move(std::list<Item>::iterator item, Part to);
    void drop_last(Part part);
    void remember(const ChunkKey& key);
    void shrink();

    const std::size_t limit_;
    std::size_t bytes_ = 0;
    std::array<Segment, 3> segments_{};
    std::unordered_map<ChunkKey, std::list<Item>::iterator, ChunkKeyHash> index_;
    // Keys that were recent.
    std::list<ChunkKey> gone_;
    std::unordered_map<ChunkKey, std::list<ChunkKey>::iterator, ChunkKeyHash> gone_index_;
    AheadCounters counters_;
};

}  // namespace kiln::block
