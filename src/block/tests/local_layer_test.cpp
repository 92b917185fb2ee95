// SPDX-License-Identifier: Apache-2.0
// What is particular to layers in files: replay at open, loss of power, failing devices, size.
// Checkpoints have checkpoint_test.cpp.
#include "block/tests/local_layer_support.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;
using namespace kiln::block::testing::local_layers;

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
