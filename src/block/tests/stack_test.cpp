// SPDX-License-Identifier: Apache-2.0
// Volumes over layers and a tree: which source wins, what zeroing writes down, what a flush covers.
#include <doctest/doctest.h>

#include "block/tests/image_support.h"
#include "block/volume.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

// A tree of 16 TiB and more out of 4 KiB chunks.
constexpr ImageGeometry kWide{.chunk_bytes = 4096, .leaf_chunks = 8, .fan_out = 128, .height = 4};

// Chunks of the tree that are not zero: the block's number decides the value.
class SparseSource final : public ContentSource {
  public:
    SparseSource(TestReactor& reactor, std::uint64_t blocks, std::set<std::uint64_t> data)
        : reactor_(reactor), blocks_(blocks), data_(std::move(data)) {}
    std::uint64_t size_bytes() const override { return blocks_ * kBlockBytes; }
    std::optional<ByteRange> next_dirty(std::uint64_t from) override {
        const auto at = data_.lower_bound(from / kBlockBytes);
        return at == data_.end()
                   ? std::nullopt
                   : std::optional(ByteRange{*at * kBlockBytes, std::uint64_t{kBlockBytes}});
    }
    void read(std::uint64_t offset, MutableByteView into, Done done) override {
        for (std::size_t i = 0; i < into.size(); ++i) {
            const std::uint64_t block = (offset + i) / kBlockBytes;
            into[i] = data_.contains(block) ? value_of(block) : std::uint8_t{0};
        }
        reactor_->scheduler().post([done = std::move(done)]() mutable { done(ok()); });
    }
    static std::uint8_t value_of(std::uint64_t block) {
        return static_cast<std::uint8_t>(1 + block % 250);
    }

  private:
    TestReactor& reactor_;
    const std::uint64_t blocks_;
    const std::set<std::uint64_t> data_;
};

struct World {
    TestReactor reactor;
    TestTier tier{reactor};

    std::shared_ptr<TreeReader> tree(std::uint64_t blocks, std::set<std::uint64_t> data,
                                     ImageGeometry geometry = kWide) {
        SparseSource source(reactor, blocks, std::move(data));
        const auto written = reactor.await<WrittenTree>([&](auto done) {
            Destage::start(tier.store, source, {.geometry = geometry}, std::move(done));
        });
        REQUIRE_MESSAGE(written, written.error().to_string());
        const auto reader = reactor.await<std::shared_ptr<TreeReader>>(
            [&](auto done) { TreeReader::open(tier.store, {}, written->root, std::move(done)); });
        REQUIRE(reader);
        return *reader;
    }
    std::shared_ptr<MemoryLayer> layer(std::uint64_t blocks) {
        return std::make_shared<MemoryLayer>(reactor->scheduler(), blocks * kBlockBytes);
    }
    std::unique_ptr<Volume> volume(std::uint64_t blocks, Stack stack) {
        return std::make_unique<Volume>(reactor->scheduler(), VolumeId("vol-1"),
                                        blocks * kBlockBytes,
                                        std::make_shared<const Stack>(std::move(stack)));
    }
    Result<Bytes> read(Volume& volume, std::uint64_t offset, std::uint64_t length) {
        Bytes into(length, 0xee);
        TRY(reactor.await<void>([&](Done done) { volume.read(offset, into, std::move(done)); }));
        return into;
    }
    Status write(Volume& volume, std::uint64_t offset, ByteView data) {
        return reactor.await<void>(
            [&](Done done) { volume.write(offset, data, false, std::move(done)); });
    }
    Status zero(Volume& volume, std::uint64_t offset, std::uint64_t length) {
        return reactor.await<void>(
            [&](Done done) { volume.zero(offset, length, false, std::move(done)); });
    }
    void close(Volume& volume) {
        CHECK(reactor.await<void>([&](Done done) { volume.close(std::move(done)); }));
    }
};

