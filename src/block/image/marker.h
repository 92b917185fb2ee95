// SPDX-License-Identifier: Apache-2.0
// Marker: the packs without which something that the given roots reach could not be read: root
// records, nodes and leaves, which are read and verified, and chunks, which are only looked up.
//
// Each id counts for one pack that has it: one that is not condemned if there is one, else one of
// the condemned. One is enough: the packs of a mark stay, and of all others the index entries go
// before the object, so that every later lookup finds a pack that stays. Any failure fails the
// whole mark, data_loss for what is missing or damaged: nothing may be collected on a part of it.
//
// Shared subtrees are walked once. The memory for that is bounded; beyond the bound they are walked
// again, never passed over. It also tells which entries of each pack were reached. Beyond the bound
// of that it tells so of a part of the packs only, another one each time. Few reads are in flight,
// so that guests go first. Completes exactly once, never inside start(). The store outlives it.
// Thread model: one owner thread.
#pragma once

#include <unordered_set>

#include "block/image/chunk_store.h"
#include "block/image/pack_use.h"
#include "block/image/tree_format.h"

namespace kiln::block {

struct RootRef {
    DomainId domain;
    RootDigest digest;
};

struct MarkLimits {
    std::size_t remembered_nodes = kMarkRemembered;
    std::size_t counted_entries = kMarkCounted;
};

class Marker : public std::enable_shared_from_this<Marker> {
  public:
    using Marked = io::Callback<Result<PackUses>>;
    static std::shared_ptr<Marker> start(ChunkStore& store, std::vector<RootRef> roots, Marked done,
                                         MarkLimits limits = {});
    // Completes with `cancelled` after what is in flight.
    void cancel();

  private:
    struct Step {
        ChunkId id;
        unsigned level = 0;
    };
    Marker(ChunkStore& store, std::vector<RootRef> roots, Marked done, MarkLimits limits);
    void pump();
    bool next_root();
    void take_root(Result<RootRecord> root);
    void read_node(const Step& step);
    void take_node(const Step& step, ByteView bytes);
    // False when it was seen before.
    bool see(const ChunkId& id, unsigned level);
    void find_packs(const DomainId& domain, LookupFor purpose, std::vector<ChunkId> ids);
    void find_all();
    void found(const DomainId& domain, LookupFor purpose, const std::vector<ChunkId>& ids,
               Result<Located> at);
    void count(const ChunkLocation& at);
    void count_fewer();
    bool counts(const PackId& pack) const;
    void note(Error error);

    ChunkStore& store_;
    const std::vector<RootRef> roots_;
    const MarkLimits limits_;
    Marked done_;
    Status status_ = ok();
    std::size_t next_root_ = 0;
    // Of the root at work; one at a time.
    DomainId domain_;
    ImageGeometry geometry_;
    std::vector<Step> to_read_;  // the last first, which keeps it short
    std::unordered_set<ChunkKey, ChunkKeyHash> seen_;
    std::vector<ChunkId> to_find_;
    std::size_t reads_ = 0;
    std::size_t lookups_ = 0;
    PackUses packs_;
    std::size_t counted_ = 0;
    // Only packs whose id has these low bits are counted.
    std::uint64_t sample_ = 0;
    std::uint64_t sample_mask_ = 0;
};

}  // namespace kiln::block
