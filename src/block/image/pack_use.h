// SPDX-License-Identifier: Apache-2.0
// What of each pack a mark has reached. Thread model: plain values.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "block/image/image_ids.h"

namespace kiln::block {

struct PackUse {
    // Where the reached entries begin in the pack, ascending, each once.
    std::vector<std::uint32_t> entries;
    // What they take there, each with its place in the footer.
    std::uint64_t bytes = 0;
    // False: there was no room to remember its entries. All of it is to be taken for reached.
    bool counted = true;
};

using PackUses = std::map<PackId, PackUse>;

}  // namespace kiln::block
