// SPDX-License-Identifier: Apache-2.0
// ContentStore: what the block engine needs to know from the catalog, asked asynchronously, since a
// reactor never waits for SQL. `control` implements it over the catalog; tests and the simulator
// have one in memory.
//
// The answer may come on any thread, also from inside the call; the engine posts it to the owner
// itself. Implementations answer exactly once and outlive the engine. Thread model: thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "block/ids.h"
#include "util/result.h"

namespace kiln::block {

enum class ContentState {
    layered,  // the bytes are one sealed layer over those of the parent content
    rooted,   // the bytes are a tree in the image tier
};

// A sealed layer that says nothing but what the tree of a rooted content says as well: the faster
// copy of it (D4).
struct SpareLayer {
    LayerId id;
    std::uint64_t size_bytes = 0;
    friend bool operator==(const SpareLayer&, const SpareLayer&) = default;
};

struct ContentRecord {
    ContentId id;
    ContentState state = ContentState::layered;
    ContentId parent;         // layered only; empty = nothing below, zeros
    LayerId layer;            // layered: its layer; rooted: empty once the layer was dropped
    std::string root_digest;  // rooted only
    // Rooted only: what was below `layer` and became part of the tree, newest first. Any of them
    // may be left out if all behind it are.
    std::vector<SpareLayer> spares{};
    std::string key_id;
    std::uint64_t size_bytes = 0;
};

class ContentStore {
  public:
    using ChainDone = std::function<void(Result<std::vector<ContentRecord>>)>;
    virtual ~ContentStore() = default;
    // From the content itself through its parents down to the first rooted one, that one included,
    // or to the one without parent. not_found when any of them is missing.
    virtual void chain(const ContentId& id, ChainDone done) = 0;
};

}  // namespace kiln::block
