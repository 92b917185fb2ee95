// SPDX-License-Identifier: Apache-2.0
// VerifyPage: what is found when the stored bytes of a content are read to check them, piece by
// piece. Thread model: plain values.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "block/ids.h"

namespace kiln::block {

// Where the next page begins: which of the parts a content consists of (its layers, the newest
// first, then the tree below them), and where in it.
struct VerifyPlace {
    std::size_t part = 0;
    std::uint64_t offset = 0;
};

// A range that cannot be read, or not as it was written.
struct Damage {
    ContentId content;  // whose bytes: the one that is verified, or one it stands on
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    std::string part;               // "root record", "node", "chunk" or "block"
    std::string id{};               // of all but blocks, hex
    std::string pack{};             // hex; empty: no pack is known to hold it
    std::uint64_t pack_offset = 0;  // of the entry
    LayerId layer{};                // of blocks
    std::string why;
};

struct VerifyPage {
    std::vector<Damage> damage;
    std::uint64_t bytes = 0;  // of content read, without nodes
    std::uint64_t chunks = 0;
    std::uint64_t nodes = 0;  // root records included
    std::uint64_t blocks = 0;
    std::optional<VerifyPlace> next{};  // none: that was the last
};

}  // namespace kiln::block
