// SPDX-License-Identifier: Apache-2.0
// Checkpoints of a layer: the journal's room is used again and grows, changes wait for it, and a
// crash at any step leaves the old or the new state.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/tests/checkpoint_support.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;
using namespace kiln::block::testing::checkpoints;

TEST_CASE("D2: the journal's room is used again, many times over, and nothing is lost" *
          doctest::test_suite("slow")) {
    Setup s;
    s.store->context.geometry.journal_bytes = 8 << 10;
    s.close();
    std::filesystem::remove_all(s.files);
    std::filesystem::create_directory(s.files);
    s.open();
    for (int round = 0; round < 6; ++round) {
        s.changes(400);
        s.model.check(s.sync, *s.layer);
        s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
        CHECK(s.sync.flush(*s.layer));
        s.as_found("boot-2", [&](Layer& found) { s.model.check(s.sync, found); });
    }
    CHECK(superblock_in(s.files).head.seq > 1000);
    CHECK(std::filesystem::file_size(s.files + "/d-l-1.jnl") == kJournalHeaderBytes + (8 << 10));
}

TEST_CASE("D2: the ring doubles at checkpoints, from its first size to its largest") {
    Setup s;
    CHECK(superblock_in(s.files).ring_bytes == 8 << 10);
    CHECK(std::filesystem::file_size(s.files + "/d-l-1.jnl") == kJournalHeaderBytes + (8 << 10));
    std::vector<std::uint64_t> sizes;
    for (int i = 0; i < 3000; ++i) {
        s.changes(1);
        const std::uint64_t ring = superblock_in(s.files).ring_bytes;
        if (sizes.empty() || sizes.back() != ring) {
            sizes.push_back(ring);
            s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
        }
    }
    CHECK(sizes == std::vector<std::uint64_t>{8 << 10, 16 << 10, 32 << 10, 64 << 10});
    s.model.check(s.sync, *s.layer);
}

TEST_CASE("changes that find the ring full wait for the checkpoint, in their order") {
    Setup s;
    auto& gate = s.store->gate;
    bool refused = false;
    CHECK(s.sync.write(*s.layer, {100, 1}, 8));
    gate.hold = writes_superblock;
    const io::Buffer data = filled(1, 9);
    std::uint64_t asked = 0;
    std::uint64_t done = 0;
    // Until nothing is answered any more.
    while (asked < 2000) {
        const std::uint64_t block = asked % 2 == 0 ? 5 : 6;
        const auto count = [&](Status status) {
            ++done;
            refused = refused || !status;
        };
        ++asked;
        if (asked % 4 < 2) {
            s.layer->zero({block, 1}, count);
        } else {
            s.layer->write({block, 1}, data.view(), count);
        }
        s.reactor->run_until(
            [&] { return done == asked; },
            Deadline::after(std::chrono::milliseconds(gate.held.empty() ? 5000 : 20)));
        if (done < asked) {
            break;
        }
    }
    REQUIRE(done == asked - 1);
    CHECK(gate.held.size() == 1);
    // Reads and overwrites go on.
    CHECK(s.sync.write(*s.layer, {100, 1}, 9));
    CHECK(*s.sync.read(*s.layer, 100) == 9);
    gate.release();
    CHECK(s.reactor->run_until([&] { return done == asked; }, soon()));
    CHECK(!refused);
    s.settle();
}

TEST_CASE("out_of_space is told only when the device has no room for a checkpoint") {
    Setup s;
    auto& gate = s.store->gate;
    gate.fail = writes_slot;
    gate.fail_code = Code::out_of_space;
    Status status = ok();
    int changes = 0;
    while (status && changes < 3000) {
        status =
            changes % 2 == 0 ? s.sync.zero(*s.layer, {7, 1}) : s.sync.write(*s.layer, {7, 1}, 3);
        ++changes;
    }
    REQUIRE(!status);
    CHECK(status.error().code() == Code::out_of_space);
    CHECK(changes > 100);
    CHECK(superblock_in(s.files).generation == 1);
    gate.fail = nullptr;
    CHECK(s.sync.flush(*s.layer));
    // As soon as there is room again it goes on.
    s.changes(300);
    CHECK(superblock_in(s.files).generation > 1);
    CHECK(s.sync.flush(*s.layer));
    s.model.value[7] = state_of(*s.layer, 7) == BlockState::zero ? 0 : *s.sync.read(*s.layer, 7);
    s.as_found("boot-2", [&](Layer& found) { s.model.check(s.sync, found); });
}

TEST_CASE("a device without room for a larger ring keeps the small one") {
    Setup s;
    s.store->gate.fail = [](const io::Op& op) { return op.kind == io::OpKind::allocate; };
    s.store->gate.fail_code = Code::out_of_space;
    s.changes(1200);
    CHECK(superblock_in(s.files).ring_bytes == 8 << 10);
    s.store->gate.fail = nullptr;
    s.changes(1200);
    CHECK(superblock_in(s.files).ring_bytes > 8 << 10);
    s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
}

TEST_CASE("a failed sync of the map or the superblock ends the layer, and what waits is told") {
    for (const bool pages : {true, false}) {
        Setup s;
        bool writing_map = false;
        s.store->gate.fail = [&](const io::Op& op) {
            writing_map = writing_map || (pages ? writes_slot(op) : writes_superblock(op));
            return writing_map && op.kind == io::OpKind::sync_data;
        };
        Status status = ok();
        for (int i = 0; status && i < 2000; ++i) {
            status = i % 2 == 0 ? s.sync.zero(*s.layer, {0, 1}) : s.sync.zero(*s.layer, {1, 1});
            if (status) {
                status = s.sync.write(*s.layer, {i % 2 == 0 ? 0U : 1U, 1}, 3);
            }
        }
        REQUIRE(!status);
        CHECK(status.error().code() == Code::io_error);
        s.store->gate.fail = nullptr;
        CHECK(s.sync.write(*s.layer, {0, 1}, 3).error().code() == Code::io_error);
        CHECK(s.sync.flush(*s.layer).error().code() == Code::io_error);
    }
}

