// SPDX-License-Identifier: Apache-2.0
// What of a disk's bytes is data and what is zeros, block by block. Thread model: pure functions.
#pragma once

#include "block/geometry.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::control {

inline bool all_zero(ByteView bytes) {
    // Comparing the bytes with themselves moved by one lets memcmp do the work.
    return bytes.empty() ||
           (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// Gives `sink` every run of blocks that are not all zeros, with its offset in `blocks`.
template <class Sink>
Status for_data_runs(ByteView blocks, Sink&& sink) {
    constexpr std::size_t kBlock = block::kBlockBytes;
    const auto is_zero = [&](std::size_t at) {
        return all_zero(blocks.subspan(at, std::min(kBlock, blocks.size() - at)));
    };
    std::size_t at = 0;
    while (at < blocks.size()) {
        std::size_t end = at;
        while (end < blocks.size() && !is_zero(end)) {
            end = std::min(end + kBlock, blocks.size());
        }
        if (end > at) {
            TRY(sink(at, blocks.subspan(at, end - at)));
        }
        at = end + kBlock;  // zeros, or the end
    }
    return ok();
}

}  // namespace kiln::control
