// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the superblocks of a layer, as they are and with their checksums put right. Whatever
// is accepted must encode to the very same bytes. Thread model: pure function.
#include "block/detail/superblock.h"
#include "util/check.h"
#include "util/crc32c.h"
#include "util/testing/structured_fuzz.h"

namespace {

using namespace kiln;
using namespace kiln::block;

testing::FuzzLayout layout(ByteView bytes) {
    testing::FuzzLayout found;
    for (std::size_t at = 0; at + kSuperblockBytes <= bytes.size(); at += kSuperblockBytes) {
        testing::add_numbers(found, at + 8, 2, 2);
        testing::add_numbers(found, at + 184, 8);
        testing::add_numbers(found, at + 192, 4, 2);
        testing::add_numbers(found, at + 200, 8, 2);
        testing::add_numbers(found, at + 256, 8);
        testing::add_numbers(found, at + 264, 4, 2);
        testing::add_numbers(found, at + 272, 8, 6);
        testing::add_numbers(found, at + 320, 4, 2);
        testing::add_numbers(found, at + 328, 8);
        testing::add_numbers(found, at + 336, 4, 4);
        testing::add_numbers(found, at + 352, 8, 2);
        for (const auto& [offset, length] : {std::pair(16, 40), {56, 64}, {120, 64}, {216, 40}}) {
            found.parts.push_back(
                {at + static_cast<std::size_t>(offset), static_cast<std::size_t>(length)});
        }
    }
    return found;
}

void put_right(Bytes& map) {
    for (std::size_t at = 0; at + kSuperblockBytes <= map.size() && at < kMapHeaderBytes;
         at += kSuperblockBytes) {
        put_le<std::uint32_t>(&map[at + 12], 0);
        put_le(&map[at + 12], crc32c(ByteView(map).subspan(at, kSuperblockBytes)));
    }
}

void choose(ByteView map) {
    const auto chosen = choose_superblock(map);
    if (!chosen) {
        return;
    }
    const Bytes again = encode_superblock(*chosen);
    const bool first = std::ranges::equal(again, map.first(kSuperblockBytes));
    const bool second = std::ranges::equal(again, map.subspan(kSuperblockBytes, kSuperblockBytes));
    INVARIANT(first || second);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    choose({data, size});
    Bytes map(data, data + size);
    put_right(map);
    choose(map);
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
    return kiln::testing::mutate_structured(data, size, max_size, seed, layout);
}
