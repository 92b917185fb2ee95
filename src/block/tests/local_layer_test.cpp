// SPDX-License-Identifier: Apache-2.0
// What is particular to layers in files: replay at open, loss of power, damage, failing
// devices. Checkpoints have checkpoint_test.cpp.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "block/tests/support.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kBytes = 50 * kBlockBytes;

void change_byte(const std::string& path, std::uint64_t at) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    std::uint8_t byte = 0;
    REQUIRE(::pread(fd.get(), &byte, 1, static_cast<off_t>(at)) == 1);
    byte ^= 0x55;
    REQUIRE(::pwrite(fd.get(), &byte, 1, static_cast<off_t>(at)) == 1);
}

// A layer in `dir`/a, and views of copies of it as a later process, or a later boot, would see it.
struct Setup {
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    std::string files;
    std::unique_ptr<TestStore> store;
    std::shared_ptr<Layer> layer;

    explicit Setup(io::Backend backend = io::Backend::automatic)
        : reactor(backend), files(dir / "a") {
        std::filesystem::create_directory(files);
        store = std::make_unique<TestStore>(reactor, files);
        reopen();
    }
    ~Setup() {
        if (layer) {
            CHECK(sync.close(*layer));
        }
    }
    void reopen() {
        if (layer) {
            CHECK(sync.close(*layer));
            layer.reset();
        }
        auto opened = store->open_active("l-1", kBytes);
        REQUIRE_MESSAGE(opened, opened.error().to_string());
        layer = *opened;
    }
    // What another process finds if this one ends now.
    void as_found(const std::string& boot_id, const std::function<void(TestStore&, Layer&)>& body) {
        copy_files(files, dir / "b");
        TestStore other(reactor, dir / "b", boot_id);
        auto opened = other.open_active("l-1", kBytes, false);
        REQUIRE_MESSAGE(opened, opened.error().to_string());
        body(other, **opened);
        CHECK(sync.close(**opened));
    }
    Error refused(const std::string& boot_id = "boot-1") {
        copy_files(files, dir / "b");
        return refused_in_b(boot_id);
    }
    Error refused_in_b(const std::string& boot_id = "boot-1") {
        TestStore other(reactor, dir / "b", boot_id);
        auto opened = other.open_active("l-1", kBytes, false);
        if (opened) {
            CHECK(sync.close(**opened));
            return Error(Code::internal, "it was opened");
        }
        return opened.error();
    }
};

}  // namespace

TEST_CASE(
    "I2: what was acknowledged is there after the end of the process, without flush or close") {
    for (const io::Backend backend : backends()) {
        Setup s(backend);
        CHECK(s.sync.write(*s.layer, {0, 20}, 3));
        CHECK(s.sync.zero(*s.layer, {5, 1}));
        CHECK(s.sync.write(*s.layer, {6, 1}, 4));
        s.as_found("boot-1", [&](TestStore&, Layer& found) {
            CHECK(*s.sync.read(found, 0) == 3);
            CHECK(*s.sync.read(found, 19) == 3);
            CHECK(*s.sync.read(found, 6) == 4);
            CHECK(state_of(found, 5) == BlockState::zero);
            CHECK(state_of(found, 20) == BlockState::absent);
            // And it goes on from there.
            CHECK(s.sync.write(found, {30, 1}, 9));
            CHECK(s.sync.flush(found));
        });
        TestStore again(s.reactor, s.dir / "b");
        const auto found = again.open_active("l-1", kBytes, false);
        REQUIRE(found);
        CHECK(*s.sync.read(**found, 30) == 9);
        CHECK(s.sync.close(**found));
    }
}

