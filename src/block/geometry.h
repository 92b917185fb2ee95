// SPDX-License-Identifier: Apache-2.0
// Geometry: the sizes the layer format leaves open. A value given to the constructor, so that tests
// and the simulator run on small ones. It is written into each layer's superblock, and a layer is
// always read with its own. Thread model: plain value.
#pragma once

#include <cstdint>

#include "util/result.h"

namespace kiln::block {

// One presence bit; the unit of every layer operation. Not variable: it is what devices and guests
// agree on.
inline constexpr std::uint32_t kBlockBytes = 4096;
// The largest volume of EC2; larger ones are refused.
inline constexpr std::uint64_t kMaxVolumeBytes = 64ULL << 40;

struct Geometry {
    // A data file covers this much of the volume: ext4 refuses files above 16 TiB, and small files
    // are quick to delete.
    std::uint64_t shard_bytes = 64ULL << 30;
    // Blocks under one page of presence and zero bits: 64 MiB, which makes the page's two planes 4
    // KiB.
    std::uint32_t page_blocks = 16384;
    // Pages under one directory of the map file: 64 GiB.
    std::uint32_t directory_pages = 1024;
    // The journal's ring starts with journal_first_bytes and doubles, up to journal_bytes.
    std::uint64_t journal_bytes = 64ULL << 20;
    std::uint64_t journal_first_bytes = 256ULL << 10;
    // Bytes of records at which a checkpoint is begun, at most half of the ring. Not written.
    std::uint64_t checkpoint_bytes = 32ULL << 20;
    // Above so many sealed layers reads keep an index of them (detail/layer_index.h). Not written.
    // At rest a volume has no more; what was cut and is not stored yet is what makes it deep.
    std::size_t layers_asked = 8;

    Status check() const;
};

}  // namespace kiln::block
