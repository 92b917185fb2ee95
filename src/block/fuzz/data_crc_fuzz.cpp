// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the check sums of a sealed layer's data: a header and one page, as they are and with
// their own checksums put right. Whatever is accepted must encode to the very same bytes. Thread
// model: pure function.
#include "block/detail/data_crc_format.h"
#include "util/check.h"
#include "util/crc32c.h"
#include "util/testing/structured_fuzz.h"

namespace {

using namespace kiln;
using namespace kiln::block;

constexpr std::uint64_t kNumber = 2;  // of the page

testing::FuzzLayout layout(ByteView bytes) {
    testing::FuzzLayout found;
    if (bytes.size() >= kDataCrcHeaderBytes) {
        testing::add_numbers(found, 8, 2, 2);
        testing::add_numbers(found, 184, 8);
        testing::add_numbers(found, 192, 4);
        for (const auto& [offset, length] : {std::pair(16, 40), {56, 64}, {120, 64}}) {
            found.parts.push_back(
                {static_cast<std::size_t>(offset), static_cast<std::size_t>(length)});
        }
    }
    if (bytes.size() >= kDataCrcHeaderBytes + 16) {
        testing::add_numbers(found, kDataCrcHeaderBytes, 4, 4);
        found.parts.push_back({kDataCrcHeaderBytes, bytes.size() - kDataCrcHeaderBytes});
    }
    return found;
}

void read(ByteView bytes) {
    const ByteView header = bytes.first(std::min(bytes.size(), kDataCrcHeaderBytes));
    const auto decoded = decode_data_crc_header(header);
    if (!decoded) {
        INVARIANT(decoded.error().code() == Code::data_loss ||
                  decoded.error().code() == Code::unsupported);
        return;
    }
    INVARIANT(std::ranges::equal(encode_data_crc_header(*decoded), header));
    INVARIANT(data_crc_file_bytes(decoded->size_bytes) % kDataCrcPageBytes == 0);
    const std::uint32_t seed = data_crc_seed(header);
    const ByteView page = bytes.subspan(kDataCrcHeaderBytes);
    if (!check_data_crc_page(page, seed, kNumber)) {
        return;
    }
    Bytes again(kDataCrcPageBytes, 0);
    for (std::uint64_t i = 0; i < kDataCrcPageBlocks; ++i) {
        const std::uint64_t block = kNumber * kDataCrcPageBlocks + i;
        put_data_crc(again, block, get_data_crc(page, block));
    }
    finish_data_crc_page(again, seed, kNumber);
    INVARIANT(std::ranges::equal(again, page));
    INVARIANT(!check_data_crc_page(page, seed, kNumber + 1));
}

void put_right(Bytes& bytes) {
    if (bytes.size() < kDataCrcHeaderBytes) {
        return;
    }
    put_le<std::uint32_t>(&bytes[12], 0);
    put_le(&bytes[12], crc32c(ByteView(bytes).first(kDataCrcHeaderBytes)));
    const MutableByteView page = MutableByteView(bytes).subspan(kDataCrcHeaderBytes);
    if (page.size() == kDataCrcPageBytes) {
        finish_data_crc_page(page, data_crc_seed(bytes), kNumber);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    read({data, size});
    Bytes bytes(data, data + size);
    put_right(bytes);
    read(bytes);
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
    return kiln::testing::mutate_structured(data, size, max_size, seed, layout);
}