TEST_CASE(
    "D2: after a loss of power flushed changes are there and unflushed ones are not, for ever") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 2}, 3));
    CHECK(s.sync.flush(*s.layer));
    CHECK(s.sync.write(*s.layer, {10, 1}, 4));
    CHECK(s.sync.zero(*s.layer, {1, 1}));
    s.as_found("boot-2", [&](TestStore&, Layer& found) {
        CHECK(*s.sync.read(found, 0) == 3);
        CHECK(state_of(found, 1) == BlockState::data);
        CHECK(state_of(found, 10) == BlockState::absent);
        CHECK(s.sync.write(found, {11, 1}, 5));
    });
    // The process of boot-2 ended; its records follow the dropped ones.
    TestStore again(s.reactor, s.dir / "b", "boot-2");
    const auto found = again.open_active("l-1", kBytes, false);
    REQUIRE_MESSAGE(found, found.error().to_string());
    CHECK(state_of(**found, 10) == BlockState::absent);
    CHECK(*s.sync.read(**found, 11) == 5);
    CHECK(s.sync.close(**found));
}

TEST_CASE("D2: a write that completes while a flush runs is not covered by it") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 1}, 3));
    bool flushed = false;
    s.store->gate.hold = [](const io::Op& op) { return op.kind == io::OpKind::sync_data; };
    s.layer->flush(s.layer->version(), [&](Status status) { flushed = status.has_value(); });
    CHECK(s.reactor->run_until([&] { return !s.store->gate.held.empty(); }, soon()));
    CHECK(s.sync.write(*s.layer, {1, 1}, 4));  // acknowledged, its data not in the sync that waits
    CHECK(!flushed);
    s.store->gate.release();
    CHECK(s.reactor->run_until([&] { return flushed; }, soon()));
    s.as_found("boot-2", [&](TestStore&, Layer& found) {
        CHECK(state_of(found, 0) == BlockState::data);
        CHECK(state_of(found, 1) == BlockState::absent);
    });
    CHECK(s.sync.flush(*s.layer));
    s.as_found("boot-2",
               [&](TestStore&, Layer& found) { CHECK(state_of(found, 1) == BlockState::data); });
}

TEST_CASE("D2: a change that comes while a flush runs does not join a record the flush covers") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 4}, 3));
    CHECK(s.sync.flush(*s.layer));
    auto& gate = s.store->gate;
    const io::Buffer data = filled(1, 7);
    int acknowledged = 0;
    bool flushed = false;
    const auto count = [&](Status status) { acknowledged += status ? 1 : 0; };
    gate.hold = [](const io::Op& op) {
        return op.kind == io::OpKind::sync_data ||
               (op.kind == io::OpKind::write && op.length != kBlockBytes);
    };
    // The first is being journalled, so the second queues; the flush starts, and the third comes
    // after it.
    s.layer->write({4, 1}, data.view(), count);
    CHECK(s.reactor->run_until([&] { return gate.held.size() == 1; }, soon()));
    s.layer->write({5, 1}, data.view(), count);
    CHECK(s.reactor->run_until([&] { return gate.in_flight() == 0; }, soon()));
    s.layer->flush(s.layer->version() + 1, [&](Status status) { flushed = status.has_value(); });
    CHECK(s.reactor->run_until([&] { return gate.held.size() == 2; }, soon()));
    s.layer->write({6, 1}, data.view(), count);
    CHECK(s.reactor->run_until([&] { return gate.in_flight() == 0; }, soon()));
    gate.release();
    CHECK(s.reactor->run_until([&] { return flushed && acknowledged == 3; }, soon()));
    s.as_found("boot-2", [&](TestStore&, Layer& found) {
        CHECK(state_of(found, 4) == BlockState::data);
        CHECK(state_of(found, 5) == BlockState::data);
        CHECK(state_of(found, 6) == BlockState::absent);
    });
}