// Tells when it is flushed, and holds the completion.
class LoggedLayer final : public Layer {
  public:
    LoggedLayer(std::shared_ptr<Layer> below, std::string name, std::vector<std::string>& log)
        : below_(std::move(below)), name_(std::move(name)), log_(log) {}
    std::uint64_t blocks() const override { return below_->blocks(); }
    BlockRun presence(std::uint64_t first, std::uint64_t limit) const override {
        return below_->presence(first, limit);
    }
    std::uint64_t version() const override { return below_->version(); }
    void read(BlockRange range, MutableByteView into, Done done) override {
        below_->read(range, into, std::move(done));
    }
    void write(BlockRange range, ByteView from, Done done) override {
        below_->write(range, from, std::move(done));
    }
    void zero(BlockRange range, Done done) override { below_->zero(range, std::move(done)); }
    void flush(std::uint64_t, Done done) override {
        log_.push_back("flush " + name_);
        waiting.push_back(std::move(done));
    }
    void extend(std::uint64_t blocks, Done done) override {
        below_->extend(blocks, std::move(done));
    }
    void seal(Freeze freeze, Done done) override { below_->seal(freeze, std::move(done)); }
    void close(Done done) override { below_->close(std::move(done)); }
    void drop(Done done) override { below_->drop(std::move(done)); }
    void complete(Status status) {
        auto all = std::move(waiting);
        waiting.clear();
        for (Done& done : all) {
            done(status);
        }
    }
    std::vector<Done> waiting;

  private:
    const std::shared_ptr<Layer> below_;
    const std::string name_;
    std::vector<std::string>& log_;
};

}  // namespace

TEST_CASE("a block that no layer has comes from the tree, and behind the tree there are zeros") {
    World world;
    const auto base = world.tree(12, {0, 1, 2, 3, 10});
    const auto middle = world.layer(12);
    Sync sync{world.reactor};
    CHECK(sync.write(*middle, {1, 1}, 0xb1));
    CHECK(sync.zero(*middle, {2, 1}));
    const auto volume =
        world.volume(16, {.active = world.layer(16), .sealed = {middle}, .base = base});
    CHECK(world.write(*volume, 3 * kBlockBytes + 100, Bytes(50, 0xa1)));     // over the tree
    CHECK(world.write(*volume, 11 * kBlockBytes + 4000, Bytes(200, 0xa2)));  // over its end
    const Bytes bytes = world.read(*volume, 0, 16 * kBlockBytes).value();
    const auto at = [&](std::uint64_t block, std::uint64_t byte) {
        return static_cast<int>(bytes[block * kBlockBytes + byte]);
    };
    CHECK(at(0, 4095) == 1);
    CHECK(at(1, 0) == 0xb1);
    CHECK(at(2, 0) == 0);
    CHECK(at(3, 99) == 4);
    CHECK(at(3, 100) == 0xa1);
    CHECK(at(3, 150) == 4);
    CHECK(at(4, 0) == 0);
    CHECK(at(10, 7) == 11);
    CHECK(at(11, 3999) == 0);
    CHECK(at(11, 4000) == 0xa2);
    CHECK(at(12, 103) == 0xa2);
    CHECK(at(12, 104) == 0);
    CHECK(at(15, 4095) == 0);
    // What comes from the tree counts as data, what is zero by a layer or behind everything not.
    const auto extents = volume->extents(0, 16 * kBlockBytes, 10);
    REQUIRE(extents.size() == 4);
    CHECK(!extents[0].zero);
    CHECK(extents[0].bytes == 2 * kBlockBytes);
    CHECK(extents[1].zero);
    CHECK(extents[1].bytes == kBlockBytes);
    CHECK(extents[2].bytes == 10 * kBlockBytes);
    CHECK(extents[3].zero);
    world.close(*volume);
}

TEST_CASE("status tells the holes of a tree, also from inside a block, and cut to what was asked") {
    World world;
    constexpr std::uint64_t kBlocks = 256;
    const auto base = world.tree(kBlocks, {0, 100, 255});  // leaves of 8 blocks
    const auto volume = world.volume(
        kBlocks + 16, {.active = world.layer(kBlocks + 16), .sealed = {}, .base = base});
    CHECK(world.write(*volume, 50 * kBlockBytes, Bytes(kBlockBytes, 0xa1)));
    const auto status = [&](std::uint64_t offset, std::uint64_t length, std::size_t most) {
        return world.reactor
            .await<std::vector<Extent>>(
                [&](auto done) { volume->status(offset, length, most, std::move(done)); })
            .value();
    };
    const auto seen = [&](std::uint64_t offset, std::uint64_t length, std::size_t most) {
        std::string text;
        for (const Extent& extent : status(offset, length, most)) {
            text += (extent.zero ? " zero " : " data ") + std::to_string(extent.bytes);
        }
        return text;
    };
    const auto blocks = [](std::uint64_t count) { return std::to_string(count * kBlockBytes); };
    CHECK(seen(0, (kBlocks + 16) * kBlockBytes, 100) ==
          " data " + blocks(8) + " zero " + blocks(42) + " data " + blocks(1) + " zero " +
              blocks(45) + " data " + blocks(8) + " zero " + blocks(144) + " data " + blocks(8) +
              " zero " + blocks(16));
    CHECK(seen(0, kBlocks * kBlockBytes, 2) == " data " + blocks(8) + " zero " + blocks(42));
    CHECK(seen(9 * kBlockBytes, 600 * 1024, 1) == " zero " + blocks(41));
    CHECK(seen(7 * kBlockBytes + 100, 4096, 9) == " data 3996 zero 100");
    CHECK(seen(50 * kBlockBytes + 1, 1, 9) == " data 1");
    CHECK(seen(51 * kBlockBytes - 1, 2, 9) == " data 1 zero 1");
    world.close(*volume);
}

