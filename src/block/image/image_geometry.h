// SPDX-License-Identifier: Apache-2.0
// ImageGeometry: the sizes of a tree. A constructor value, so that simulation runs on small ones;
// written into each root record, and a tree is always read with its own. Thread model: plain value.
#pragma once

#include <cstdint>

#include "util/result.h"

namespace kiln::block {

struct ImageGeometry {
    std::uint32_t chunk_bytes = 64U << 10;
    std::uint16_t leaf_chunks = 8;
    std::uint16_t fan_out = 128;
    std::uint8_t height = 4;

    Status check() const;
    std::uint64_t leaf_bytes() const { return std::uint64_t{chunk_bytes} * leaf_chunks; }
    // Leaves below a slot of a node of this level; a node of level 1 has leaves in its slots.
    std::uint64_t leaves_per_slot(unsigned level) const;
    std::uint64_t leaves() const { return leaves_per_slot(height + 1U); }
    std::uint64_t capacity_bytes() const { return leaves() * leaf_bytes(); }
    // Slots of a node of this level; 0 = leaf.
    unsigned slots(unsigned level) const { return level == 0 ? leaf_chunks : fan_out; }
    friend bool operator==(const ImageGeometry&, const ImageGeometry&) = default;
};

}  // namespace kiln::block
