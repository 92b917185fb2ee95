// SPDX-License-Identifier: Apache-2.0
// Which leaves (512 KiB) of two trees differ, page by page, in O(changes x height): equal ids are
// not looked into. Against nothing (zeros) it lists the allocated leaves. Completions never run
// inside the call; the store outlives it. Errors: invalid_argument for trees of different geometry
// or domain (their ids say nothing about each other), data_loss. Thread model: one owner thread.
#pragma once

#include "block/image/chunk_store.h"
#include "block/image/tree_format.h"

namespace kiln::block {

struct LeafChange {
    std::uint64_t leaf = 0;
    bool in_a = false;
    bool in_b = false;
    friend bool operator==(const LeafChange&, const LeafChange&) = default;
};

struct LeafPage {
    std::uint64_t leaf_bytes = 0;
    std::vector<LeafChange> changes;           // ascending
    std::optional<std::uint64_t> next_leaf{};  // where to go on; none at the end
};

struct DiffQuery {
    DomainId domain;
    RootDigest a;  // zeros: nothing
    RootDigest b;
    std::uint64_t from_leaf = 0;
    std::size_t limit = 1000;  // at least 1
};

void diff_leaves(ChunkStore& store, const DiffQuery& query, io::Callback<Result<LeafPage>> done);

}  // namespace kiln::block
