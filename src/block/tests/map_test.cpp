// SPDX-License-Identifier: Apache-2.0
// The map file: where things are, golden bytes, and what damage does.
#include <doctest/doctest.h>

#include "block/detail/map_file.h"
#include "block/tests/support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

Superblock sample() {
    return {.store_uuid = "7b7c1d9e-3f0a-4c39-9d3d-0123456789ab",
            .volume_id = "vol-0123456789abcdef0",
            .layer_id = "layer-0123456789abcdef0",
            .size_bytes = 100ULL << 30,
            .page_blocks = 16384,
            .shard_bytes = 64ULL << 30,
            .generation = 9,
            .boot_id = "c5e3cb44-5f0d-4f27-a8a4-aaaaaaaaaaaa",
            .key = {},
            .max_ring_bytes = 64ULL << 20,
            .head = {.position = 4160, .seq = 77, .prev_crc = 0x12345678},
            .floor_seq = 80,
            .map_pages = true,
            .directory_pages = 1024,
            .root = {.crc = 0x9abcdef0, .slot = 1, .gen = 8},
            .ring_bytes = 512ULL << 10};
}

}  // namespace

TEST_CASE("the superblock with map pages has its bytes and reads back") {
    const Bytes bytes = encode_superblock(sample());
    check_golden("superblock-v1-map-pages.bin", bytes);
    const auto back = decode_superblock(bytes);
    REQUIRE(back);
    CHECK(encode_superblock(*back) == bytes);
    CHECK(back->root == sample().root);
    CHECK(back->ring_bytes == 512U << 10);
    CHECK(back->head.position == 4160);
}

TEST_CASE("a superblock that names an impossible ring, head, root or directory is damaged") {
    const auto refused = [](auto change) {
        Superblock bad = sample();
        change(bad);
        const auto decoded = decode_superblock(encode_superblock(bad));
        return !decoded && decoded.error().code() == Code::data_loss;
    };
    CHECK(!refused([](Superblock&) {}));
    CHECK(refused([](Superblock& s) { s.ring_bytes = 128ULL << 20; }));
    CHECK(refused([](Superblock& s) { s.ring_bytes = 1024; }));
    CHECK(refused([](Superblock& s) { s.ring_bytes += 8; }));
    CHECK(refused([](Superblock& s) { s.head.position = 512U << 10; }));
    CHECK(refused([](Superblock& s) { s.head.position = 4161; }));
    CHECK(refused([](Superblock& s) { s.root.slot = 2; }));
    CHECK(refused([](Superblock& s) { s.root.gen = 10; }));
    CHECK(refused([](Superblock& s) { s.root.gen = 0; }));
    CHECK(refused([](Superblock& s) { s.directory_pages = 0; }));
    CHECK(refused([](Superblock& s) { s.directory_pages = 65537; }));
    CHECK(refused([](Superblock& s) {
        s.size_bytes = kMaxVolumeBytes;
        s.page_blocks = 64;
    }));
    CHECK(refused([](Superblock& s) {  // without the feature nothing of it may be there
        s.map_pages = false;
    }));
}

TEST_CASE("the parts of a map lie side by side and never overlap") {
    const Superblock s = sample();
    const MapLayout layout(s);
    CHECK(layout.pages() == 1600);
    CHECK(layout.directories() == 2);
    CHECK(layout.entries({MapPart::root, 0}) == 2);
    CHECK(layout.entries({MapPart::directory, 0}) == 1024);
    CHECK(layout.entries({MapPart::directory, 1}) == 576);
    CHECK(layout.directory_of(1024) == 1);
    CHECK(layout.index_in_directory(1030) == 6);
    std::uint64_t next = kMapHeaderBytes;
    const auto follows = [&](MapItem item) {
        for (const std::uint32_t slot : {0U, 1U}) {
            CHECK(layout.offset(item, slot) == next);
            next += layout.slot_bytes(item.part);
        }
    };
    follows({MapPart::root, 0});
    follows({MapPart::directory, 0});
    follows({MapPart::directory, 1});
    follows({MapPart::page, 0});
    follows({MapPart::page, 1});
    CHECK(layout.slot_bytes(MapPart::root) == 4096);
    CHECK(layout.slot_bytes(MapPart::directory) == 16384);
    CHECK(layout.slot_bytes(MapPart::page) == 4096);
    const MapLayout largest(kMaxVolumeBytes, 16384, 1024);
    CHECK(largest.directories() == 1024);
    CHECK(largest.offset({MapPart::page, largest.pages()}, 0) < 9ULL << 30);
}

TEST_CASE("entries read back, and those that no checkpoint writes are refused") {
    std::vector<MapEntry> entries(5);
    entries[1] = {.crc = 7, .slot = 1, .gen = 3};
    entries[4] = {.crc = 0, .slot = 0, .gen = 9};
    Bytes slot(4096, 0);
    put_entries(entries, slot);
    CHECK(*get_entries(slot, 5, 9) == entries);
    CHECK(!get_entries(slot, 4, 9));  // an entry beyond the last
    CHECK(!get_entries(slot, 5, 8));  // younger than what leads to it
    CHECK(!get_entries(slot, 257, 9));
    for (const std::size_t at : {0U, 4U, 20U, 4095U}) {
        Bytes bad = slot;
        bad[at] ^= 2;
        CHECK(!get_entries(bad, 5, 9));
    }
}

TEST_CASE("a slot is vouched for with its kind, number and generation") {
    const Bytes slot(4096, 3);
    const MapItem page{MapPart::page, 5};
    const MapEntry entry{.crc = map_crc(page, 4, slot), .slot = 0, .gen = 4};
    CHECK(check_slot(page, entry, slot));
    CHECK(check_slot({MapPart::page, 6}, entry, slot).error().code() == Code::data_loss);
    CHECK(!check_slot({MapPart::directory, 5}, entry, slot));
    CHECK(!check_slot(page, {.crc = entry.crc, .slot = 0, .gen = 5}, slot));
    Bytes bad = slot;
    bad[4000] ^= 1;
    CHECK(!check_slot(page, entry, bad));
}

TEST_CASE("a page with impossible bits is refused") {
    PresenceMap map(100, 64);  // the second page ends after 36 blocks
    Bytes slot(4096, 0);
    slot[4] = 0x0f;  // data, blocks 32 to 35 of the page
    CHECK(PresenceMap(100, 64).load(1, slot));
    slot[4] = 0x1f;
    CHECK(PresenceMap(100, 64).load(1, slot).error().code() == Code::data_loss);
    slot[4] = 0x0f;
    slot[8 + 4] = 0x01;  // zero as well
    CHECK(!PresenceMap(100, 64).load(0, slot));
    slot[8 + 4] = 0;
    slot[16] = 1;
    CHECK(!PresenceMap(100, 64).load(0, slot));
}
