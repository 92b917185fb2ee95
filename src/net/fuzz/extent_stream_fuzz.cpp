// SPDX-License-Identifier: Apache-2.0
// Fuzz target: hostile extent streams, in pieces whose lengths come from the input too. Whatever
// reaches the sink lies inside the disk and ascends.
#include "net/extent_stream.h"
#include "util/check.h"
#include "util/testing/structured_fuzz.h"

namespace {

using namespace kiln;

testing::FuzzLayout layout(ByteView input) {
    testing::FuzzLayout found;
    std::size_t at = 1 + net::kExtentMagic.size();
    while (at + net::kExtentHeaderBytes <= input.size()) {
        testing::add_numbers(found, at, 8);
        testing::add_numbers(found, at + 8, 4);
        const auto length = get_le<std::uint32_t>(&input[at + 8]);
        const std::size_t left = input.size() - at - net::kExtentHeaderBytes;
        const std::size_t bytes = net::kExtentHeaderBytes + std::min<std::size_t>(length, left);
        found.parts.push_back({at, bytes});
        at += bytes;
    }
    return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace kiln;
    constexpr std::uint64_t kDisk = 3 * 4096 + 100;
    if (size < 1) {
        return 0;
    }
    const std::size_t piece = 1 + data[0] % 64;
    ByteView input(data + 1, size - 1);
    net::ExtentDecoder decoder(kDisk);
    std::uint64_t next = 0;
    Status status = ok();
    while (status && !input.empty()) {
        const ByteView part = input.first(std::min(piece, input.size()));
        input = input.subspan(part.size());
        status = decoder.feed(part, [&](std::uint64_t offset, ByteView bytes) {
            INVARIANT(offset >= next && !bytes.empty() && bytes.size() <= kDisk - offset);
            next = offset + bytes.size();
            return ok();
        });
    }
    if (status) {
        static_cast<void>(decoder.finish());
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
    return kiln::testing::mutate_structured(data, size, max_size, seed, layout);
}
