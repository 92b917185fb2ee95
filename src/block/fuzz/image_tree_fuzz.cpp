// SPDX-License-Identifier: Apache-2.0
// Fuzz target: tree nodes and root records (their checksum put right). What is accepted encodes to
// the very same bytes, which is what makes an id name one content.
#include <cstring>

#include "block/image/tree_format.h"
#include "util/check.h"
#include "util/crc32c.h"
#include "util/testing/structured_fuzz.h"

using namespace kiln;
using namespace kiln::block;

namespace {

testing::FuzzLayout layout(ByteView bytes) {
    testing::FuzzLayout found;
    if (bytes.size() == kRootRecordBytes) {
        testing::add_numbers(found, 8, 2, 2);
        testing::add_numbers(found, 16, 8);
        testing::add_numbers(found, 24, 4);
        testing::add_numbers(found, 28, 2, 2);
        testing::add_numbers(found, 32, 1, 8);
        return found;
    }
    testing::add_numbers(found, 0, 1, 2);
    testing::add_numbers(found, 2, 2);
    testing::add_numbers(found, 4, 4);
    testing::add_numbers(found, 8, 8, 2);
    for (std::size_t at = 24; at + ChunkId::kBytes <= bytes.size(); at += ChunkId::kBytes) {
        found.parts.push_back({at, ChunkId::kBytes});
    }
    return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(data, size);
    const ImageGeometry small{.chunk_bytes = 4096, .leaf_chunks = 2, .fan_out = 4, .height = 3};
    for (const ImageGeometry& geometry : {ImageGeometry{}, small}) {
        for (unsigned level = 0; level < 3; ++level) {
            const auto node = decode_node(input, level, geometry);
            INVARIANT(!node || encode_node(*node) == Bytes(data, data + size));
        }
    }
    Bytes root(data, data + size);
    if (root.size() == kRootRecordBytes) {
        put_le<std::uint32_t>(&root[12], 0);
        put_le(&root[12], crc32c(root));
    }
    const auto record = decode_root(root);
    INVARIANT(!record || encode_root(*record) == root);
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
    return kiln::testing::mutate_structured(data, size, max_size, seed, layout);
}
