// SPDX-License-Identifier: Apache-2.0
// Superblock, journal header and records: golden bytes, and what damage does.
#include <doctest/doctest.h>

#include "block/detail/journal_format.h"
#include "block/tests/support.h"
#include "util/crc32c.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

Superblock sample_superblock() {
    return {.store_uuid = "7b7c1d9e-3f0a-4c39-9d3d-0123456789ab",
            .volume_id = "vol-0123456789abcdef0",
            .layer_id = "layer-0123456789abcdef0",
            .size_bytes = 8ULL << 30,
            .page_blocks = 16384,
            .shard_bytes = 64ULL << 30,
            .generation = 3,
            .boot_id = "c5e3cb44-5f0d-4f27-a8a4-aaaaaaaaaaaa",
            .fencing_token = 5,
            .key = {},
            .max_ring_bytes = 64ULL << 20,
            .head = {.position = 0, .seq = 1, .prev_crc = 0x12345678},
            .floor_seq = 17};
}

JournalHeader sample_header() {
    return {.store_uuid = "7b7c1d9e-3f0a-4c39-9d3d-0123456789ab",
            .volume_id = "vol-0123456789abcdef0",
            .layer_id = "layer-0123456789abcdef0",
            .ring_bytes = 64ULL << 20,
            .chain_seed = 0x12345678};
}

std::vector<Record> sample_records() {
    return {{.type = RecordType::set, .runs = {{0, 1}, {5, 3}, {1000, kMaxRunBlocks}}},
            {.type = RecordType::zero, .runs = {{6, 1}}},
            {.type = RecordType::flushed, .through_seq = 2, .synced_seq = 0},
            {.type = RecordType::boot, .boot_id = "c5e3cb44-5f0d-4f27-a8a4-bbbbbbbbbbbb"},
            {.type = RecordType::ckpt, .generation = 9},
            {.type = RecordType::freeze, .freeze = {"set-1", "layer-2"}}};
}

constexpr JournalPosition kStart{.position = 0, .seq = 1, .prev_crc = 0x12345678};
constexpr std::uint64_t kManyBlocks = 1ULL << 34;

Bytes encode_all(const std::vector<Record>& records, JournalPosition at = kStart) {
    Bytes bytes;
    for (const Record& record : records) {
        append_record(record.type, encode_payload(record), at, bytes);
    }
    return bytes;
}

struct Scan {
    std::vector<Record> records;
    Result<JournalEnd> end;
};

Scan scan(ByteView ring, std::uint64_t blocks = kManyBlocks) {
    std::vector<Record> records;
    auto end = scan_journal(ring, kStart, blocks, [&](const Record& record) -> Status {
        records.push_back(record);
        return ok();
    });
    return {std::move(records), std::move(end)};
}

}  // namespace

TEST_CASE("the superblock has the bytes of version 1 and reads back") {
    const Superblock s = sample_superblock();
    const Bytes bytes = encode_superblock(s);
    check_golden("superblock-v1.bin", bytes);
    const auto back = decode_superblock(bytes);
    REQUIRE(back);
    CHECK(encode_superblock(*back) == bytes);
    CHECK(back->layer_id == s.layer_id);
    CHECK(back->floor_seq == 17);
    CHECK(back->head.prev_crc == 0x12345678);
}

TEST_CASE("a superblock tells where the map of a layer that grew has moved") {
    Superblock s = sample_superblock();
    s.map_pages = true;
    s.directory_pages = 1024;
    s.ring_bytes = s.max_ring_bytes;
    s.size_bytes = 200ULL << 30;
    s.map_start = 1U << 20;
    s.map_directories = 16;
    const Bytes bytes = encode_superblock(s);
    check_golden("superblock-v1-map-moved.bin", bytes);
    const auto back = decode_superblock(bytes);
    REQUIRE_MESSAGE(back, back.error().to_string());
    CHECK(encode_superblock(*back) == bytes);
    CHECK(back->map_start == 1U << 20);
    CHECK(back->map_directories == 16);
    for (const auto& [start, directories] : {std::pair{4096ULL, 16U},
                                             {8192ULL + 512, 16U},
                                             {1ULL << 50, 16U},
                                             {8192ULL, 3U},
                                             {8192ULL, 65537U}}) {
        s.map_start = start;
        s.map_directories = directories;  // 200 GiB take four
        const auto refused = decode_superblock(encode_superblock(s));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code() == Code::data_loss);
    }
}

