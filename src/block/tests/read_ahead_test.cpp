// SPDX-License-Identifier: Apache-2.0
// Volumes that read ahead from a tree: what is fetched from the packs, how often, and when it ends.
#include <doctest/doctest.h>

#include "block/tests/content_support.h"
#include "block/tests/image_support.h"
#include "block/tests/through_store.h"
#include "block/volume.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kChunk = 4096;
constexpr std::uint64_t kBytes = 128 * kChunk;
// Windows of 8, 16 and 32 chunks.
constexpr ReadAheadLimits kLimits{
    .first_bytes = 8 * kChunk, .most_bytes = 32 * kChunk, .slack_bytes = 4 * kChunk};

// Counts gets by place, and holds them when asked to.
class WatchedStore final : public ThroughStore {
  public:
    using ThroughStore::ThroughStore;
    objects::CallPtr get(std::string name, std::uint64_t offset, std::uint64_t length,
                         objects::CallOptions options, io::Callback<Result<Bytes>> done) override {
        ++gets[{name, offset}];
        ++count;
        if (!hold) {
            return ThroughStore::get(std::move(name), offset, length, options, std::move(done));
        }
        held.emplace_back([this, name, offset, length, options, done = std::move(done)]() mutable {
            (void)ThroughStore::get(std::move(name), offset, length, options, std::move(done));
        });
        return nullptr;
    }
    void release() {
        hold = false;
        auto all = std::move(held);
        held.clear();
        for (io::Callback<>& get : all) {
            get();
        }
    }
    std::map<std::pair<std::string, std::uint64_t>, int> gets;
    int count = 0;
    bool hold = false;
    std::vector<io::Callback<>> held;
};

struct World {
    explicit World(std::size_t cache_bytes = 1 << 20)
        : tier(reactor, &watched, cache_bytes), content(reactor, kBytes) {
        content.fill(0, kBytes, 3);
        const auto tree = tier.destage(content, {});
        REQUIRE_MESSAGE(tree, tree.error().to_string());
        auto opened = reactor.await<std::shared_ptr<TreeReader>>(
            [&](auto done) { TreeReader::open(tier.store, {}, tree->root, std::move(done)); });
        REQUIRE(opened);
        base = *opened;
        watched.gets.clear();
        watched.count = 0;
    }
    std::unique_ptr<Volume> volume(std::shared_ptr<Layer> layer = nullptr) {
        if (!layer) {
            layer = std::make_shared<MemoryLayer>(reactor->scheduler(), kBytes);
        }
        auto made = std::make_unique<Volume>(
            reactor->scheduler(), VolumeId("vol-1"), kBytes,
            std::make_shared<const Stack>(Stack{.active = std::move(layer), .base = base}));
        made->read_ahead(kLimits);
        return made;
    }
    Status read(Volume& volume, std::uint64_t chunk, std::uint64_t chunks = 1) {
        Bytes into(chunks * kChunk, 0xee);
        TRY(reactor.await<void>(
            [&](Done done) { volume.read(chunk * kChunk, into, std::move(done)); }));
        const auto right = content.bytes.begin() + static_cast<std::ptrdiff_t>(chunk * kChunk);
        CHECK(std::equal(into.begin(), into.end(), right));
        return ok();
    }
    // One that is not waited for; whether it has ended.
    std::shared_ptr<bool> begin_read(Volume& volume, std::uint64_t chunk) {
        auto ended = std::make_shared<bool>(false);
        auto into = std::make_shared<Bytes>(kChunk);
        volume.read(chunk * kChunk, *into, [ended, into](Status status) {
            CHECK(status);
            *ended = true;
        });
        return ended;
    }
    // Until nothing happens by itself any more.
    void settle() {
        (void)reactor->run_until([] { return false; }, soon());
    }
    void close(Volume& volume) {
        CHECK(reactor.await<void>([&](Done done) { volume.close(std::move(done)); }));
    }
    AheadCounters ahead() const { return tier.cache.ahead(); }
    std::uint64_t ahead_chunks() const { return ahead().bytes / kChunk; }
    int most_gets() const {
        int most = 0;
        for (const auto& [place, times] : watched.gets) {
            most = std::max(most, times);
        }
        return most;
    }