TEST_CASE(
    "I1: no record is written before its data, and none is acknowledged before it is written") {
    Setup s;
    const io::Buffer data = filled(1, 5);
    bool done = false;
    CHECK(s.sync.write(*s.layer, {40, 1}, 1));  // opens the shard of block 41
    s.store->gate.hold = [](const io::Op& op) { return op.kind == io::OpKind::write; };
    s.layer->write({41, 1}, data.view(), [&](Status status) { done = status.has_value(); });
    CHECK(s.reactor->run_until([&] { return s.store->gate.held.size() == 1; }, soon()));
    CHECK(s.store->gate.held[0].first.length == kBlockBytes);  // the data; the journal waits for it
    auto first = std::move(s.store->gate.held[0]);
    s.store->gate.held.clear();
    s.reactor->io().submit(std::move(first.first), std::move(first.second));
    CHECK(s.reactor->run_until([&] { return s.store->gate.held.size() == 1; }, soon()));
    CHECK(!done);
    CHECK(state_of(*s.layer, 41) == BlockState::absent);
    s.store->gate.release();
    CHECK(s.reactor->run_until([&] { return done; }, soon()));
    CHECK(state_of(*s.layer, 41) == BlockState::data);
}

TEST_CASE(
    "an overwrite costs no record, and a flush without new records leaves the journal alone") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 10}, 3));
    CHECK(s.sync.flush(*s.layer));
    s.store->gate.counts.clear();
    CHECK(s.sync.write(*s.layer, {2, 3}, 4));
    CHECK(s.sync.flush(*s.layer));
    CHECK(s.store->gate.counts[io::OpKind::write] == 1);
    CHECK(s.store->gate.counts[io::OpKind::sync_data] == 1);
    s.store->gate.counts.clear();
    CHECK(s.sync.flush(*s.layer));
    CHECK(s.store->gate.counts.empty());
}

TEST_CASE("changes that come while the journal is written share the next record") {
    Setup s;
    std::vector<io::Buffer> data;
    std::size_t done = 0;
    for (std::uint64_t block = 0; block < 16; ++block) {
        data.push_back(filled(1, 1));
    }
    CHECK(s.sync.write(*s.layer, {0, 1}, 9));
    auto& gate = s.store->gate;
    gate.counts.clear();
    std::size_t data_written = 0;
    gate.hold = [&](const io::Op& op) {
        const bool is_data = op.kind == io::OpKind::write && op.length == kBlockBytes;
        data_written += is_data ? 1 : 0;
        return op.kind == io::OpKind::write && !is_data;
    };
    const auto count = [&](Status status) { done += status ? 1U : 0U; };
    s.layer->write({1, 1}, data[1].view(), count);
    CHECK(s.reactor->run_until([&] { return gate.held.size() == 1; }, soon()));
    for (std::uint64_t block = 2; block < 16; ++block) {
        s.layer->write({block, 1}, data[block].view(), count);
    }
    // Their data is written; their records wait for the one on its way.
    CHECK(s.reactor->run_until([&] { return gate.in_flight() == 0; }, soon()));
    CHECK(data_written == 15);
    CHECK(done == 0);
    gate.release();
    CHECK(s.reactor->run_until([&] { return done == 15; }, soon()));
    CHECK(gate.counts[io::OpKind::write] == 15 + 2);
    s.as_found("boot-1",
               [&](TestStore&, Layer& found) { CHECK(found.presence(0, 50).count == 16); });
}

TEST_CASE("a failed sync is final: every operation fails from then on") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 1}, 3));
    s.store->gate.fail = [](const io::Op& op) { return op.kind == io::OpKind::sync_data; };
    CHECK(s.sync.flush(*s.layer).error().code() == Code::io_error);
    s.store->gate.fail = nullptr;
    CHECK(s.sync.flush(*s.layer).error().code() == Code::io_error);
    CHECK(s.sync.write(*s.layer, {0, 1}, 3).error().code() == Code::io_error);
    CHECK(s.sync.read(*s.layer, 0).error().code() == Code::io_error);
}

