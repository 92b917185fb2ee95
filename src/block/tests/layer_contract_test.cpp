// SPDX-License-Identifier: Apache-2.0
// The contract of Layer, for every implementation.
#include <doctest/doctest.h>

#include "block/tests/support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kBlocks = 50;  // four shards of 16, the last one short

// Runs the body with each kind of layer; the body closes it.
void for_each_layer(const std::function<void(TestReactor&, Layer&)>& body) {
    {
        INFO("memory");
        TestReactor reactor;
        MemoryLayer layer(reactor->scheduler(), kBlocks * kBlockBytes);
        body(reactor, layer);
    }
    for (const io::Backend backend : backends()) {
        INFO("local, backend ", static_cast<int>(backend));
        TempDir dir;
        TestReactor reactor(backend);
        TestStore store(reactor, dir.path());
        const auto layer = store.open_active("l-1", kBlocks * kBlockBytes);
        REQUIRE_MESSAGE(layer, layer.error().to_string());
        body(reactor, **layer);
    }
}

}  // namespace

TEST_CASE("a new layer is absent everywhere") {
    for_each_layer([](TestReactor& reactor, Layer& layer) {
        CHECK(layer.blocks() == kBlocks);
        CHECK(layer.presence(0, kBlocks).count == kBlocks);
        CHECK(state_of(layer, 0) == BlockState::absent);
        CHECK(Sync{reactor}.close(layer));
    });
}

TEST_CASE("written blocks read back, across shards too, and only they are data") {
    for_each_layer([](TestReactor& reactor, Layer& layer) {
        Sync sync{reactor};
        CHECK(sync.write(layer, {3, 2}, 7));
        CHECK(sync.write(layer, {10, 40}, 9));  // over all shards, to the end
        CHECK(*sync.read(layer, 3) == 7);
        CHECK(*sync.read(layer, 4) == 7);
        CHECK(*sync.read(layer, 49) == 9);
        CHECK(state_of(layer, 2) == BlockState::absent);
        CHECK(layer.presence(3, kBlocks).count == 2);
        CHECK(layer.presence(5, kBlocks).count == 5);
        io::Buffer all(40 * kBlockBytes);
        CHECK(reactor.await<void>([&](Done done) {
            layer.read({10, 40}, all.mutable_view(), std::move(done));
        }));
        CHECK(std::all_of(all.view().begin(), all.view().end(),
                          [](std::uint8_t byte) { return byte == 9; }));
        CHECK(sync.write(layer, {4, 1}, 8));  // an overwrite
        CHECK(*sync.read(layer, 4) == 8);
        CHECK(sync.close(layer));
    });
}

TEST_CASE("zero replaces data and marks what was absent; a later write replaces it") {
    for_each_layer([](TestReactor& reactor, Layer& layer) {
        Sync sync{reactor};
        CHECK(sync.write(layer, {0, 40}, 5));
        CHECK(sync.zero(layer, {10, 35}));
        CHECK(state_of(layer, 9) == BlockState::data);
        CHECK(state_of(layer, 10) == BlockState::zero);
        CHECK(state_of(layer, 44) == BlockState::zero);
        CHECK(state_of(layer, 45) == BlockState::absent);
        CHECK(sync.write(layer, {20, 1}, 6));
        CHECK(*sync.read(layer, 20) == 6);
        CHECK(layer.presence(10, kBlocks).count == 10);
        CHECK(layer.presence(21, kBlocks).count == 24);
        CHECK(sync.zero(layer, {10, 35}));
        CHECK(sync.zero(layer, {10, 35}));  // again: nothing to do
        CHECK(layer.presence(10, kBlocks).count == 35);
        CHECK(sync.close(layer));
    });
}

TEST_CASE("version counts completed changes, and flush completes for all of them") {
    for_each_layer([](TestReactor& reactor, Layer& layer) {
        Sync sync{reactor};
        const auto before = layer.version();
        CHECK(sync.flush(layer));
        CHECK(sync.write(layer, {0, 1}, 5));
        CHECK(layer.version() > before);
        CHECK(sync.flush(layer));
        CHECK(sync.flush(layer));
        CHECK(sync.zero(layer, {0, 1}));
        CHECK(sync.flush(layer));
        CHECK(sync.close(layer));
    });
}

TEST_CASE("many changes in flight complete, each once, and flushes among them") {
    for_each_layer([](TestReactor& reactor, Layer& layer) {
        Sync sync{reactor};
        std::vector<io::Buffer> data;
        std::size_t completed = 0;
        bool inside = true;
        for (std::uint64_t block = 0; block < kBlocks; ++block) {
            data.push_back(filled(1, static_cast<std::uint8_t>(block)));
            const auto count = [&](Status status) {
                CHECK(status);
                CHECK(!inside);
                ++completed;
            };
            layer.write({block, 1}, data.back().view(), count);
            if (block % 8 == 0) {
                layer.flush(layer.version(), count);
            }
        }
        inside = false;
        CHECK(reactor->run_until([&] { return completed == kBlocks + 7; }, soon()));
        for (std::uint64_t block = 0; block < kBlocks; ++block) {
            CHECK(*sync.read(layer, block) == static_cast<int>(block));
        }
        CHECK(sync.flush(layer));
        CHECK(sync.close(layer));
    });
}

TEST_CASE("I3: a sealed layer refuses changes and still reads") {
    for_each_layer([](TestReactor& reactor, Layer& layer) {
        Sync sync{reactor};
        CHECK(sync.write(layer, {1, 1}, 5));
        CHECK(sync.seal(layer));
        CHECK(sync.write(layer, {1, 1}, 6).error().code() == Code::failed_precondition);
        CHECK(sync.zero(layer, {1, 1}).error().code() == Code::failed_precondition);
        CHECK(sync.seal(layer).error().code() == Code::failed_precondition);
        CHECK(sync.flush(layer));
        CHECK(*sync.read(layer, 1) == 5);
        CHECK(sync.close(layer));
    });
}

TEST_CASE("a dropped layer leaves nothing") {
    for_each_layer([](TestReactor& reactor, Layer& layer) {
        CHECK(Sync{reactor}.write(layer, {1, 30}, 5));
        CHECK(reactor.await<void>([&](Done done) { layer.drop(std::move(done)); }));
    });
    TempDir dir;
    TestReactor reactor;
    TestStore store(reactor, dir.path());
    const auto layer = store.open_active("l-1", kBlocks * kBlockBytes);
    REQUIRE(layer);
    CHECK(Sync{reactor}.write(**layer, {1, 30}, 5));
    CHECK(!std::filesystem::is_empty(dir.path()));
    CHECK(reactor.await<void>([&](Done done) { (*layer)->drop(std::move(done)); }));
    CHECK(std::filesystem::is_empty(dir.path()));
}
