// SPDX-License-Identifier: Apache-2.0
// TreeWriter: a base tree and a stream of changed chunks give a new tree. start(), then add() any
// number of times, each after the last completed, then finish().
//
// Chunks come in ascending order, each at most once. Nodes are copied along the path and closed for
// good when the stream has passed them, so memory is one path, one batch and the packs in flight,
// whatever the size. Chunks and nodes that an uncondemned pack has are not stored again; nodes are
// looked up too, which is safe because each is reached from below: all its changed children were
// written or hit by this writer, all others belong to the live base.
//
// When finish() completes, packs, node packs and index entries are durable, in this order; the
// caller then commits the digest, after checking that no pack written or hit was condemned. After
// an error the writer is over; nothing it left is referenced. Thread model: one owner thread.
#pragma once

#include <set>

#include "block/image/pack_sink.h"
#include "block/image/tree_format.h"

namespace kiln::block {

struct WriterOptions {
    RootDigest base;               // zeros: none
    std::uint64_t size_bytes = 0;  // at least the base's
    ImageGeometry geometry;        // the base's
    DomainId domain;
    std::uint64_t epoch = 0;
    Codec codec = Codec::zstd;
};

// `bytes` is a whole chunk (zeros beyond the size) and stays until add() completes.
struct ChunkChange {
    std::uint64_t chunk = 0;
    ByteView bytes;
};

struct WrittenTree {
    RootDigest root;
    RootRecord record;
    std::vector<PackId> packs_written;
    std::set<PackId> packs_hit;  // packs of others that the new tree leans on
    std::uint64_t chunks_written = 0;
    std::uint64_t chunks_hit = 0;
    std::uint64_t chunks_zero = 0;
    std::uint64_t stored_bytes = 0;
};

class TreeWriter : public std::enable_shared_from_this<TreeWriter> {
  public:
    TreeWriter(ChunkStore& store, WriterOptions options);
    void start(Done done);
    void add(std::vector<ChunkChange> changes, Done done);
    void finish(io::Callback<Result<WrittenTree>> done);

  private:
    struct Item {
        ChunkChange change;
        ChunkId id;  // zeros: a chunk of zeros
        bool miss = false;
        PackEntry entry{};
        std::size_t place = 0;  // of what becomes of it, among that of its slice
    };
    // Its memory is used again for the next: what a worker allocated for each chunk the owner
    // thread would have to free, and wait for the worker's allocator.
    struct Batch {
        std::vector<Item> items;
        std::vector<Bytes> encoded;  // entries of each slice that were misses
    };
    struct Open {
        Node node;
        std::uint64_t index = 0;  // of the node among those of its level
        ChunkId original;
    };
    struct NewNode {
        ChunkId id;
        EntryType type;
        Bytes bytes;
    };

    Status check(const std::vector<ChunkChange>& changes);
    void hash();
    void deduplicate();
    void deduplicated(const std::vector<std::size_t>& asked, const Located& found);
    void encode();
    void encoded();
    void apply();
    bool open_path(std::uint64_t leaf);
    bool open_node(unsigned level, const ChunkId& id, ByteView bytes, std::uint64_t leaf);
    void close_node();
    void add_node(EntryType type, const ChunkId& id, Bytes bytes);
    void flush_nodes(Done done);
    void write_nodes(const Located& found, Done done);
    void end_batch(Status status);
    Result<WrittenTree> result(const RootRecord& record) const;
    // Runs `work` on slices of the batch and then `then` on the owner thread.
    template <class Work, class Then>
    void in_worker(Work work, Then then);

    ChunkStore& store_;
    const WriterOptions options_;
    const std::shared_ptr<PackSink> data_;
    const std::shared_ptr<PackSink> nodes_;
    Status status_ = ok();
    ChunkId top_;
    std::uint64_t next_chunk_ = 0;  // the least that may come
    const std::shared_ptr<EncoderPool> encoders_ = std::make_shared<EncoderPool>();
    const std::shared_ptr<Batch> batch_ = std::make_shared<Batch>();
    std::size_t applied_ = 0;
    Done batch_done_;
    std::vector<Open> path_;  // from the top
    std::vector<NewNode> new_nodes_;
    std::unordered_set<ChunkId> new_node_ids_;
    std::size_t new_node_bytes_ = 0;
    WrittenTree written_;
};

}  // namespace kiln::block