    TestReactor reactor{std::uint64_t{7}};
    objects::MemoryObjectStore memory{reactor->scheduler()};
    WatchedStore watched{memory};
    TestTier tier;
    FlatSource content;
    std::shared_ptr<TreeReader> base;
};

}  // namespace

TEST_CASE(
    "S71: a sequential read fetches each chunk once, most of them before they are asked for") {
    World world;
    const std::uint64_t before = world.tier.store.gets();
    const auto volume = world.volume();
    for (std::uint64_t chunk = 0; chunk < 128; chunk += 2) {
        REQUIRE(world.read(*volume, chunk, 2));
    }
    world.settle();
    CHECK(world.most_gets() == 1);
    // 128 chunks, 64 leaves and the nodes above them: 16, 4 and 1.
    CHECK(world.tier.store.gets() - before == 128 + 64 + 16 + 4 + 1);
    CHECK(world.ahead_chunks() >= 110);
    CHECK(world.ahead().used == world.ahead().bytes);
    CHECK(world.ahead().wasted == 0);
    world.close(*volume);
}

TEST_CASE("S71: the first window and no more is read ahead, and nothing behind the end") {
    World world;
    const auto volume = world.volume();
    REQUIRE(world.read(*volume, 40));
    REQUIRE(world.read(*volume, 41));
    world.settle();
    CHECK(world.ahead_chunks() == 0);
    REQUIRE(world.read(*volume, 42));
    world.settle();
    CHECK(world.ahead_chunks() == 8);
    const int before = world.watched.count;
    REQUIRE(world.read(*volume, 43, 8));
    CHECK(world.ahead().used == 8 * kChunk);
    world.settle();
    CHECK(world.watched.count > before);  // the next window
    // Near the end.
    REQUIRE(world.read(*volume, 120));
    REQUIRE(world.read(*volume, 121));
    const std::uint64_t so_far = world.ahead_chunks();
    REQUIRE(world.read(*volume, 122));
    world.settle();
    CHECK(world.ahead_chunks() == so_far + 5);
    const int all = world.watched.count;
    REQUIRE(world.read(*volume, 123, 5));
    world.settle();
    CHECK(world.watched.count == all);
    world.close(*volume);
}

TEST_CASE("S71: a reader joins what is on its way, and takes first what had still to begin") {
    World world;
    const auto volume = world.volume();
    const auto other = world.volume();
    REQUIRE(world.read(*volume, 0));
    REQUIRE(world.read(*volume, 1));
    REQUIRE(world.read(*volume, 20, 2));  // so that a path of nodes is there
    REQUIRE(world.read(*other, 60, 40));
    world.watched.hold = true;
    const auto third = world.begin_read(*volume, 2);
    world.settle();
    REQUIRE(!*third);
    // Chunk 2 and its leaf's, which the reader waits for, and the leaves that are read ahead: each
    // at its first node.
    world.watched.release();
    world.settle();
    REQUIRE(*third);
    CHECK(world.ahead_chunks() == 8);

    // Now with the gets of the chunks themselves held: the window behind the 11th.
    const std::uint64_t so_far = world.ahead_chunks();
    REQUIRE(world.read(*volume, 3, 2));
    world.watched.hold = true;
    REQUIRE(world.read(*volume, 5, 3));
    world.settle();
    REQUIRE(!world.watched.held.empty());
    const auto joined = world.begin_read(*volume, 11);
    const auto again = world.begin_read(*volume, 11);
    world.settle();
    CHECK(!*joined);
    world.watched.release();
    world.settle();
    CHECK(*joined);
    CHECK(*again);
    CHECK(world.ahead_chunks() > so_far);
    CHECK(world.most_gets() == 1);
    world.close(*volume);
    world.close(*other);
}

