// SPDX-License-Identifier: Apache-2.0
// Check sums of the data of sealed layers: what reads notice with them, what a crash or an error
// leaves while they are made, and when a destage makes them.
#include <doctest/doctest.h>

#include "block/limits.h"
#include "block/tests/content_support.h"
#include "block/tests/data_crc_support.h"
#include "block/tests/owner_support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

TEST_CASE(
    "INT-2: with check sums a changed byte of a sealed layer's data is an error, not served") {
    Sealed s;
    // Before, it relies on the device.
    s.flip(10, 0);
    CHECK(!s.superblock().data_crc);
    s.flip(10, 0);
    REQUIRE(s.make());
    CHECK(s.superblock().data_crc);
    CHECK(!std::filesystem::exists(s.path(".crc.new")));
    s.check_whole();
    for (const std::uint64_t block : {std::uint64_t{10}, kPage - 1, kPage + 1, kBlocks - 1}) {
        for (const std::uint64_t byte : {0U, 1000U, 4095U}) {
            CAPTURE(block);
            s.flip(block, byte);
            const auto got = s.read(block);
            REQUIRE(!got);
            CHECK(got.error().code() == Code::data_loss);
            const std::string what = got.error().to_string();
            CHECK(what.find("l-1") != std::string::npos);
            CHECK(what.find(std::to_string(block * kBlockBytes)) != std::string::npos);
            CHECK(*s.read(kPage - 2) == 'a');  // its neighbour is as good as before
            s.flip(block, byte);
        }
    }
    s.check_whole();
}

TEST_CASE("a read over many blocks, pages and shards is checked block by block") {
    Sealed s;
    REQUIRE(s.make());
    const BlockRange range{kPage - 2, 2};
    const auto read = [&] {
        const auto layer = s.store.open_sealed("l-1", kBytes);
        REQUIRE(layer);
        io::Buffer into(range.count * kBlockBytes);
        Status status = s.reactor.await<void>(
            [&](Done done) { (*layer)->read(range, into.mutable_view(), std::move(done)); });
        CHECK(s.sync.close(**layer));
        return status;
    };
    CHECK(read());
    s.flip(kPage - 1, 77);
    CHECK(read().error().code() == Code::data_loss);
}

TEST_CASE("check sums that are damaged, lost, or another layer's are data loss") {
    Sealed s;
    REQUIRE(s.make());
    const auto code = [&](std::uint64_t block) {
        const auto got = s.read(block);
        return got ? Code::internal : got.error().code();
    };
    // A page: what it speaks for.
    flip_byte(s.path(".crc"), data_crc_page_offset(1) + 100);
    CHECK(code(kPage + 1) == Code::data_loss);
    CHECK(*s.read(10) == 'b');
    flip_byte(s.path(".crc"), data_crc_page_offset(1) + 100);
    // The header: all of the layer.
    flip_byte(s.path(".crc"), 70);
    CHECK(code(10) == Code::data_loss);
    flip_byte(s.path(".crc"), 70);
    s.check_whole();
    s.seal("l-2");
    REQUIRE(s.make("l-2"));
    std::filesystem::copy_file(s.path(".crc"), s.dir / "kept");
    std::filesystem::copy_file(s.files + "/d-l-2.crc", s.path(".crc"),
                               std::filesystem::copy_options::overwrite_existing);
    CHECK(code(10) == Code::data_loss);
    std::filesystem::remove(s.path(".crc"));
    CHECK(code(10) == Code::data_loss);
    std::filesystem::copy_file(s.dir / "kept", s.path(".crc"));
    s.check_whole();
    std::filesystem::resize_file(s.path(".crc"), data_crc_file_bytes(kBytes) - 1);
    CHECK(code(10) == Code::data_loss);
}

TEST_CASE("check sums count without the bit in the superblock, which comes after them") {
    Sealed s;
    REQUIRE(s.make());
    // The newer superblock is damaged; the older one knows nothing of them.
    flip_byte(s.path(".map"), superblock_offset(s.superblock().generation) + 300);
    CHECK(!s.superblock().data_crc);
    s.check_whole();
    s.flip(10, 5);
    CHECK(s.read(10).error().code() == Code::data_loss);
    s.flip(10, 5);
    REQUIRE(s.make());
    CHECK(s.superblock().data_crc);
    s.check_whole();
}

