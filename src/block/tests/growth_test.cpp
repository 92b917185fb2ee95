// SPDX-License-Identifier: Apache-2.0
// Growth: a layer that gets more room keeps what it says, wherever its map goes; a volume is larger
// for those who read it and for the clients of its exports; a crash leaves the old size or the new.
#include <doctest/doctest.h>

#include "block/tests/nbd_client.h"
#include "block/tests/support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

// A page has 64 blocks, a directory two pages, a shard 16 blocks: most of these sizes need another
// shard, some another directory, and some another place for the map.
constexpr std::uint64_t kBlocks = 50;
constexpr std::uint64_t kSizes[] = {60, 64, 100, 128, 129, 1000, 20'000};

Geometry geometry() {
    Geometry small = kSmall;
    small.directory_pages = 2;
    return small;
}

class GrowingStore : public TestStore {
  public:
    GrowingStore(TestReactor& reactor, const std::string& directory)
        : TestStore(reactor, directory) {
        context.geometry = geometry();
    }
};

// The handshake, and the size it told.
std::uint64_t size_told(NbdClient& client) {
    client.greet();
    client.use_structured();
    client.use_base_allocation();
    return client.go().first;
}

const VolumeId kVolume("vol-1");

Status extend(TestReactor& reactor, Layer& layer, std::uint64_t blocks) {
    return reactor.await<void>([&](Done done) { layer.extend(blocks, std::move(done)); });
}

Status prepare(TestEngine& engine, std::uint64_t blocks) {
    return engine->prepare_growth(kVolume, blocks * kBlockBytes, soon());
}

Status grow(TestEngine& engine, std::uint64_t blocks) {
    return engine->grow_volume(kVolume, blocks * kBlockBytes, soon());
}

Code code(const Status& status) {
    return status ? Code::internal : status.error().code();
}

}  // namespace

