// SPDX-License-Identifier: Apache-2.0
// What an open of a layer in files accepts and refuses: damage, files of others, what was cut
// short.
#include "block/tests/local_layer_support.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;
using namespace kiln::block::testing::local_layers;

TEST_CASE(
    "a sealed layer opens as content and not for writing, an unsealed one the other way round") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 20}, 3));
    CHECK(s.store->open_sealed("l-1", kBytes).error().code() == Code::failed_precondition);
    CHECK(s.sync.seal(*s.layer));
    CHECK(s.sync.close(*s.layer));
    s.layer.reset();
    CHECK(s.store->open_active("l-1", kBytes).error().code() == Code::failed_precondition);
    TestStore later(s.reactor, s.files, "boot-7");
    const auto sealed = later.open_sealed("l-1", kBytes);
    REQUIRE(sealed);
    CHECK(*s.sync.read(**sealed, 19) == 3);
    CHECK(s.sync.write(**sealed, {0, 1}, 1).error().code() == Code::failed_precondition);
    CHECK(s.sync.flush(**sealed));
    CHECK(s.sync.close(**sealed));
}

TEST_CASE("files of another layer, volume, store or size are refused as data loss") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 1}, 3));
    for (const char* ending : {".map", ".jnl"}) {
        std::filesystem::copy_file(s.files + "/d-l-1" + ending, s.files + "/d-l-2" + ending);
    }
    CHECK(s.store->open_active("l-2", kBytes).error().code() == Code::data_loss);
    CHECK(s.store->open({LayerId("l-1"), VolumeId("vol-2"), kBytes, true, false}).error().code() ==
          Code::data_loss);
    CHECK(s.store->open_active("l-1", kBytes + kBlockBytes).error().code() == Code::data_loss);
    TestStore other(s.reactor, s.files);
    other.context.store_uuid = "another";
    CHECK(other.open_active("l-1", kBytes).error().code() == Code::data_loss);
    // A journal that was swapped for another layer's.
    auto second = s.store->open_active("l-3", kBytes);
    REQUIRE(second);
    CHECK(s.sync.close(**second));
    copy_files(s.files, s.dir / "b");
    std::filesystem::copy_file(s.files + "/d-l-3.jnl", s.dir / "b/d-l-1.jnl",
                               std::filesystem::copy_options::overwrite_existing);
    CHECK(s.refused_in_b().code() == Code::data_loss);
}

TEST_CASE("damaged or missing files are data loss, never zeros") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 1}, 3));
    CHECK(s.sync.write(*s.layer, {1, 1}, 3));
    CHECK(s.sync.write(*s.layer, {2, 1}, 3));
    CHECK(s.sync.flush(*s.layer));
    const std::string b = s.dir / "b";
    SUBCASE("a journal record") {
        copy_files(s.files, b);
        flip_byte(b + "/d-l-1.jnl", kJournalHeaderBytes + 40);
        CHECK(s.refused_in_b().code() == Code::data_loss);
    }
    SUBCASE("the journal's header") {
        copy_files(s.files, b);
        flip_byte(b + "/d-l-1.jnl", 130);
        CHECK(s.refused_in_b().code() == Code::data_loss);
    }
    SUBCASE("the journal cut short") {
        copy_files(s.files, b);
        std::filesystem::resize_file(b + "/d-l-1.jnl", 100);
        CHECK(s.refused_in_b().code() == Code::data_loss);
    }
    SUBCASE("the journal gone") {
        copy_files(s.files, b);
        std::filesystem::remove(b + "/d-l-1.jnl");
        CHECK(s.refused_in_b().code() == Code::data_loss);
    }
    SUBCASE("the only superblock") {
        copy_files(s.files, b);
        flip_byte(b + "/d-l-1.map", 300);
        CHECK(s.refused_in_b().code() == Code::data_loss);
    }
    SUBCASE("the last record, after a clean close") {
        const auto before = std::filesystem::file_size(s.files + "/d-l-1.jnl");
        CHECK(s.sync.close(*s.layer));
        s.layer.reset();
        copy_files(s.files, b);
        // Three SET records of 32 bytes and FLUSHED.
        flip_byte(b + "/d-l-1.jnl", kJournalHeaderBytes + 3 * 32 + 30);
        CHECK(before >= kJournalHeaderBytes + 3 * 32 + 40);
        CHECK(s.refused_in_b().code() == Code::data_loss);
    }
    SUBCASE("a data file that is short or gone is found when it is read") {
        for (const bool gone : {false, true}) {
            copy_files(s.files, b);
            if (gone) {
                std::filesystem::remove(b + "/d-l-1-0000.blk");
            } else {
                std::filesystem::resize_file(b + "/d-l-1-0000.blk", 4096);
            }
            TestStore other(s.reactor, b);
            const auto opened = other.open_active("l-1", kBytes, false);
            REQUIRE(opened);
            CHECK(s.sync.read(**opened, 0).error().code() == Code::data_loss);
            CHECK(s.sync.write(**opened, {0, 1}, 1).error().code() == Code::data_loss);
            CHECK(s.sync.close(**opened));
        }
    }
}

TEST_CASE(
    "records torn off by a loss of power are cleared, and are no damage to the next process") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 1}, 3));
    CHECK(s.sync.flush(*s.layer));
    CHECK(s.sync.write(*s.layer, {1, 1}, 3));
    CHECK(s.sync.write(*s.layer, {2, 1}, 3));
    copy_files(s.files, s.dir / "b");
    // SET, FLUSHED, SET (torn), SET.
    flip_byte(s.dir / "b/d-l-1.jnl", kJournalHeaderBytes + 32 + 40 + 5);
    CHECK(s.refused_in_b("boot-1").code() == Code::data_loss);
    for (int round = 0; round < 2; ++round) {
        TestStore other(s.reactor, s.dir / "b", "boot-2");
        const auto opened = other.open_active("l-1", kBytes, false);
        REQUIRE_MESSAGE(opened, opened.error().to_string());
        CHECK(*s.sync.read(**opened, 0) == 3);
        CHECK(state_of(**opened, 2) == BlockState::absent);
        CHECK(s.sync.close(**opened));
    }
}

TEST_CASE(
    "a creation that was cut short starts again, and a finished one is opened, not made anew") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 1}, 3));
    s.reopen();
    CHECK(*s.sync.read(*s.layer, 0) == 3);
    REQUIRE(write_file_atomic(s.files + "/d-l-5.jnl", "half a journal"));
    REQUIRE(write_file_atomic(s.files + "/d-l-5.map.new", "half a map"));
    CHECK(s.store->open_active("l-5", kBytes, false).error().code() == Code::not_found);
    const auto made = s.store->open_active("l-5", kBytes);
    REQUIRE(made);
    CHECK(s.sync.close(**made));
}

// No program writes such a one any more: checkpoint_open_test.cpp has those with map pages.
TEST_CASE("a layer of version 1 without map pages opens for ever") {
    const std::string golden = KILN_BLOCK_TEST_DATA "/layer-v1";
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    copy_files(golden, dir / "copy");
    TestStore store(reactor, dir / "copy");
    const auto layer = store.open_sealed("l-golden", kBytes);
    REQUIRE_MESSAGE(layer, layer.error().to_string());
    CHECK(*sync.read(**layer, 1) == 'a');
    CHECK(state_of(**layer, 2) == BlockState::zero);
    CHECK(*sync.read(**layer, 4) == 'b');
    CHECK((*layer)->presence(5, 50).count == 2);
    CHECK(state_of(**layer, 7) == BlockState::absent);
    CHECK(sync.close(**layer));
}
