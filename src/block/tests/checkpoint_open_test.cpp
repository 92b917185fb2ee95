// SPDX-License-Identifier: Apache-2.0
// What an open finds after checkpoints: little to replay, damage, and files of older versions.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/tests/checkpoint_support.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;
using namespace kiln::block::testing::checkpoints;

TEST_CASE("an open after a close in good order, or of a sealed layer, replays next to nothing") {
    for (const bool seal : {false, true}) {
        Setup s(32 << 10);
        s.changes(400);
        if (seal) {
            CHECK(s.sync.seal(*s.layer));
        }
        s.close();
        const Superblock superblock = superblock_in(s.files);
        CHECK(superblock.head.seq > 250);
        if (!seal) {
            CHECK(superblock.floor_seq >= superblock.head.seq);
            CHECK(superblock.floor_seq - superblock.head.seq < 4);
            s.open();
            s.model.check(s.sync, *s.layer);
            s.changes(50);
            continue;
        }
        // Room that it no longer needs is given back.
        struct stat info {};
        REQUIRE(::stat((s.files + "/d-l-1.jnl").c_str(), &info) == 0);
        CHECK(info.st_blocks * 512 <= 16 << 10);
        TestStore later(s.reactor, s.files, "boot-7");
        later.gate.counts.clear();
        const auto sealed = later.open_sealed("l-1", kBytes);
        REQUIRE_MESSAGE(sealed, sealed.error().to_string());
        s.model.check(s.sync, **sealed);
        CHECK(s.sync.close(**sealed));
    }
}

