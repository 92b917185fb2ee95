// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the superblocks of a layer. Whatever is accepted must encode to bytes that read back
// the same. Thread model: pure function.
#include "block/detail/superblock.h"
#include "util/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    const auto chosen = block::choose_superblock({data, size});
    if (chosen) {
        const auto again = block::decode_superblock(block::encode_superblock(*chosen));
        INVARIANT(again && again->layer_id == chosen->layer_id &&
                  again->generation == chosen->generation);
    }
    return 0;
}