TEST_CASE("a full disk refuses the write, and the layer goes on") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 1}, 3));
    s.store->gate.fail = [](const io::Op& op) {
        return op.kind == io::OpKind::write && op.length == kBlockBytes;
    };
    s.store->gate.fail_code = Code::out_of_space;
    CHECK(s.sync.write(*s.layer, {1, 1}, 4).error().code() == Code::out_of_space);
    s.store->gate.fail = nullptr;
    CHECK(state_of(*s.layer, 1) == BlockState::absent);
    CHECK(s.sync.write(*s.layer, {1, 1}, 5));
    CHECK(*s.sync.read(*s.layer, 1) == 5);
    CHECK(s.sync.flush(*s.layer));
}

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
        change_byte(b + "/d-l-1.jnl", kJournalHeaderBytes + 40);
        CHECK(s.refused_in_b().code() == Code::data_loss);
    }
    SUBCASE("the journal's header") {
        copy_files(s.files, b);
        change_byte(b + "/d-l-1.jnl", 130);
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
        change_byte(b + "/d-l-1.map", 300);
        CHECK(s.refused_in_b().code() == Code::data_loss);
    }
    SUBCASE("the last record, after a clean close") {
        const auto before = std::filesystem::file_size(s.files + "/d-l-1.jnl");
        CHECK(s.sync.close(*s.layer));
        s.layer.reset();
        copy_files(s.files, b);
        // Three SET records of 32 bytes and FLUSHED.
        change_byte(b + "/d-l-1.jnl", kJournalHeaderBytes + 3 * 32 + 30);
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
    change_byte(s.dir / "b/d-l-1.jnl", kJournalHeaderBytes + 32 + 40 + 5);
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

TEST_CASE("a flush after a restart syncs what the process before had written") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {0, 40}, 3));
    s.as_found("boot-1", [&](TestStore& store, Layer& found) {
        store.gate.counts.clear();
        CHECK(s.sync.flush(found));
        CHECK(store.gate.counts[io::OpKind::sync_data] == 4);  // three shards and the journal
        CHECK(store.gate.counts[io::OpKind::sync_dir] == 1);
    });
}

TEST_CASE("a store that is not durable never syncs") {
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    TestStore store(reactor, dir.path());
    store.context.durable = false;
    const auto layer = store.open_active("l-1", kBytes);
    REQUIRE(layer);
    CHECK(sync.write(**layer, {0, 1}, 3));
    CHECK(sync.flush(**layer));
    CHECK(sync.seal(**layer));
    CHECK(sync.close(**layer));
    for (const auto kind : {io::OpKind::sync, io::OpKind::sync_data, io::OpKind::sync_dir}) {
        CHECK(store.gate.counts[kind] == 0);
    }
    const auto sealed = store.open_sealed("l-1", kBytes);
    REQUIRE(sealed);
    CHECK(*sync.read(**sealed, 0) == 3);
    CHECK(sync.close(**sealed));
}

TEST_CASE("a 64 TiB layer costs no more files or space than a small one") {
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    TestStore store(reactor, dir.path());
    store.context.geometry = {};
    const auto layer = store.open_active("l-1", kMaxVolumeBytes);
    REQUIRE(layer);
    CHECK(sync.write(**layer, {kMaxVolumeBytes / kBlockBytes - 1, 1}, 3));
    CHECK(*sync.read(**layer, kMaxVolumeBytes / kBlockBytes - 1) == 3);
    CHECK(sync.close(**layer));
    CHECK(std::filesystem::exists(dir / "d-l-1-1023.blk"));
    const auto files = std::filesystem::directory_iterator(dir.path());
    CHECK(std::distance(begin(files), end(files)) == 3);
    const auto again = store.open_active("l-1", kMaxVolumeBytes, false);
    REQUIRE(again);
    CHECK(*sync.read(**again, kMaxVolumeBytes / kBlockBytes - 1) == 3);
    CHECK(sync.close(**again));
}

// No program writes such a one any more: checkpoint_test.cpp has those with map pages.
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