TEST_CASE("a layer that is extended is absent there, and says the rest as before, also later") {
    TempDir dir;
    TestReactor reactor;
    GrowingStore store(reactor, dir.path());
    Sync sync{reactor};
    auto opened = store.open_active("l-1", kBlocks * kBlockBytes);
    REQUIRE(opened);
    auto layer = *opened;
    REQUIRE(sync.write(*layer, {3, 2}, 7));
    REQUIRE(sync.write(*layer, {49, 1}, 8));
    std::uint64_t before = kBlocks;
    std::uint8_t value = 9;
    for (const std::uint64_t blocks : kSizes) {
        INFO("to ", blocks, " blocks");
        REQUIRE(extend(reactor, *layer, blocks));
        CHECK(extend(reactor, *layer, before));  // nothing to do
        CHECK(layer->blocks() == blocks);
        CHECK(layer->presence(before, blocks).state == BlockState::absent);
        CHECK(layer->presence(before, blocks - before).count == blocks - before);
        REQUIRE(sync.zero(*layer, {before, 1}));
        if (blocks - 1 > before) {
            REQUIRE(sync.write(*layer, {blocks - 1, 1}, value));
        }
        if (before % 3 != 0) {  // else the next one finds it open
            REQUIRE(sync.close(*layer));
            opened = store.open_active("l-1", blocks * kBlockBytes, false);
            REQUIRE_MESSAGE(opened, opened.error().to_string());
            layer = *opened;
        }
        CHECK(layer->blocks() == blocks);
        CHECK(*sync.read(*layer, 4) == 7);
        CHECK(*sync.read(*layer, 49) == 8);
        CHECK((blocks - 1 == before || *sync.read(*layer, blocks - 1) == value));
        CHECK(state_of(*layer, before) == BlockState::zero);
        CHECK(state_of(*layer, 5) == BlockState::absent);
        before = blocks;
        ++value;
    }
    CHECK(sync.seal(*layer));
    CHECK(code(extend(reactor, *layer, 30'000)) == Code::failed_precondition);
    CHECK(sync.close(*layer));
    const auto sealed = store.open_sealed("l-1", before * kBlockBytes);
    REQUIRE_MESSAGE(sealed, sealed.error().to_string());
    CHECK(*sync.read(**sealed, 4) == 7);
    CHECK(sync.close(**sealed));
}

TEST_CASE("a layer whose extension was not told yet opens with its old size, unless it is used") {
    TempDir dir;
    TestReactor reactor;
    GrowingStore store(reactor, dir.path());
    Sync sync{reactor};
    auto opened = store.open_active("l-1", kBlocks * kBlockBytes);
    REQUIRE(opened);
    REQUIRE(sync.write(**opened, {49, 1}, 8));
    REQUIRE(extend(reactor, **opened, 1000));
    REQUIRE(sync.close(**opened));
    opened = store.open_active("l-1", kBlocks * kBlockBytes, false);
    REQUIRE_MESSAGE(opened, opened.error().to_string());
    CHECK(*sync.read(**opened, 49) == 8);
    REQUIRE(sync.write(**opened, {kBlocks, 1}, 9));
    REQUIRE(sync.close(**opened));
    opened = store.open_active("l-1", kBlocks * kBlockBytes, false);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code() == Code::data_loss);
    opened = store.open_active("l-1", 1001 * kBlockBytes, false);
    REQUIRE_FALSE(opened);  // smaller than the catalog says: never
    CHECK(opened.error().code() == Code::data_loss);
}

TEST_CASE("an extension that finds the device full, or ends at any step, leaves the old size") {
    for (const auto kind :
         {io::OpKind::write, io::OpKind::truncate, io::OpKind::sync, io::OpKind::sync_data}) {
        for (int nth = 0;; ++nth) {
            INFO("kind ", static_cast<int>(kind), ", failure ", nth);
            TempDir dir;
            TestReactor reactor;
            GrowingStore store(reactor, dir.path());
            Sync sync{reactor};
            auto opened = store.open_active("l-1", kBlocks * kBlockBytes);
            REQUIRE(opened);
            REQUIRE(sync.write(**opened, {49, 1}, 8));
            REQUIRE(sync.flush(**opened));
            int seen = 0;
            store.gate.fail = [&](const io::Op& op) { return op.kind == kind && seen++ == nth; };
            const bool full = kind == io::OpKind::write || kind == io::OpKind::truncate;
            store.gate.fail_code = full ? Code::out_of_space : Code::io_error;
            const Status status = extend(reactor, **opened, 1000);
            store.gate.fail = nullptr;
            if (seen <= nth) {
                CHECK(status);
                CHECK(sync.close(**opened));
                break;
            }
            if (full && code(status) == Code::out_of_space) {
                CHECK((*opened)->blocks() == kBlocks);
                CHECK(sync.write(**opened, {48, 1}, 7));
                CHECK(extend(reactor, **opened, 1000));  // with space again
            }
            (void)sync.close(**opened);
            opened = store.open_active("l-1", kBlocks * kBlockBytes, false);
            REQUIRE_MESSAGE(opened, opened.error().to_string());
            CHECK(*sync.read(**opened, 49) == 8);
            CHECK(sync.close(**opened));
        }
    }
}

TEST_CASE("a volume grows in two steps; what is new reads as zeros and outlives the engine") {
    TestEngine engine(io::Backend::automatic, geometry());
    REQUIRE(engine.open("vol-1", kBlocks * kBlockBytes));
    REQUIRE(engine->write(kVolume, 49 * kBlockBytes, Bytes(kBlockBytes, 5), soon()));
    CHECK(code(grow(engine, 1000)) == Code::failed_precondition);  // no room yet
    REQUIRE(prepare(engine, 1000));
    CHECK(code(engine->write(kVolume, kBlocks * kBlockBytes, Bytes(1), soon())) ==
          Code::invalid_argument);
    engine.restart();  // the catalog did not hear of it
    REQUIRE(engine.open("vol-1", kBlocks * kBlockBytes));
    REQUIRE(prepare(engine, 1000));
    REQUIRE(grow(engine, 1000));
    CHECK(grow(engine, 1000));
    CHECK(code(prepare(engine, 999)) == Code::invalid_argument);
    CHECK(code(engine->prepare_growth(kVolume, 1000 * kBlockBytes + 1, soon())) ==
          Code::invalid_argument);
    CHECK(code(engine->prepare_growth(kVolume, kMaxVolumeBytes + kBlockBytes, soon())) ==
          Code::invalid_argument);
    CHECK(engine->read(kVolume, 50 * kBlockBytes, 4096, soon()).value() == Bytes(4096, 0));
    REQUIRE(engine->write(kVolume, 999 * kBlockBytes, Bytes(kBlockBytes, 6), soon()));
    engine.restart();
    REQUIRE(engine.open("vol-1", 1000 * kBlockBytes));
    CHECK(engine->read(kVolume, 49 * kBlockBytes, 1, soon()).value() == Bytes(1, 5));
    CHECK(engine->read(kVolume, 999 * kBlockBytes, 1, soon()).value() == Bytes(1, 6));
}

TEST_CASE("a client that comes back is told the new size, and nothing it was promised is lost") {
    for (const io::Backend backend : backends()) {
        TestEngine engine(backend, geometry());
        const std::string socket = engine.dir / "s";
        REQUIRE(engine.open("vol-1", kBlocks * kBlockBytes));
        REQUIRE(engine->export_volume(kVolume, socket, false, soon()));
        NbdClient client(socket);
        CHECK(size_told(client) == kBlocks * kBlockBytes);
        NbdClient greeted(socket);  // in its handshake
        greeted.greet();
        CHECK(client.write(0, Bytes(4096, 3)).error() == 0);
        REQUIRE(prepare(engine, 100));
        CHECK(client.read(0, 1) == Bytes(1, 3));  // nothing changed for it
        REQUIRE(grow(engine, 100));
        CHECK(client.closed());
        NbdClient again(socket);
        CHECK(size_told(again) == 100 * kBlockBytes);
        CHECK(again.read(0, 1) == Bytes(1, 3));
        CHECK(again.write(99 * kBlockBytes, Bytes(4096, 4)).error() == 0);
        CHECK(again.read(99 * kBlockBytes, 1) == Bytes(1, 4));
        greeted.go();
        CHECK(greeted.closed());  // it was told the old size
    }
}
