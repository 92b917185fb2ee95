// SPDX-License-Identifier: Apache-2.0
// How much of a tree is allocated, and how much of that none of some other trees has at the same
// place; in leaves (blocks of 512 KiB). Leaves are told apart by their ids, and not read.
//
// Costs the tree's nodes once, and of each other tree those at the places that are not known to be
// shared yet: others that are likely to share much come first. Memory is a bit for a leaf of the
// tree's size, beside TreeWalk's. Trees of another geometry share nothing. Completes exactly once,
// never inside the call; the store outlives it. Errors: data_loss. Thread model: one owner thread.
#pragma once

#include "block/image/tree_walk.h"

namespace kiln::block {

struct UsageQuery {
    DomainId domain;
    RootDigest root;
    std::vector<RootDigest> others;
};

struct TreeUsage {
    std::uint64_t leaf_bytes = 0;
    std::uint64_t allocated_leaves = 0;
    std::uint64_t unique_leaves = 0;  // of these; all of them when there is no other tree
};

void measure_tree(ChunkStore& store, UsageQuery query, io::Callback<Result<TreeUsage>> done);

}  // namespace kiln::block
