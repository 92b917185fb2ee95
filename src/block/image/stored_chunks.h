// SPDX-License-Identifier: Apache-2.0
// Reads chunks and nodes as they are stored, past the cache and without leaving anything in it: for
// whoever wants to know what the packs hold rather than what a reader gets. Each is verified like
// any read. A pack that was collected between the look at the index and the read is looked for
// anew.
//
// The completion runs once, never inside the call; the context outlives it. The ids of one call are
// read at the same time: their number bounds the memory. Thread model: one owner thread.
#pragma once

#include "block/image/chunk_store.h"

namespace kiln::block {

struct StoredChunk {
    Result<Bytes> plain = Bytes();
    std::optional<ChunkLocation> at;  // where it was looked for
};

// In the order of the ids.
void read_stored(const ImageContext& context, const DomainId& domain, std::vector<ChunkId> ids,
                 EntryType type, io::Callback<std::vector<StoredChunk>> done);

}  // namespace kiln::block
