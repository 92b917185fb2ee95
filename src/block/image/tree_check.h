// SPDX-License-Identifier: Apache-2.0
// Reads a part of a tree as it is stored, past the cache: nodes and chunks, every digest. Damage is
// noted and passed over; only what says nothing about the bytes (the catalog does not answer) is an
// error. A page reads at most 8 MiB of chunks, those of one leaf at a time. Completes once, never
// inside the call; the context outlives it. Thread model: one owner thread.
#pragma once

#include "block/image/chunk_store.h"
#include "block/image/tree_format.h"
#include "block/verify_page.h"

namespace kiln::block {

struct TreeCheckQuery {
    RootRecord root;
    ContentId content;         // for what is said about damage
    std::uint64_t offset = 0;  // of a leaf; the next page's is in VerifyPage::next
};

void check_tree(const ImageContext& context, TreeCheckQuery query,
                io::Callback<Result<VerifyPage>> done);

// Whether a read that failed so is damage.
bool is_damage(const Error& error);

}  // namespace kiln::block
