// SPDX-License-Identifier: Apache-2.0
// Fuzz target: the ring of a layer journal, replayed as on the same boot and after another one.
// Checksums would keep a mutation from ever getting past the first record, so the chain is repaired
// first: each record whose length is plausible gets the crc it should have. Thread model: pure
// function.
#include "block/detail/replay.h"
#include "block/limits.h"
#include "util/crc32c.h"
#include "util/testing/structured_fuzz.h"

namespace {

using namespace kiln;
using namespace kiln::block;

constexpr std::uint32_t kSeed = 7;

Superblock superblock() {
    return {.store_uuid = "s",
            .volume_id = "vol-1",
            .layer_id = "l-1",
            .size_bytes = 4096ULL * kBlockBytes,
            .page_blocks = 64,
            .shard_bytes = 64 << 10,
            .generation = 1,
            .boot_id = "boot-1",
            .key = {},
            .max_ring_bytes = 64 << 10,
            .head = {.position = 0, .seq = 1, .prev_crc = kSeed}};
}

Bytes with_repaired_chain(ByteView input) {
    Bytes ring(input.begin(), input.end());
    std::size_t at = 0;
    std::uint64_t seq = 1;
    std::uint32_t prev_crc = kSeed;
    while (at + kRecordHeaderBytes <= ring.size()) {
        const auto length = get_le<std::uint32_t>(&ring[at + 8]);
        if (length > kMaxRecordPayload || length > ring.size() - at - kRecordHeaderBytes) {
            break;
        }
        put_le(&ring[at], seq++);
        put_le(&ring[at + 16], prev_crc);
        const ByteView record(ring.data() + at, kRecordHeaderBytes + length);
        prev_crc = crc32c(record.subspan(kRecordHeaderBytes), crc32c(record.first(20)));
        put_le(&ring[at + 20], prev_crc);
        at += record.size();
    }
    return ring;
}

Bytes with_repaired_header(ByteView input) {
    Bytes header(input.begin(), input.begin() + kJournalHeaderBytes);
    put_le<std::uint32_t>(&header[12], 0);
    put_le(&header[12], crc32c(header));
    return header;
}

testing::FuzzLayout layout(ByteView ring) {
    testing::FuzzLayout found;
    for (std::size_t at = 0; at + kRecordHeaderBytes <= ring.size();) {
        const auto length = get_le<std::uint32_t>(&ring[at + 8]);
        const std::size_t left = ring.size() - at - kRecordHeaderBytes;
        testing::add_numbers(found, at + 8, 4);
        testing::add_numbers(found, at + 12, 1);
        if (length > left) {
            break;
        }
        testing::add_numbers(found, at + kRecordHeaderBytes, 8,
                             std::min<std::size_t>(length / 8, 64));
        found.parts.push_back({at, kRecordHeaderBytes + length});
        at += kRecordHeaderBytes + length;
    }
    testing::add_numbers(found, 184, 8, 2);  // of a header
    return found;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const ByteView input(data, size);
    for (const char* boot : {"boot-1", "boot-2"}) {
        (void)replay_journal(superblock(), PresenceMap(4096, 64), input, boot);
        (void)replay_journal(superblock(), PresenceMap(4096, 64), with_repaired_chain(input), boot);
    }
    if (size >= kJournalHeaderBytes) {
        (void)decode_journal_header(input.first(kJournalHeaderBytes));
        const Bytes repaired = with_repaired_header(input);
        const auto header = decode_journal_header(repaired);
        INVARIANT(!header || encode_journal_header(*header) == repaired);
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
    return kiln::testing::mutate_structured(data, size, max_size, seed, layout);
}
