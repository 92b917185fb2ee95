// SPDX-License-Identifier: Apache-2.0
// ImageCache: tree nodes and decoded, verified chunks in memory, one for all volumes of a host,
// bounded by bytes, least recently used goes first. What a reader holds stays alive outside the
// count. Thread model: one owner thread.
#pragma once

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

class ImageCache {
  public:
    explicit ImageCache(std::size_t limit_bytes) : limit_(limit_bytes) {}
    BytesPtr find(const ChunkKey& key);
    void put(const ChunkKey& key, BytesPtr bytes);
    std::size_t bytes() const { return bytes_; }

  private:
    struct Item {
        ChunkKey key;
        BytesPtr bytes;
    };
    static std::size_t cost(const Item& item);
    const std::size_t limit_;
    std::size_t bytes_ = 0;
    std::list<Item> items_;  // most recently used first
    std::unordered_map<ChunkKey, std::list<Item>::iterator, ChunkKeyHash> index_;
};

}  // namespace kiln::block
