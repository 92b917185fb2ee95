// SPDX-License-Identifier: Apache-2.0
#include "block/detail/data_crc_format.h"

#include "block/detail/superblock.h"
#include "block/detail/text_field.h"
#include "block/ids.h"
#include "util/crc32c.h"

namespace kiln::block {
namespace {

constexpr std::string_view kMagic = "KILNDCRC";
constexpr std::uint16_t kVersion = 1;
constexpr std::size_t kFieldsEnd = 196;

std::uint32_t crc_of_header(ByteView bytes) {
    const std::uint8_t zeros[4] = {};
    return crc32c(bytes.subspan(16), crc32c(zeros, crc32c(bytes.first(12))));
}

constexpr std::uint64_t place_in_page(std::uint64_t block) {
    return 4 + block % kDataCrcPageBlocks * 4;
}

std::uint32_t crc_of_page(ByteView page, std::uint32_t seed, std::uint64_t number) {
    std::uint8_t place[12];
    put_le(&place[0], seed);
    put_le(&place[4], number);
    return crc32c(page.subspan(4), crc32c(place));
}

}  // namespace

Bytes encode_data_crc_header(const DataCrcHeader& header) {
    Bytes bytes(kDataCrcHeaderBytes, 0);
    std::uint8_t* at = bytes.data();
    std::memcpy(at, kMagic.data(), kMagic.size());
    put_le<std::uint16_t>(at + 8, kVersion);
    put_text(at + 16, kStoreUuidField, header.store_uuid);
    put_text(at + 56, kIdField, header.volume_id);
    put_text(at + 120, kIdField, header.layer_id);
    put_le(at + 184, header.size_bytes);
    put_le<std::uint32_t>(at + 192, kDataCrcPageBlocks);
    put_le(at + 12, crc_of_header(bytes));
    return bytes;
}

Result<DataCrcHeader> decode_data_crc_header(ByteView bytes) {
    if (bytes.size() != kDataCrcHeaderBytes || as_text(bytes.first(8)) != kMagic) {
        return Error(Code::data_loss, "not a header of check sums");
    }
    const std::uint8_t* at = bytes.data();
    if (get_le<std::uint32_t>(at + 12) != crc_of_header(bytes)) {
        return Error(Code::data_loss, "the checksum of the header of check sums is wrong");
    }
    if (const auto version = get_le<std::uint16_t>(at + 8); version != kVersion) {
        return Error(Code::unsupported, "check sums of version " + std::to_string(version));
    }
    DataCrcHeader header;
    TRY_ASSIGN(header.store_uuid, get_text(at + 16, kStoreUuidField));
    TRY_ASSIGN(header.volume_id, get_text(at + 56, kIdField));
    TRY_ASSIGN(header.layer_id, get_text(at + 120, kIdField));
    header.size_bytes = get_le<std::uint64_t>(at + 184);
    if (!valid_id(header.layer_id) || !valid_id(header.volume_id) || header.size_bytes == 0 ||
        header.size_bytes % kBlockBytes != 0 || header.size_bytes > kMaxVolumeBytes ||
        get_le<std::uint32_t>(at + 192) != kDataCrcPageBlocks) {
        return Error(Code::data_loss, "the header of check sums is impossible");
    }
    if (!all_zero(bytes.subspan(10, 2)) || !all_zero(bytes.subspan(kFieldsEnd))) {
        return Error(Code::data_loss, "reserved bytes of the header of check sums are not zero");
    }
    return header;
}

std::uint32_t data_crc_seed(ByteView header) {
    return get_le<std::uint32_t>(&header[12]);
}

void put_data_crc(MutableByteView page, std::uint64_t block, std::uint32_t crc) {
    put_le(&page[place_in_page(block)], crc);
}

std::uint32_t get_data_crc(ByteView page, std::uint64_t block) {
    return get_le<std::uint32_t>(&page[place_in_page(block)]);
}

void prefetch_data_crc(const std::uint8_t* page, std::uint64_t block) {
    __builtin_prefetch(page + place_in_page(block));
}

void finish_data_crc_page(MutableByteView page, std::uint32_t seed, std::uint64_t number) {
    put_le(page.data(), crc_of_page(page, seed, number));
}

Status check_data_crc_page(ByteView page, std::uint32_t seed, std::uint64_t number) {
    if (page.size() != kDataCrcPageBytes ||
        get_le<std::uint32_t>(page.data()) != crc_of_page(page, seed, number)) {
        return Error(Code::data_loss,
                     "page " + std::to_string(number) + " of the data's check sums is damaged");
    }
    return ok();
}

}  // namespace kiln::block
