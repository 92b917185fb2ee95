// SPDX-License-Identifier: Apache-2.0
// ChunkIndex: which id lies where. A cache of the packs' footers that can be rebuilt from them,
// plus the list of packs, which nothing else knows (nobody lists objects). `control` implements it
// over the catalog; MemoryChunkIndex serves tests.
//
// An id may lie in several packs. begin_pack is durable before the pack is written and insert after
// it: a pack begun and never inserted belongs to a writer that died. Completions run on the owner
// thread, exactly once, never inside the call. Thread model: one owner thread.
#pragma once

#include <optional>
#include <vector>

#include "block/image/pack_format.h"
#include "block/layer.h"

namespace kiln::block {

struct ChunkLocation {
    PackId pack;
    PackEntry entry;
};

enum class LookupFor {
    reading,        // any pack that is there
    deduplication,  // no condemned pack: what is about to go must not gain new references
};

using Located = std::vector<std::optional<ChunkLocation>>;

class ChunkIndex {
  public:
    virtual ~ChunkIndex() = default;
    // One answer per id, in their order; nothing for an unknown one.
    virtual void lookup(const DomainId& domain, std::vector<ChunkId> ids, LookupFor purpose,
                        io::Callback<Result<Located>> done) = 0;
    virtual void begin_pack(const PackHeader& pack, Done done) = 0;
    // Idempotent: a rebuild inserts what may be there.
    virtual void insert(const PackHeader& pack, std::uint64_t pack_bytes,
                        std::vector<PackEntry> entries, Done done) = 0;
    // The pack and all its entries. Fine if it is unknown.
    virtual void remove(const PackId& pack, Done done) = 0;
};

}  // namespace kiln::block