TEST_CASE("a read larger than what the tree takes at once is split") {
    World world;
    constexpr std::uint64_t kBlocks = (40U << 20) / kBlockBytes;
    const auto base = world.tree(kBlocks, {0, 8191, 8192, kBlocks - 1});
    const auto volume = world.volume(kBlocks, {.active = nullptr, .sealed = {}, .base = base});
    const Bytes bytes = world.read(*volume, 0, kBlocks * kBlockBytes).value();
    for (const std::uint64_t block : {std::uint64_t{0}, std::uint64_t{8191}, std::uint64_t{8192},
                                      kBlocks - 1, std::uint64_t{5}}) {
        CAPTURE(block);
        CHECK(bytes[block * kBlockBytes] == (block == 5 ? 0 : SparseSource::value_of(block)));
    }
    world.close(*volume);
}

TEST_CASE("zeroing above a tree is written down where the tree has data, and only near it") {
    World world;
    constexpr std::uint64_t kBlocks = (8ULL << 40) / kBlockBytes;
    std::set<std::uint64_t> data{5, kBlocks - 1};
    // More leaves than one question answers, far from each other.
    for (std::uint64_t i = 0; i < 1100; ++i) {
        data.insert(1'000'000 + i * 32'768);
    }
    const auto base = world.tree(kBlocks, data);
    const auto active = world.layer(kBlocks);
    const auto volume = world.volume(kBlocks, {.active = active, .sealed = {}, .base = base});
    CHECK(world.read(*volume, 5 * kBlockBytes, 1).value()[0] == 6);
    CHECK(world.zero(*volume, 0, kBlocks * kBlockBytes));
    for (const std::uint64_t block : data) {
        CAPTURE(block);
        REQUIRE(state_of(*active, block) == BlockState::zero);
    }
    std::uint64_t covered = 0;
    for (std::uint64_t block = 0; block < kBlocks;) {
        const BlockRun run = active->presence(block, kBlocks - block);
        covered += run.state == BlockState::zero ? run.count : 0;
        block += run.count;
    }
    CHECK(covered < 2000 * 16);  // leaves of 8 blocks, not the 8 TiB that were asked for
    CHECK(world.read(*volume, 5 * kBlockBytes, kBlockBytes).value() == Bytes(kBlockBytes, 0));
    // Again: nothing is left to do.
    const std::uint64_t version = active->version();
    CHECK(world.zero(*volume, 0, kBlocks * kBlockBytes));
    CHECK(active->version() == version);
    world.close(*volume);
}

TEST_CASE("a small range above a tree is zeroed without looking into it, parts of blocks too") {
    World world;
    const auto base = world.tree(8, {0, 1, 2, 3, 4, 5, 6, 7});
    const auto active = world.layer(8);
    const auto volume = world.volume(8, {.active = active, .sealed = {}, .base = base});
    const std::uint64_t gets = world.tier.store.gets();
    CHECK(world.zero(*volume, kBlockBytes, 2 * kBlockBytes));
    CHECK(world.tier.store.gets() == gets);
    CHECK(world.zero(*volume, 4 * kBlockBytes + 10, kBlockBytes));
    const Bytes bytes = world.read(*volume, 0, 8 * kBlockBytes).value();
    CHECK(bytes[kBlockBytes - 1] == 1);
    CHECK(bytes[kBlockBytes] == 0);
    CHECK(bytes[3 * kBlockBytes] == 4);
    CHECK(bytes[4 * kBlockBytes + 9] == 5);
    CHECK(bytes[4 * kBlockBytes + 10] == 0);
    CHECK(bytes[5 * kBlockBytes + 9] == 0);
    CHECK(bytes[5 * kBlockBytes + 10] == 6);
    world.close(*volume);
}

TEST_CASE("a volume without an active layer is read-only") {
    World world;
    const auto base = world.tree(8, {3});
    const auto volume = world.volume(8, {.active = nullptr, .sealed = {}, .base = base});
    CHECK(world.read(*volume, 3 * kBlockBytes, 1).value()[0] == 4);
    CHECK(world.write(*volume, 0, Bytes(10, 1)).error().code() == Code::failed_precondition);
    CHECK(world.zero(*volume, 0, 4096).error().code() == Code::failed_precondition);
    CHECK(world.reactor.await<void>([&](Done done) { volume->flush(std::move(done)); }));
    world.close(*volume);
}

TEST_CASE("a flush covers the layers still being sealed first, and fails with them") {
    World world;
    std::vector<std::string> log;
    const auto logged = [&](const char* name) {
        return std::make_shared<LoggedLayer>(world.layer(8), name, log);
    };
    const auto active = logged("active");
    const auto newer = logged("newer");
    const auto older = logged("older");
    const auto sealed = logged("sealed");
    const auto volume = world.volume(
        8, {.active = active, .sealed = {newer, older, sealed}, .base = {}, .unsealed = 2});
    std::optional<Status> flushed;
    volume->flush([&](Status status) { flushed = std::move(status); });
    std::optional<Status> durable;
    const io::Buffer data = filled(1, 1);
    volume->write(0, data.view(), true, [&](Status status) { durable = std::move(status); });
    const auto settle = [&] {
        for (int i = 0; i < 10; ++i) {
            bool turned = false;
            world.reactor->scheduler().post([&turned] { turned = true; });
            REQUIRE(world.reactor->run_until([&] { return turned; }, soon()));
        }
    };
    settle();
    CHECK(std::count(log.begin(), log.end(), "flush active") == 0);
    CHECK(std::count(log.begin(), log.end(), "flush older") == 2);
    CHECK(std::count(log.begin(), log.end(), "flush newer") == 2);
    CHECK(std::count(log.begin(), log.end(), "flush sealed") == 0);
    older->complete(ok());
    settle();
    CHECK(std::count(log.begin(), log.end(), "flush active") == 0);
    newer->complete(ok());
    settle();
    CHECK(std::count(log.begin(), log.end(), "flush active") == 2);
    CHECK(!flushed);
    active->complete(ok());
    settle();
    REQUIRE(flushed);
    CHECK(flushed->has_value());
    REQUIRE(durable);
    CHECK(durable->has_value());
    flushed.reset();
    volume->flush([&](Status status) { flushed = std::move(status); });
    older->complete(Error(Code::io_error, "gone"));
    newer->complete(ok());
    settle();
    REQUIRE(flushed);
    CHECK(!flushed->has_value());
    CHECK(std::count(log.begin(), log.end(), "flush active") == 2);
    std::optional<Status> closed;
    volume->close([&](Status status) { closed = std::move(status); });
    settle();
    older->complete(ok());
    newer->complete(ok());
    settle();
    active->complete(ok());
    settle();
    REQUIRE(closed);
    CHECK(closed->has_value());
}

TEST_CASE("a paused volume holds back reads and changes, in order, and not flushes") {
    World world;
    const auto volume = world.volume(8, {.active = world.layer(8), .sealed = {}});
    bool quiet = false;
    volume->pause([&] { quiet = true; });
    std::vector<int> order;
    const io::Buffer one = filled(1, 1);
    const io::Buffer two = filled(1, 2);
    io::Buffer into(kBlockBytes);
    volume->write(0, one.view(), false, [&](Status) { order.push_back(1); });
    volume->write(0, two.view(), true, [&](Status) { order.push_back(2); });
    volume->zero(4096, 4096, false, [&](Status) { order.push_back(3); });
    volume->read(0, into.mutable_view(), [&](Status) { order.push_back(4); });
    bool flushed = false;
    volume->flush([&](Status) { flushed = true; });
    CHECK(world.reactor->run_until([&] { return quiet && flushed; }, soon()));
    CHECK(order.empty());
    volume->resume();
    CHECK(world.reactor->run_until([&] { return order.size() == 4; }, soon()));
    CHECK(world.read(*volume, 0, 1).value() == Bytes{2});
    world.close(*volume);
}