TEST_CASE("damage to any part of the map that is in force is data loss") {
    Setup s;
    s.changes(300);
    s.close();
    const Superblock superblock = superblock_in(s.files);
    const MapLayout layout(superblock);
    const auto map = read_file(s.files + "/d-l-1.map");
    REQUIRE(map);
    const ByteView bytes = as_bytes(*map);
    const auto slot_at = [&](MapItem item, const MapEntry& entry) {
        return bytes.subspan(layout.offset(item, entry.slot), layout.slot_bytes(item.part));
    };
    const auto damaged = [&](MapItem item, const MapEntry& entry) {
        for (const std::uint64_t at : {0U, 15U, 4095U}) {
            copy_files(s.files, s.dir / "b");
            flip_byte(s.dir / "b/d-l-1.map", layout.offset(item, entry.slot) + at);
            CHECK(s.refused_copy() == Code::data_loss);
            CHECK(s.refused_copy("boot-2") == Code::data_loss);
            // The other slot is of no concern.
            copy_files(s.files, s.dir / "b");
            std::filesystem::resize_file(s.dir / "b/d-l-1.map",
                                         layout.offset({MapPart::page, 5}, 0));
            flip_byte(s.dir / "b/d-l-1.map", layout.offset(item, 1 - entry.slot) + at);
            s.open_copy("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
        }
    };
    const MapItem root{MapPart::root, 0};
    damaged(root, superblock.root);
    const auto directories = *get_entries(slot_at(root, superblock.root), 3, ~0ULL);
    const MapItem directory{MapPart::directory, 1};
    damaged(directory, directories[1]);
    const auto pages = *get_entries(slot_at(directory, directories[1]), 2, ~0ULL);
    damaged({MapPart::page, 3}, pages[1]);
    copy_files(s.files, s.dir / "b");
    std::filesystem::resize_file(s.dir / "b/d-l-1.map", kMapHeaderBytes);
    CHECK(s.refused_copy() == Code::data_loss);
}

TEST_CASE("without the newest superblock the one before serves, until its journal is overwritten") {
    Setup s;
    s.store->context.geometry.journal_bytes = 8 << 10;
    s.close();
    std::filesystem::remove_all(s.files);
    std::filesystem::create_directory(s.files);
    s.open();
    int changes = 0;
    while (superblock_in(s.files).generation < 2 && changes++ < 1000) {
        s.changes(1);
    }
    s.settle();
    copy_files(s.files, s.dir / "b");
    flip_byte(s.dir / "b/d-l-1.map", superblock_offset(2) + 300);
    s.open_copy("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
    // Later the ring holds other records in its place, and they say so on any boot.
    while (superblock_in(s.files).head.position < 3000 && changes++ < 3000) {
        s.changes(1);
    }
    s.changes(60);
    CHECK(s.sync.flush(*s.layer));
    s.settle();
    for (const char* boot : {"boot-1", "boot-2"}) {
        copy_files(s.files, s.dir / "b");
        flip_byte(s.dir / "b/d-l-1.map",
                  superblock_offset(superblock_in(s.files).generation) + 300);
        TestStore other(s.reactor, s.dir / "b", boot);
        other.context.geometry = s.store->context.geometry;
        const auto opened = other.open_active("l-1", kBytes, false);
        if (opened) {  // whole all the same
            s.model.check(s.sync, **opened);
            CHECK(s.sync.close(**opened));
        } else {
            CHECK(opened.error().code() == Code::data_loss);
        }
    }
}

TEST_CASE("an open for writing syncs the map that it found, before anything is overwritten") {
    Setup s;
    s.changes(300);
    s.close();
    copy_files(s.files, s.dir / "b");
    TestStore other(s.reactor, s.dir / "b");
    other.context.geometry = s.store->context.geometry;
    const auto opened = other.open_active("l-1", kBytes, false);
    REQUIRE(opened);
    CHECK(other.gate.counts[io::OpKind::sync_data] == 1);
    CHECK(other.gate.counts[io::OpKind::write] == 0);
    CHECK(s.sync.close(**opened));
}

TEST_CASE("a layer from before there were checkpoints gets them") {
    Setup s;
    s.close();
    // As the first program wrote it: no feature bit, a ring that the file is shorter than.
    Superblock old = superblock_in(s.files);
    old.map_pages = false;
    old.directory_pages = 0;
    old.ring_bytes = 0;
    old.floor_seq = 0;
    old.generation = 1;
    Bytes map = encode_superblock(old);
    map.resize(kMapHeaderBytes, 0);
    REQUIRE(write_file_atomic(s.files + "/d-l-1.map", as_text(map)));
    s.open();
    s.changes(100);
    s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
    s.changes(500);
    CHECK(superblock_in(s.files).map_pages);
    CHECK(superblock_in(s.files).directory_pages == 2);
    s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
    s.close();
    s.open();
    s.model.check(s.sync, *s.layer);
}

TEST_CASE("a layer of version 1 with map pages opens for ever") {
    const std::string golden = KILN_BLOCK_TEST_DATA "/layer-v1-map-pages";
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    if (std::getenv("GOLDEN_ACCEPT") != nullptr) {
        std::filesystem::remove_all(golden);
        std::filesystem::create_directories(golden);
        TestStore writer(reactor, golden);
        writer.context.geometry.checkpoint_bytes = 128;
        writer.context.geometry.directory_pages = 2;
        const auto layer = writer.open_active("l-golden", kBytes);
        REQUIRE(layer);
        CHECK(sync.write(**layer, {1, 2}, 'a'));
        CHECK(sync.zero(**layer, {2, 5}));
        CHECK(sync.write(**layer, {290, 10}, 'c'));
        CHECK(sync.write(**layer, {4, 1}, 'b'));
        CHECK(sync.seal(**layer));
        CHECK(sync.close(**layer));
    }
    CHECK(superblock_in(golden, "l-golden").root.exists());
    copy_files(golden, dir / "copy");
    TestStore store(reactor, dir / "copy");
    const auto layer = store.open_sealed("l-golden", kBytes);
    REQUIRE_MESSAGE(layer, layer.error().to_string());
    CHECK(*sync.read(**layer, 1) == 'a');
    CHECK(state_of(**layer, 2) == BlockState::zero);
    CHECK(*sync.read(**layer, 4) == 'b');
    CHECK((*layer)->presence(5, 50).count == 2);
    CHECK(state_of(**layer, 7) == BlockState::absent);
    CHECK(*sync.read(**layer, 299) == 'c');
    CHECK(sync.close(**layer));
}