TEST_CASE("S71: what is read ahead gives way to readers, and a reader's wish moves it up") {
    World world;
    const auto ids = [&](std::uint64_t first, std::uint64_t count, std::uint64_t step = 1) {
        std::vector<ChunkId> made;
        for (std::uint64_t i = 0; i < count; ++i) {
            const std::uint64_t at = (first + i * step) * kChunk;
            made.push_back(plain_id(ByteView(world.content.bytes).subspan(at, kChunk)));
        }
        return made;
    };
    ChunkStore& store = world.tier.store;
    int ended = 0;
    const auto count = [&ended](const Result<std::vector<BytesPtr>>& found) {
        CHECK(found);
        ++ended;
    };
    const auto mark = std::make_shared<AheadMark>();
    world.watched.hold = true;
    // As many readers as it gives way to, of chunks that do not lie together: one is read ahead
    // nevertheless.
    store.fetch({}, ids(0, kAheadGivesWay, 2), EntryType::chunk, count);
    world.settle();
    CHECK(world.watched.held.size() == kAheadGivesWay);
    store.fetch({}, ids(50, 4), EntryType::chunk, mark, count);
    world.settle();
    CHECK(world.watched.held.size() == kAheadGivesWay + 1);
    // A reader wants one of the others, and one that is on its way.
    store.fetch({}, ids(50, 1), EntryType::chunk, count);
    store.fetch({}, ids(53, 1), EntryType::chunk, count);
    world.settle();
    CHECK(world.watched.held.size() == kAheadGivesWay + 2);
    CHECK(ended == 0);
    world.watched.release();
    world.settle();
    CHECK(ended == 4);
    CHECK(world.watched.count == static_cast<int>(kAheadGivesWay) + 4);
    CHECK(world.ahead().used == 2 * kChunk);
    CHECK(world.ahead().bytes == 4 * kChunk);
    // With nobody in the way no more than so many at a time, for all.
    world.watched.hold = true;
    store.fetch({}, ids(60, 40), EntryType::chunk, mark, count);
    world.settle();
    CHECK(world.watched.held.size() == kAheadInFlight);
    world.watched.release();
    world.settle();
    CHECK(ended == 5);
    CHECK(world.ahead_chunks() == 44);
    CHECK(world.most_gets() == 1);
}

TEST_CASE("S71: after a seek nothing more is begun for the stream that was left") {
    World world;
    const auto volume = world.volume();
    for (std::uint64_t chunk = 0; chunk < 2; ++chunk) {
        REQUIRE(world.read(*volume, chunk));
    }
    REQUIRE(world.read(*volume, 100, 28));  // elsewhere; its nodes are at hand then
    world.watched.hold = true;
    const auto third = world.begin_read(*volume, 2);
    world.settle();
    // Read anew from 101 on: those are at hand.
    for (std::uint64_t chunk = 101; chunk < 104; ++chunk) {
        REQUIRE(world.read(*volume, chunk));
    }
    world.watched.release();
    world.settle();
    CHECK(*third);
    // Two leaves were under way, of the four and a half that the window has.
    CHECK(world.ahead_chunks() <= 4);
    world.close(*volume);
}

TEST_CASE("S71: what a layer above has is not read ahead, and random reads begin nothing") {
    World world;
    const auto layer = std::make_shared<MemoryLayer>(world.reactor->scheduler(), kBytes);
    const auto volume = world.volume(layer);
    io::Buffer same(4 * kChunk);
    std::copy_n(world.content.bytes.begin() + 4 * kChunk, 4 * kChunk, same.data());
    REQUIRE(world.reactor.await<void>([&](Done done) {
        layer->write({4, 4}, same.view(), std::move(done));
    }));
    for (std::uint64_t chunk = 0; chunk < 3; ++chunk) {
        REQUIRE(world.read(*volume, chunk));
    }
    world.settle();
    CHECK(world.ahead_chunks() == 4);  // 3, 8, 9, 10
    REQUIRE(world.read(*volume, 3, 8));
    CHECK(world.ahead().used == 4 * kChunk);
    world.close(*volume);

    World random;
    const auto another = random.volume();
    for (std::uint64_t i = 0; i < 128; ++i) {
        REQUIRE(random.read(*another, i * 37 % 128));
    }
    random.settle();
    CHECK(random.ahead_chunks() == 0);
    random.close(*another);
}

