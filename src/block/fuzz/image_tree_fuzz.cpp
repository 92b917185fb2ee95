// SPDX-License-Identifier: Apache-2.0
// Fuzz target: tree nodes and root records (their checksum put right). What is accepted encodes to
// the very same bytes, which is what makes an id name one content.
#include <cstring>

#include "block/image/tree_format.h"
#include "util/check.h"
#include "util/crc32c.h"

using namespace kiln;
using namespace kiln::block;

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
