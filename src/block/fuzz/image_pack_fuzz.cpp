// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the footer of a pack, and one entry. The input's digests and checksums are put
// right, so that the fuzzer gets behind them. Whatever is accepted obeys the format's rules.
#include <cstring>

#include "block/image/image_limits.h"
#include "block/image/pack_check.h"
#include "block/image/pack_format.h"
#include "util/check.h"
#include "util/crc32c.h"
#include "util/testing/structured_fuzz.h"

using namespace kiln;
using namespace kiln::block;

namespace {

void fix_crc(std::uint8_t* at, std::size_t size, std::size_t field) {
    put_le<std::uint32_t>(at + field, 0);
    put_le(at + field, crc32c({at, size}));
}

void try_footer(Bytes bytes) {
    if (bytes.size() >= 64) {
        const auto length = get_le<std::uint32_t>(&bytes[bytes.size() - 60]);
        if (length >= 64 + kPackHeaderBytes && length <= bytes.size()) {
            std::uint8_t* footer = &bytes[bytes.size() - length];
            fix_crc(footer, kPackHeaderBytes, 12);
            const auto digest = crypto::sha256({footer, length - 48});
            std::memcpy(footer + length - 48, digest.data(), digest.size());
        }
    }
    const auto footer = decode_pack_tail(bytes, bytes.size());
    if (!footer) {
        return;
    }
    const PackReport report = check_pack(bytes, footer->header.store_uuid, footer->header.pack);
    INVARIANT(report.footer && report.bad.size() <= footer->entries.size());
    INVARIANT(!footer->entries.empty() && footer->entries.size() <= kMaxPackEntries);
    for (const PackEntry& entry : footer->entries) {
        INVARIANT(footer->find(entry.id) == &entry);
        INVARIANT(entry.offset + kEntryHeaderBytes + entry.stored_bytes <= bytes.size());
    }
}

void try_entry(Bytes bytes) {
    if (bytes.size() <= kEntryHeaderBytes) {
        return;
    }
    fix_crc(bytes.data(), bytes.size(), 56);
    PackEntry expected;
    expected.id = ChunkId::from(ByteView(bytes).first(ChunkId::kBytes));
    expected.stored_bytes = static_cast<std::uint32_t>(bytes.size() - kEntryHeaderBytes);
    expected.plain_bytes = get_le<std::uint32_t>(&bytes[40]);
    expected.type = static_cast<EntryType>(bytes[32]);
    expected.codec = static_cast<Codec>(bytes[33]);
    const auto plain = open_entry(expected, bytes);
    INVARIANT(!plain || plain_id(*plain) == expected.id);
}

// The trailer, and what it says is where; and the header of an entry at the beginning.
testing::FuzzLayout layout(ByteView pack) {
    testing::FuzzLayout found;
    testing::add_numbers(found, 32, 1, 4);
    testing::add_numbers(found, 36, 4, 2);
    if (pack.size() < 64) {
        return found;
    }
    const std::size_t trailer = pack.size() - 64;
    testing::add_numbers(found, trailer, 4, 2);
    testing::add_numbers(found, trailer + 8, 8);
    testing::add_numbers(found, trailer + 48, 2);
    const auto count = get_le<std::uint32_t>(&pack[trailer]);
    const auto length = get_le<std::uint32_t>(&pack[trailer + 4]);
    if (length > pack.size() || length < 64 + kPackHeaderBytes) {
        return found;
    }
    const std::size_t footer = pack.size() - length;
    testing::add_numbers(found, footer + 8, 2, 2);
    testing::add_numbers(found, footer + 56, 1, 2);
    testing::add_numbers(found, footer + 96, 8);
    const std::size_t fence = footer + kPackHeaderBytes + std::size_t{count} * kFooterEntryBytes;
    for (std::size_t at = footer + kPackHeaderBytes;
         at < fence && at + kFooterEntryBytes <= trailer && found.parts.size() < 4096;
         at += kFooterEntryBytes) {
        found.parts.push_back({at, kFooterEntryBytes});
        testing::add_numbers(found, at, 8);
        testing::add_numbers(found, at + 32, 4, 3);
        testing::add_numbers(found, at + 44, 1, 4);
    }
    testing::add_numbers(found, fence, 4, 256);
    return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    (void)decode_pack_tail({data, size}, size);
    try_footer(Bytes(data, data + size));
    try_entry(Bytes(data, data + size));
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
    return kiln::testing::mutate_structured(data, size, max_size, seed, layout);
}
