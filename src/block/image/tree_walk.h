// SPDX-License-Identifier: Apache-2.0
// TreeWalk: two trees at once, leaf by leaf in ascending order, without looking into what is equal
// in both or what the visitor does not want. Against nothing (zeros) it visits what the other one
// has. Nodes are fetched many at a time, the children of one pair of nodes together; memory is a
// batch for each level.
//
// Completions never run inside start(); the store and the visitor outlive the walk. Errors:
// invalid_argument for trees of different geometry or domain (their ids say nothing about each
// other), data_loss. Thread model: one owner thread.
#pragma once

#include "block/image/chunk_store.h"
#include "block/image/tree_format.h"

namespace kiln::block {

struct TreePair {
    DomainId domain;
    RootDigest a;  // zeros: nothing
    RootDigest b;
};

class TreeVisitor {
  public:
    virtual ~TreeVisitor() = default;
    // Once, before the first leaf; the sizes of a tree that is nothing are zeros.
    virtual void begin(const RootRecord& a, const RootRecord& b) = 0;
    // Whether to look at these leaves, of which some may differ.
    virtual bool wants(std::uint64_t first, std::uint64_t count) = 0;
    // These leaves are the same in both; some of them have data.
    virtual void same(std::uint64_t first, std::uint64_t count) = 0;
    // This one is not. False ends the walk.
    virtual bool differs(std::uint64_t leaf, bool in_a, bool in_b) = 0;
};

void walk_trees(ChunkStore& store, const TreePair& trees, TreeVisitor& visitor, Done done);

}  // namespace kiln::block