TEST_CASE("any changed byte of a superblock is noticed") {
    const Bytes good = encode_superblock(sample_superblock());
    for (std::size_t i = 0; i < good.size(); i += i < 400 ? 1 : 61) {
        Bytes bad = good;
        bad[i] ^= 0x40;
        const auto decoded = decode_superblock(bad);
        REQUIRE(!decoded);
        CHECK(decoded.error().code() == Code::data_loss);
    }
    CHECK(!decode_superblock(ByteView(good).first(4095)));
}

TEST_CASE("another version and unknown features are refused by name, not as damage") {
    for (const std::size_t at : {8U, 10U}) {
        Bytes bytes = encode_superblock(sample_superblock());
        bytes[at] += 4;  // bits 1 and 2 are known
        std::memset(&bytes[12], 0, 4);
        put_le(&bytes[12], crc32c(bytes));
        const auto decoded = decode_superblock(bytes);
        REQUIRE(!decoded);
        CHECK(decoded.error().code() == Code::unsupported);
        // Also beside a slot this program could read.
        Bytes map = encode_superblock(sample_superblock());
        map.insert(map.end(), bytes.begin(), bytes.end());
        CHECK(choose_superblock(map).error().code() == Code::unsupported);
    }
}

TEST_CASE("the valid slot with the higher generation wins") {
    Superblock s = sample_superblock();
    const Bytes three = encode_superblock(s);
    s.generation = 4;
    const Bytes four = encode_superblock(s);
    Bytes map = three;
    map.insert(map.end(), four.begin(), four.end());
    CHECK(choose_superblock(map)->generation == 4);
    map[kSuperblockBytes + 200] ^= 1;
    CHECK(choose_superblock(map)->generation == 3);
    map[200] ^= 1;
    CHECK(choose_superblock(map).error().code() == Code::data_loss);
    CHECK(choose_superblock(Bytes(100)).error().code() == Code::data_loss);
    CHECK(superblock_offset(3) == 0);
    CHECK(superblock_offset(4) == kSuperblockBytes);
}

TEST_CASE("the journal header and records have the bytes of version 1 and read back") {
    const Bytes header = encode_journal_header(sample_header());
    check_golden("journal-header-v1.bin", header);
    const auto back = decode_journal_header(header);
    REQUIRE(back);
    CHECK(back->chain_seed == 0x12345678);
    CHECK(back->layer_id == "layer-0123456789abcdef0");

    const Bytes bytes = encode_all(sample_records());
    check_golden("journal-records-v1.bin", bytes);
    const Scan found = scan(bytes);
    REQUIRE(found.end);
    REQUIRE(found.records.size() == 6);
    CHECK(found.end->next.position == bytes.size());
    CHECK(found.end->next.seq == 7);
    CHECK(found.end->leftovers_end == 0);
    CHECK(found.records[0].runs == sample_records()[0].runs);
    CHECK(found.records[2].through_seq == 2);
    CHECK(found.records[3].boot_id == "c5e3cb44-5f0d-4f27-a8a4-bbbbbbbbbbbb");
    CHECK(found.records[5].freeze.successor == "layer-2");
}

TEST_CASE("any changed byte of a journal header is noticed") {
    const Bytes good = encode_journal_header(sample_header());
    for (std::size_t i = 0; i < good.size(); i += i < 200 ? 1 : 61) {
        Bytes bad = good;
        bad[i] ^= 4;
        CHECK(!decode_journal_header(bad));
    }
}

TEST_CASE("a scan ends at the first record that is cut, changed or out of the chain") {
    const Bytes bytes = encode_all(sample_records());
    std::vector<std::size_t> ends{0};
    {
        JournalPosition at = kStart;
        Bytes ignored;
        for (const Record& record : sample_records()) {
            append_record(record.type, encode_payload(record), at, ignored);
            ends.push_back(at.position);
        }
    }
    for (std::size_t length = 0; length < bytes.size(); ++length) {
        const Scan found = scan(ByteView(bytes).first(length));
        REQUIRE(found.end);
        const auto whole = static_cast<std::size_t>(
            std::upper_bound(ends.begin(), ends.end(), length) - ends.begin() - 1);
        REQUIRE(found.records.size() == whole);
        REQUIRE(found.end->leftovers_end == 0);
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        Bytes bad = bytes;
        bad[i] ^= 0x10;
        const Scan found = scan(bad);
        const auto hit = static_cast<std::size_t>(std::upper_bound(ends.begin(), ends.end(), i) -
                                                  ends.begin() - 1);
        REQUIRE(found.end);
        REQUIRE(found.records.size() == hit);
        // What follows the damage is seen, unless the damage is in the last record.
        REQUIRE((found.end->leftovers_end == bytes.size()) == (hit + 1 < ends.size() - 1));
    }
}