TEST_CASE("D2: the end of the process at any step of a checkpoint leaves the old or the new state" *
          doctest::test_suite("slow")) {
    // Each operation of the closing checkpoint is held once, with the files as they then are.
    int steps = 0;
    bool more = true;
    for (int at = 0; more; ++at) {
        Setup s;
        s.changes(90);
        s.settle();
        auto& gate = s.store->gate;
        int seen = 0;
        gate.hold = [&](const io::Op& op) {
            const bool changes = op.kind == io::OpKind::write || op.kind == io::OpKind::sync_data ||
                                 op.kind == io::OpKind::allocate;
            return changes && seen++ >= at;
        };
        bool closed = false;
        s.layer->close([&](Status status) { closed = status.has_value(); });
        CHECK(s.reactor->run_until(
            [&] { return closed || (gate.in_flight() == 0 && !gate.held.empty()); }, soon()));
        more = !closed;
        steps += more ? 1 : 0;
        s.as_found("boot-1", [&](Layer& found) {
            s.model.check(s.sync, found);
            CHECK(s.sync.write(found, {0, 1}, 77));
        });
        s.open_copy("boot-1", [&](Layer& found) { CHECK(*s.sync.read(found, 0) == 77); });
        gate.release();
        CHECK(s.reactor->run_until([&] { return closed; }, soon()));
        s.layer.reset();
    }
    CHECK(steps > 8);
}

TEST_CASE("D2: a checkpoint covers only what was written when it began, and its data is synced") {
    Setup s;
    auto& gate = s.store->gate;
    s.changes(20);
    // The superblock waits; what is written meanwhile is not covered, and was never flushed.
    gate.hold = writes_superblock;
    int count = 20;
    Model covered;
    while (gate.held.empty() && count++ < 1000) {
        covered = s.model;
        s.changes(1);
        s.settle();
    }
    REQUIRE(!gate.held.empty());
    gate.release();
    s.settle();
    const Superblock superblock = superblock_in(s.files);
    REQUIRE(superblock.generation == 2);
    // Power is lost: the map and what it covers is there, without any flush of the user's.
    s.as_found("boot-2", [&](Layer& found) {
        int same = 0;
        for (std::uint64_t block = 0; block < kBlocks; ++block) {
            const bool present = state_of(found, block) != BlockState::absent;
            same += present == (covered.value[block] >= 0) ? 1 : 0;
        }
        CHECK(same >= static_cast<int>(kBlocks) - 1);
    });
}

TEST_CASE("what a loss of power dropped stays dropped through the next checkpoint") {
    Setup s;
    s.changes(20);
    CHECK(s.sync.flush(*s.layer));
    const Model durable = s.model;
    s.changes(20);
    copy_files(s.files, s.dir / "b");
    // Overwrites of blocks that were there are not dropped; what was absent or changed kind is.
    const auto check = [&](Layer& found) {
        for (std::uint64_t block = 0; block < kBlocks; ++block) {
            const BlockState state = state_of(found, block);
            const int was = durable.value[block];
            REQUIRE(state == (was < 0    ? BlockState::absent
                              : was == 0 ? BlockState::zero
                                         : BlockState::data));
        }
    };
    s.store->context.geometry.checkpoint_bytes = 128;  // already at the open
    s.open_copy("boot-2", check);
    CHECK(superblock_in(s.dir / "b").boot_id == "boot-2");
    CHECK(superblock_in(s.dir / "b").head.seq > 1);
    s.open_copy("boot-2", check);
    s.open_copy("boot-3", check);
}

TEST_CASE("a checkpoint of a 64 TiB layer costs what was touched") {
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    TestStore store(reactor, dir.path());
    store.context.geometry = {};
    store.context.geometry.checkpoint_bytes = 128;
    const auto layer = store.open_active("l-1", kMaxVolumeBytes);
    REQUIRE(layer);
    constexpr std::uint64_t kTouched[] = {0, 1ULL << 20, 1ULL << 32,
                                          kMaxVolumeBytes / kBlockBytes - 1};
    for (const std::uint64_t block : kTouched) {
        CHECK(sync.write(**layer, {block, 1}, 5));
    }
    CHECK(sync.close(**layer));
    CHECK(superblock_in(dir.path()).root.exists());
    struct stat info {};
    REQUIRE(::stat((dir / "d-l-1.map").c_str(), &info) == 0);
    CHECK(info.st_blocks * 512 < 512 << 10);
    store.gate.counts.clear();
    const auto again = store.open_active("l-1", kMaxVolumeBytes, false);
    REQUIRE_MESSAGE(again, again.error().to_string());
    CHECK(store.gate.counts[io::OpKind::read] < 20);
    for (const std::uint64_t block : kTouched) {
        CHECK(*sync.read(**again, block) == 5);
    }
    CHECK(state_of(**again, 2) == BlockState::absent);
    CHECK(sync.close(**again));
}

TEST_CASE("a store that is not durable uses its journals again as well, without a sync") {
    Setup s;
    s.store->context.durable = false;
    s.close();
    s.store->gate.counts.clear();
    s.open();
    s.changes(1500);
    CHECK(superblock_in(s.files).generation > 2);
    CHECK(s.store->gate.counts[io::OpKind::sync_data] == 0);
    s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
    s.store->context.durable = true;
}
