// SPDX-License-Identifier: Apache-2.0
// TreeReader: random reads of one image tree through the cache of nodes and chunks. Immutable after
// open(); several per tree are fine. Bytes that nothing covers, also beyond the size, are zeros.
// Errors: data_loss when anything fails its verification. Completions never run inside the call;
// the memory of a read stays until then. The store outlives every read. Thread model: one owner
// thread.
#pragma once

#include "block/image/chunk_store.h"
#include "block/image/tree_format.h"

namespace kiln::block {

// The record under a root digest, verified.
void load_root(ChunkStore& store, const DomainId& domain, const RootDigest& digest,
               io::Callback<Result<RootRecord>> done);

class TreeReader : public std::enable_shared_from_this<TreeReader> {
  public:
    static void open(ChunkStore& store, const DomainId& domain, const RootDigest& digest,
                     io::Callback<Result<std::shared_ptr<TreeReader>>> done);
    TreeReader(ChunkStore& store, RootRecord root) : store_(store), root_(std::move(root)) {}

    const RootRecord& root() const { return root_; }
    ChunkStore& store() const { return store_; }
    // Any range inside the geometry's capacity, at most kMaxRequestBytes.
    void read(std::uint64_t offset, MutableByteView into, Done done);
    // Has the chunks of such a range read into the cache, behind what readers want.
    void read_ahead(std::uint64_t offset, std::uint64_t length, AheadMarkPtr mark, Done done);

  private:
    class LeafRead;
    // Its parts, leaf by leaf, into memory or, with a mark, only into the cache.
    void read_leaves(std::uint64_t offset, std::uint64_t length, MutableByteView into,
                     AheadMarkPtr ahead, Done done);
    ChunkStore& store_;
    const RootRecord root_;
};

}  // namespace kiln::block
