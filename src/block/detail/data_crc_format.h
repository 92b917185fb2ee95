// SPDX-License-Identifier: Apache-2.0
// The check sums of a sealed layer's data (docs/formats/layer.md, "Check sums of data"): a header,
// and pages that stand at their place by arithmetic, each with its own check sum. Parsers are
// bounded and take any bytes. Thread model: pure functions.
#pragma once

#include <string>

#include "block/geometry.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::block {

inline constexpr std::size_t kDataCrcHeaderBytes = 4096;
inline constexpr std::size_t kDataCrcPageBytes = 4096;
// A page has the crcs of so many blocks, behind its own.
inline constexpr std::uint64_t kDataCrcPageBlocks = kDataCrcPageBytes / 4 - 1;

// Whose data it is; all of it stands in the layer's superblock as well.
struct DataCrcHeader {
    std::string store_uuid;
    std::string volume_id;
    std::string layer_id;
    std::uint64_t size_bytes = 0;
    friend bool operator==(const DataCrcHeader&, const DataCrcHeader&) = default;
};

Bytes encode_data_crc_header(const DataCrcHeader& header);
// data_loss for damaged bytes; unsupported for another version.
Result<DataCrcHeader> decode_data_crc_header(ByteView bytes);
// What the crcs of the pages begin with: so a page of another file is noticed.
std::uint32_t data_crc_seed(ByteView header);

constexpr std::uint64_t data_crc_page_of(std::uint64_t block) {
    return block / kDataCrcPageBlocks;
}
constexpr std::uint64_t data_crc_page_offset(std::uint64_t page) {
    return kDataCrcHeaderBytes + page * kDataCrcPageBytes;
}
// The length of the whole file.
constexpr std::uint64_t data_crc_file_bytes(std::uint64_t size_bytes) {
    const std::uint64_t blocks = size_bytes / kBlockBytes;
    return data_crc_page_offset((blocks + kDataCrcPageBlocks - 1) / kDataCrcPageBlocks);
}

// `page` has the length of a page in these.
void put_data_crc(MutableByteView page, std::uint64_t block, std::uint32_t crc);
std::uint32_t get_data_crc(ByteView page, std::uint64_t block);
// Brings it into the processor's cache, for a get_data_crc() to come.
void prefetch_data_crc(const std::uint8_t* page, std::uint64_t block);
// Puts in the page's own crc.
void finish_data_crc_page(MutableByteView page, std::uint32_t seed, std::uint64_t number);
// data_loss if these are not the bytes of that page of that file.
Status check_data_crc_page(ByteView page, std::uint32_t seed, std::uint64_t number);

}  // namespace kiln::block