TEST_CASE("a stale tail of the same numbers does not continue the chain") {
    Bytes ring = encode_all(
        {{.type = RecordType::set, .runs = {{1, 1}}}, {.type = RecordType::set, .runs = {{2, 1}}}});
    const Bytes newer = encode_all({{.type = RecordType::zero, .runs = {{3, 1}}}});
    std::copy(newer.begin(), newer.end(),
              ring.begin());  // the same length as the record it replaces
    const Scan found = scan(ring);
    REQUIRE(found.records.size() == 1);
    CHECK(found.records[0].type == RecordType::zero);
    CHECK(found.end->leftovers_end == ring.size());
}

TEST_CASE("a chained record that breaks a rule is data loss, not an end") {
    CHECK(
        scan(encode_all({{.type = RecordType::set, .runs = {{90, 11}}}}), 100).end.error().code() ==
        Code::data_loss);
    CHECK(scan(encode_all({{.type = RecordType::set, .runs = {{90, 10}}}}), 100).end);
    CHECK(scan(encode_all({{.type = RecordType::flushed, .through_seq = 1}})).end.error().code() ==
          Code::data_loss);
    CHECK(scan(encode_all({{.type = RecordType::set, .runs = {}}})).end.error().code() ==
          Code::data_loss);
    for (const auto& [type, length] : {std::pair(RecordType::flushed, std::size_t{8}),
                                       std::pair(RecordType::logged, std::size_t{16}),
                                       std::pair(RecordType::logged, logged_payload(1) + 8)}) {
        JournalPosition at = kStart;
        Bytes bytes;
        append_record(type, Bytes(length), at, bytes);
        CHECK(scan(bytes).end.error().code() == Code::data_loss);
    }
    const Bytes data(kBlockBytes, 1);
    const auto logged = [&](std::vector<LoggedBlock> blocks, std::uint64_t through) {
        return scan(encode_all({{.type = RecordType::logged,
                                 .through_seq = through,
                                 .logged = std::move(blocks)}}),
                    100)
            .end;
    };
    CHECK(logged({{98, data}, {99, data}}, 0));
    CHECK(logged({{100, data}}, 0).error().code() == Code::data_loss);
    CHECK(logged({{5, data}, {5, data}}, 0).error().code() == Code::data_loss);
    CHECK(logged({{5, data}}, 1).error().code() == Code::data_loss);
}

TEST_CASE("random bytes never crash the parsers") {
    const auto seed = test_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    const Bytes records = encode_all(sample_records());
    for (int round = 0; round < 2000; ++round) {
        Bytes bytes = records;
        for (int i = 0; i < 8; ++i) {
            bytes[random() % bytes.size()] = static_cast<std::uint8_t>(random());
        }
        (void)scan(bytes);
        Bytes noise(random() % 5000);
        for (std::uint8_t& byte : noise) {
            byte = static_cast<std::uint8_t>(random() % 7);
        }
        (void)scan(noise);
        CHECK(!decode_superblock(noise));
    }
}

TEST_CASE("a scan follows the records across the ring's end") {
    const Bytes bytes =
        encode_all(sample_records(), {.position = 0, .seq = 1, .prev_crc = 0x12345678});
    Bytes ring(bytes.size() + 64, 0);
    for (std::size_t head = 0; head < ring.size(); head += 8) {
        std::fill(ring.begin(), ring.end(), 0);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            ring[(head + i) % ring.size()] = bytes[i];
        }
        std::size_t seen = 0;
        const auto end = scan_journal(ring, {.position = head, .seq = 1, .prev_crc = 0x12345678},
                                      kManyBlocks, [&](const Record&) {
                                          ++seen;
                                          return ok();
                                      });
        REQUIRE(end);
        CHECK(seen == 6);
        CHECK(end->next.position == head + bytes.size());
        CHECK(end->leftovers_end == 0);
    }
}