TEST_CASE("the bit in the superblock says that the layer is sealed") {
    Sealed s;
    REQUIRE(s.make());
    std::filesystem::resize_file(s.path(".jnl"), kJournalHeaderBytes);
    CHECK(s.read(10).error().code() == Code::data_loss);
    CHECK(s.store.open_active("l-1", kBytes, false).error().code() == Code::data_loss);
}

TEST_CASE("an error at any operation leaves the layer as good as it was, and they can be made") {
    int operations = 0;
    for (int failing = 0; failing <= operations; ++failing) {
        Sealed s;
        s.store.gate.skip_syncs = false;
        auto layer = s.store.open_sealed("l-1", kBytes);
        REQUIRE(layer);
        int count = 0;
        s.store.gate.fail = [&](const io::Op& op) {
            return op.kind != io::OpKind::close && count++ == failing;
        };
        const Status made = s.reactor.await<void>([&](Done done) {
            (void)DataCrcMaker::start(s.store.context, LayerId("l-1"), *layer, std::move(done));
        });
        s.store.gate.fail = nullptr;
        operations = std::max(operations, count);
        CAPTURE(failing);
        CHECK(made.has_value() == (failing >= count));
        CHECK(s.sync.close(**layer));
        s.check_whole();
        CHECK(!std::filesystem::exists(s.path(".crc.new")));
        REQUIRE(s.make());
        CHECK(s.superblock().data_crc);
        s.check_whole();
        s.flip(10, 9);
        CHECK(s.read(10).error().code() == Code::data_loss);
    }
    CHECK(operations > 12);
}

TEST_CASE("the end of the process at any operation leaves the layer as good as it was") {
    TempDir elsewhere;
    Sealed s;
    s.store.gate.skip_syncs = false;
    auto layer = s.store.open_sealed("l-1", kBytes);
    REQUIRE(layer);
    int moments = 0;
    s.store.gate.hold = [&](const io::Op&) {
        // What another process finds if this one ends now.
        copy_files(s.files, elsewhere / "b");
        TestStore other(s.reactor, elsewhere / "b");
        const auto found = other.open_sealed("l-1", kBytes);
        REQUIRE_MESSAGE(found, found.error().to_string());
        CHECK(*s.sync.read(**found, kPage + 1) == 'a');
        CHECK(s.sync.close(**found));
        ++moments;
        return false;
    };
    const Status made = s.reactor.await<void>([&](Done done) {
        (void)DataCrcMaker::start(s.store.context, LayerId("l-1"), *layer, std::move(done));
    });
    s.store.gate.hold = nullptr;
    CHECK(made);
    CHECK(moments > 12);
    CHECK(s.sync.close(**layer));
    // And left-overs of another attempt are no hindrance.
    REQUIRE(write_file_atomic(s.path(".crc.new"), "left over"));
    CHECK(s.make());
    s.check_whole();
}

TEST_CASE("the making of check sums is cancelled, and nothing stays of it") {
    Sealed s;
    CHECK(s.make("l-1", true).error().code() == Code::cancelled);
    CHECK(!std::filesystem::exists(s.path(".crc.new")));
    CHECK(!std::filesystem::exists(s.path(".crc")));
    s.check_whole();
    CHECK(s.make());
}

TEST_CASE("what cannot be read gets no check sums") {
    Sealed s;
    std::filesystem::remove(s.place_of(10).first);
    CHECK(s.make().error().code() == Code::data_loss);
    CHECK(!s.superblock().data_crc);
    CHECK(*s.read(kPage + 1) == 'a');
}