TEST_CASE("S71: errors of reading ahead are nobody's; the reader's own read tells") {
    World world;
    const auto volume = world.volume();
    const auto good = world.memory.contents;
    REQUIRE(world.read(*volume, 0));
    REQUIRE(world.read(*volume, 1));
    world.watched.hold = true;
    const auto third = world.begin_read(*volume, 2);
    world.settle();
    world.watched.release();
    REQUIRE(world.reactor->run_until([&] { return *third; }, soon()));
    world.memory.contents.clear();
    world.settle();
    const std::uint64_t had = world.ahead_chunks();
    CHECK(had < 8);
    CHECK(world.read(*volume, 10).error().code() == Code::data_loss);
    world.memory.contents = good;
    for (std::uint64_t chunk = 3; chunk < 128; ++chunk) {
        REQUIRE(world.read(*volume, chunk));
    }
    world.close(*volume);
}

TEST_CASE("S71: a close waits for what is under way and begins nothing more") {
    World world;
    const auto volume = world.volume();
    for (std::uint64_t chunk = 0; chunk < 2; ++chunk) {
        REQUIRE(world.read(*volume, chunk));
    }
    world.watched.hold = true;
    const auto third = world.begin_read(*volume, 2);
    world.settle();
    REQUIRE(world.watched.held.size() > 1);
    bool closed = false;
    volume->close([&closed](Status status) {
        CHECK(status);
        closed = true;
    });
    world.settle();
    CHECK(!closed);
    world.watched.release();
    world.settle();
    CHECK(*third);
    CHECK(closed);
    // Of the two leaves under way.
    CHECK(world.ahead_chunks() > 0);
    CHECK(world.ahead_chunks() <= 4);
}

TEST_CASE("S71: where the cache has no room for it, it begins anew, and reads stay right") {
    World world(32 << 10);
    const auto volume = world.volume();
    for (int round = 0; round < 2; ++round) {
        for (std::uint64_t chunk = 0; chunk < 128; ++chunk) {
            REQUIRE(world.read(*volume, chunk));
            world.settle();
            REQUIRE(world.tier.cache.bytes() <= 32 << 10);
        }
    }
    CHECK(world.ahead().wasted > 0);
    CHECK(world.ahead().bytes >= world.ahead().used + world.ahead().wasted);
    world.close(*volume);
}

TEST_CASE("S71: an engine with a small cache reads ahead within it, each chunk once") {
    constexpr std::uint64_t kBig = 65536;
    ContentWorld store(true);
    store.create("vol-1", 192 * kBig);
    for (std::uint64_t chunk = 0; chunk < 192; ++chunk) {
        store.write("vol-1", chunk * kBig, kBig, static_cast<std::uint8_t>(chunk + 1));
    }
    store.snapshot("vol-1", "content-1");
    store.destage("content-1");
    store.drop_layer("content-1");
    store.delete_volume("vol-1");
    store.engine.change_tier = [files = store.engine.change_tier](ImageTier& tier) {
        files(tier);
        tier.cache_bytes = 4U << 20;
    };
    store.engine.restart();
    store.create("vol-2", 192 * kBig, "content-1");
    const VolumeId id("vol-2");
    const auto read = [&](std::uint64_t chunk) {
        const auto bytes = store.engine->read(id, chunk * kBig, 2 * kBig, soon());
        REQUIRE_MESSAGE(bytes, bytes.error().to_string());
        CHECK(bytes->front() == chunk + 1);
        CHECK(bytes->back() == chunk + 2);
    };
    for (std::uint64_t chunk = 0; chunk < 192; chunk += 2) {
        read(chunk);
    }
    const EngineCounters all = store.engine->counters();
    CHECK(all.read_ahead_bytes >= 180 * kBig);
    CHECK(all.read_ahead_used_bytes == all.read_ahead_bytes);
    CHECK(all.read_ahead_wasted_bytes == 0);
    // Chunks, leaves, the root, and the nodes above the leaves: those twice, since the scan takes
    // them along before they are known as frequent.
    CHECK(all.chunk_reads <= 192 + 24 + 1 + 2 * 4);
    // Closed in the middle of it.
    for (std::uint64_t chunk = 0; chunk < 6; chunk += 2) {
        read(chunk);
    }
    CHECK(store.engine->close_volume(id, soon()));
}
