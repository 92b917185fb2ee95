// SPDX-License-Identifier: Apache-2.0
// PackSink: collects encoded entries of one kind into packs and makes each durable: intent in the
// index, the object, its entries in the index. The first failure ends the sink: every wait gets it.
// Thread model: one owner thread.
#pragma once

#include <unordered_set>

#include "block/image/chunk_store.h"

namespace kiln::block {

class PackSink : public std::enable_shared_from_this<PackSink> {
  public:
    PackSink(const ImageContext& context, PackKind kind, DomainId domain, std::uint64_t epoch)
        : context_(context), kind_(kind), domain_(domain), epoch_(epoch) {}

    // Added here and not yet in the index.
    bool holds(const ChunkId& id) const { return unindexed_.contains(id); }
    // Starts writing the pack when it has reached its size. Not when holds(entry.id).
    void add(const PackEntry& entry, ByteView encoded);
    // Starts writing what is there.
    void seal();
    // When at most so many packs are being written; at once if that is so. One wait at a time.
    void when_at_most(std::size_t packs, Done done);
    // Durable and indexed.
    const std::vector<PackId>& written() const { return written_; }
    std::uint64_t written_bytes() const { return written_bytes_; }

  private:
    struct Write;
    Bytes room();
    void put(std::shared_ptr<Write> write);
    void ended(const Write& write, Status status);

    const ImageContext& context_;
    const PackKind kind_;
    const DomainId domain_;
    const std::uint64_t epoch_;
    std::unique_ptr<PackBuilder> open_;
    std::vector<Bytes> spare_;  // memory of packs that are written
    std::unordered_set<ChunkId> unindexed_;
    std::size_t writing_ = 0;
    Status status_ = ok();
    std::size_t waits_for_ = 0;
    Done waiting_;
    std::vector<PackId> written_;
    std::uint64_t written_bytes_ = 0;
};

}  // namespace kiln::block