TEST_CASE("a block whose page is at hand costs one read; a bounded number of pages is kept") {
    constexpr std::uint64_t kPages = kDataCrcPagesKept + 6;
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    TestStore store(reactor, dir / "");
    store.gate.skip_syncs = true;
    store.context.geometry.shard_bytes = 64 << 20;
    store.context.geometry.page_blocks = 16384;
    const std::uint64_t bytes = kPages * kPage * kBlockBytes;
    auto layer = store.open_active("l-1", bytes);
    REQUIRE_MESSAGE(layer, layer.error().to_string());
    for (std::uint64_t page = 0; page < kPages; ++page) {
        CHECK(sync.write(**layer, {page * kPage, 2}, static_cast<std::uint8_t>(page)));
    }
    CHECK(sync.seal(**layer));
    CHECK(sync.close(**layer));
    layer = store.open_sealed("l-1", bytes);
    REQUIRE(layer);
    CHECK(reactor.await<void>([&](Done done) {
        (void)DataCrcMaker::start(store.context, LayerId("l-1"), *layer, std::move(done));
    }));
    CHECK(sync.close(**layer));
    layer = store.open_sealed("l-1", bytes);
    REQUIRE(layer);
    const auto reads_of = [&](std::uint64_t block) {
        store.gate.counts.clear();
        CHECK(*sync.read(**layer, block) == static_cast<std::uint8_t>(block / kPage));
        return store.gate.counts[io::OpKind::read];
    };
    CHECK(reads_of(0) == 2);
    CHECK(reads_of(0) == 1);
    CHECK(reads_of(1) == 1);
    for (std::uint64_t page = 1; page < kPages; ++page) {
        CHECK(reads_of(page * kPage) == 2);
        CHECK(reads_of(page * kPage + 1) == 1);
    }
    CHECK(reads_of(0) == 2);  // another came in its place
    CHECK(reads_of((kPages - 1) * kPage) == 1);
    CHECK(sync.close(**layer));
}

TEST_CASE("a destage gives the data check sums first, and open volumes check from then on") {
    ContentWorld store(true);
    store.create("vol-1", kContentBytes);
    store.write("vol-1", 0, 8 * kBlockBytes, 7);
    store.snapshot("vol-1", "content-1");
    const std::string files = store.engine.options.directory;
    CHECK(!std::filesystem::exists(files + "/d-l-1.crc"));
    store.destage("content-1");  // its layer is named still, and read rather than the tree
    CHECK(std::filesystem::exists(files + "/d-l-1.crc"));
    CHECK(!std::filesystem::exists(files + "/d-l-2.crc"));
    REQUIRE(store.engine->read(VolumeId("vol-1"), 0, 4096, soon()));
    flip_byte(files + "/d-l-1-0000.blk", 3 * kBlockBytes + 1);
    REQUIRE(store.engine->read(VolumeId("vol-1"), 0, 4096, soon()));
    const auto got = store.engine->read(VolumeId("vol-1"), 3 * kBlockBytes, 4096, soon());
    REQUIRE(!got);
    CHECK(got.error().code() == Code::data_loss);
    // Whole again, and gone with the layer.
    flip_byte(files + "/d-l-1-0000.blk", 3 * kBlockBytes + 1);
    REQUIRE(store.engine->read(VolumeId("vol-1"), 3 * kBlockBytes, 4096, soon()));
    store.drop_layer("content-1");
    CHECK(!std::filesystem::exists(files + "/d-l-1.crc"));
}

TEST_CASE("damage between two destages of a content is not stored") {
    ContentWorld store(true);
    store.create("vol-1", kContentBytes);
    store.write("vol-1", 0, 8 * kBlockBytes, 7);
    store.snapshot("vol-1", "content-1");
    REQUIRE(store.engine->destage(ContentId("content-1"), 1, soon()));
    flip_byte(store.engine.options.directory + "/d-l-1-0000.blk", 5 * kBlockBytes);
    CHECK(store.engine->destage(ContentId("content-1"), 1, soon()).error().code() ==
          Code::data_loss);
}

TEST_CASE("a device too full for check sums keeps no content from being destaged") {
    TestReactor reactor(1);
    TestOwner owner(reactor);
    REQUIRE(owner.open("vol-1", 8 * kBlockBytes, "", "l-1"));
    CHECK(owner.write("vol-1", 0, 'a'));
    REQUIRE(owner.cut("vol-1", "l-2", "content-1", "set-1"));
    owner.add_content("content-1", "", "l-1", 8 * kBlockBytes);
    owner.gate.fail_code = Code::out_of_space;
    owner.gate.fail = [](const io::Op& op) { return op.path.ends_with(".crc.new"); };
    CHECK(owner.destage("content-1"));
    owner.gate.fail = nullptr;
    CHECK(owner.first_byte("vol-1", 0) == 'a');
    CHECK(owner.destage("content-1"));
}
