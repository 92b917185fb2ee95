// SPDX-License-Identifier: Apache-2.0
// S72: what a read of a volume costs that stands on many layers. Judged is what is counted: how
// many layers are asked, how much is kept.
#include <doctest/doctest.h>

#include "block/tests/support.h"
#include "block/volume.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

// Counts how often it is asked.
class CountedLayer final : public Layer {
  public:
    CountedLayer(std::shared_ptr<Layer> below, std::uint64_t& asked)
        : below_(std::move(below)), asked_(asked) {}
    std::uint64_t blocks() const override { return below_->blocks(); }
    BlockRun presence(std::uint64_t first, std::uint64_t limit) const override {
        ++asked_;
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
    void flush(std::uint64_t through, Done done) override {
        below_->flush(through, std::move(done));
    }
    void extend(std::uint64_t blocks, Done done) override {
        below_->extend(blocks, std::move(done));
    }
    void seal(Freeze freeze, Done done) override { below_->seal(freeze, std::move(done)); }
    void close(Done done) override { below_->close(std::move(done)); }
    void drop(Done done) override { below_->drop(std::move(done)); }

  private:
    const std::shared_ptr<Layer> below_;
    std::uint64_t& asked_;
};

// Layers in memory with random writes and zeroes, newest first, the oldest the smallest.
LayerIndex::Layers random_layers(TestReactor& reactor, std::mt19937_64& random, std::size_t count,
                                 std::uint64_t blocks, std::uint64_t& asked) {
    Sync sync{reactor};
    LayerIndex::Layers layers;
    for (std::size_t i = 0; i < count; ++i) {
        const std::uint64_t size = blocks - (count - 1 - i) * blocks / (4 * count);
        auto layer = std::make_shared<CountedLayer>(
            std::make_shared<MemoryLayer>(reactor->scheduler(), size * kBlockBytes), asked);
        for (int change = 0; change < 12; ++change) {
            const std::uint64_t first = random() % size;
            const BlockRange range{first, std::min(size - first, 1 + random() % 9)};
            const Status changed =
                random() % 3 == 0 ? sync.zero(*layer, range) : sync.write(*layer, range, 1);
            CHECK(changed);
        }
        layers.insert(layers.begin(), std::move(layer));
    }
    return layers;
}

}  // namespace

TEST_CASE("S72: reads over any number of layers ask two, once they were there") {
    constexpr std::uint64_t kBlocks = 8 * LayerIndex::kPieceBlocks;
    TestReactor reactor;
    std::mt19937_64 random(7);
    for (const std::size_t depth : {9U, 64U, 200U}) {
        std::uint64_t asked = 0;
        LayerIndex::Layers sealed = random_layers(reactor, random, depth, kBlocks, asked);
        std::uint64_t active_asked = 0;
        const auto active = std::make_shared<CountedLayer>(
            std::make_shared<MemoryLayer>(reactor->scheduler(), kBlocks * kBlockBytes),
            active_asked);
        Volume volume(reactor->scheduler(), VolumeId("vol-1"), kBlocks * kBlockBytes,
                      std::make_shared<const Stack>(Stack{.active = active, .sealed = sealed}));
        io::Buffer into(kBlockBytes);
        const auto read_all = [&] {
            for (std::uint64_t block = 0; block < kBlocks; ++block) {
                REQUIRE(reactor.await<void>([&](Done done) {
                    volume.read(block * kBlockBytes, into.mutable_view(), std::move(done));
                }));
            }
        };
        asked = 0;
        read_all();
        CHECK(asked > 0);
        CHECK(asked <= 8 * depth * 2 + depth * 12 * 2);  // each layer once a MiB, and for each run
        asked = 0;
        active_asked = 0;
        read_all();
        CHECK(asked == 0);
        CHECK(active_asked == kBlocks);
        CHECK(reactor.await<void>([&](Done done) { volume.close(std::move(done)); }));
    }
}

TEST_CASE("S72: an index finds what asking every layer finds, in runs as long") {
    TestReactor reactor;
    std::mt19937_64 random(11);
    for (const std::size_t depth : {1U, 8U, 9U, 40U, 254U, 255U, 300U}) {
        constexpr std::uint64_t kBlocks = 5 * LayerIndex::kPieceBlocks;
        std::uint64_t asked = 0;
        const LayerIndex::Layers layers = random_layers(reactor, random, depth, kBlocks, asked);
        LayerIndex index;
        for (int look = 0; look < 3000; ++look) {
            const std::uint64_t first = random() % (kBlocks + 300);  // also behind every layer
            const std::uint64_t limit = 1 + random() % (random() % 2 == 0 ? 4 : 700);
            const auto expected = ask_layers(layers, 0, first, limit);
            const auto found = index.find(layers, first, limit);
            CAPTURE(depth);
            CAPTURE(first);
            CAPTURE(limit);
            REQUIRE(found.run.state == expected.run.state);
            REQUIRE(found.layer == expected.layer);
            // Runs that the layers break where an upper one ends are whole here.
            REQUIRE(found.run.count >= expected.run.count);
            REQUIRE(found.run.count <= limit);
            for (std::uint64_t at = expected.run.count; at < found.run.count; ++at) {
                const auto one = ask_layers(layers, 0, first + at, 1);
                REQUIRE(one.run.state == found.run.state);
                REQUIRE(one.layer == found.layer);
            }
        }
        CHECK(index.pieces() == (depth > Geometry{}.layers_asked ? 6 : 0));
        // Other layers, another index.
        LayerIndex copy(index);
        CHECK(copy.pieces() == 0);
        copy = index;
        CHECK(copy.pieces() == 0);
    }
}

TEST_CASE("S72: an index of a large volume keeps only so much, and what it keeps is right") {
    constexpr std::uint64_t kBlocks = 3 * LayerIndex::kMostPieces * LayerIndex::kPieceBlocks;
    TestReactor reactor;
    std::mt19937_64 random(13);
    Sync sync{reactor};
    LayerIndex::Layers layers;
    for (int i = 0; i < 20; ++i) {
        auto layer = std::make_shared<MemoryLayer>(reactor->scheduler(), kBlocks * kBlockBytes);
        for (int change = 0; change < 40; ++change) {
            // Pieces that share a slot, too.
            const std::uint64_t piece = random() % 3 * LayerIndex::kMostPieces + random() % 4;
            const std::uint64_t first =
                piece * LayerIndex::kPieceBlocks + random() % LayerIndex::kPieceBlocks;
            CHECK(sync.write(*layer, {first, 1}, 1));
        }
        layers.push_back(std::move(layer));
    }
    LayerIndex index;
    for (int look = 0; look < 20'000; ++look) {
        const std::uint64_t piece = random() % 3 * LayerIndex::kMostPieces + random() % 4;
        const std::uint64_t first =
            piece * LayerIndex::kPieceBlocks + random() % LayerIndex::kPieceBlocks;
        const auto expected = ask_layers(layers, 0, first, 1);
        const auto found = index.find(layers, first, 1);
        REQUIRE(found.run.state == expected.run.state);
        REQUIRE(found.layer == expected.layer);
    }
    CHECK(index.pieces() == 4);
    for (std::uint64_t piece = 0; piece < 3 * LayerIndex::kMostPieces; ++piece) {
        index.find(layers, piece * LayerIndex::kPieceBlocks, 1);
    }
    CHECK(index.pieces() == LayerIndex::kMostPieces);
}
