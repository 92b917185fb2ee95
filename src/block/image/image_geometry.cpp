// SPDX-License-Identifier: Apache-2.0
#include "block/image/image_geometry.h"

#include <bit>

namespace kiln::block {

Status ImageGeometry::check() const {
    const bool fine = std::has_single_bit(chunk_bytes) && chunk_bytes >= 4096 &&
                      chunk_bytes <= (1U << 20) && std::has_single_bit(leaf_chunks) &&
                      leaf_chunks <= 64 && std::has_single_bit(fan_out) && fan_out >= 2 &&
                      fan_out <= 128 && height >= 1 && height <= 8;
    if (!fine) {
        return Error(Code::invalid_argument, "an image tree cannot have this geometry");
    }
    // All are powers of two.
    const int bits = std::countr_zero(chunk_bytes) + std::countr_zero(leaf_chunks) +
                     height * std::countr_zero(fan_out);
    if (bits > 62) {
        return Error(Code::invalid_argument, "an image tree ends at 2^62 bytes");
    }
    return ok();
}

std::uint64_t ImageGeometry::leaves_per_slot(unsigned level) const {
    std::uint64_t leaves = 1;
    for (unsigned i = 1; i < level; ++i) {
        leaves *= fan_out;
    }
    return leaves;
}

}  // namespace kiln::block
