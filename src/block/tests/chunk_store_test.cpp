// SPDX-License-Identifier: Apache-2.0
// What readers want of a pack is read at once where it lies together, and a read that fails is
// nobody's failure but that of the entry it fails for by itself.
#include <doctest/doctest.h>

#include "block/tests/image_support.h"
#include "block/tests/through_store.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kChunk = 4096;
constexpr std::uint64_t kChunks = 32;

struct Asked {
    std::string name;
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
    bool holds(const std::string& pack, std::uint64_t at) const {
        return name == pack && offset <= at && at < offset + length;
    }
};

// Remembers what was asked for, and fails what it is told to.
class AskedStore final : public ThroughStore {
  public:
    using ThroughStore::ThroughStore;
    objects::CallPtr get(std::string name, std::uint64_t offset, std::uint64_t length,
                         objects::CallOptions options, io::Callback<Result<Bytes>> done) override {
        asked.push_back({name, offset, length});
        if (!fail || !fail(asked.back())) {
            return ThroughStore::get(std::move(name), offset, length, options, std::move(done));
        }
        return ThroughStore::get(std::move(name), offset, length, options,
                                 [done = std::move(done)](const Result<Bytes>&) mutable {
                                     done(Error(Code::io_error, "injected"));
                                 });
    }

    std::vector<Asked> asked;
    std::function<bool(const Asked&)> fail;
};

struct World {
    World() : tier(reactor, &objects, 1 << 20), content(reactor, kChunks * kChunk) {
        content.fill(0, kChunks * kChunk, 3);
        const auto tree = tier.destage(content, {});
        REQUIRE_MESSAGE(tree, tree.error().to_string());
        for (std::uint64_t i = 0; i < kChunks; ++i) {
            ids.push_back(plain_id(ByteView(content.bytes).subspan(i * kChunk, kChunk)));
        }
        const auto found = reactor.await<Located>(
            [&](auto done) { tier.index.lookup({}, ids, LookupFor::reading, std::move(done)); });
        REQUIRE(found);
        for (const auto& at : *found) {
            REQUIRE(at);
            places.push_back(*at);
        }
        objects.asked.clear();
    }
    std::string name(std::uint64_t chunk) const {
        return pack_name(tier.context.store_uuid, places[chunk].pack);
    }
    bool together(std::uint64_t chunk) const {
        const PackEntry& before = places[chunk - 1].entry;
        return places[chunk].pack == places[chunk - 1].pack &&
               places[chunk].entry.offset == before.offset + entry_bytes(before);
    }
    Result<std::vector<BytesPtr>> fetch(std::vector<ChunkId> wanted) {
        return reactor.await<std::vector<BytesPtr>>([&](auto done) {
            tier.store.fetch({}, std::move(wanted), EntryType::chunk, std::move(done));
        });
    }
    void check(const std::vector<BytesPtr>& got, std::uint64_t first = 0) const {
        for (std::uint64_t i = 0; i < got.size(); ++i) {
            const auto right =
                content.bytes.begin() + static_cast<std::ptrdiff_t>((first + i) * kChunk);
            CHECK(std::equal(got[i]->begin(), got[i]->end(), right));
        }
    }

    TestReactor reactor{std::uint64_t{7}};
    objects::MemoryObjectStore memory{reactor->scheduler()};
    AskedStore objects{memory};
    TestTier tier;
    FlatSource content;
    std::vector<ChunkId> ids;
    std::vector<ChunkLocation> places;
};

}  // namespace

TEST_CASE("what lies together in a pack is read at once") {
    World world;
    std::size_t runs = 1;
    for (std::uint64_t chunk = 1; chunk < kChunks; ++chunk) {
        runs += world.together(chunk) ? 0 : 1;
    }
    REQUIRE(runs > 1);
    REQUIRE(runs < kChunks / 2);
    const std::uint64_t before = world.tier.store.gets();
    const auto all = world.fetch(world.ids);
    REQUIRE_MESSAGE(all, all.error().to_string());
    world.check(*all);
    CHECK(world.objects.asked.size() == runs);
    CHECK(world.tier.store.gets() - before == kChunks);
}

TEST_CASE("what does not lie together, or in that order, is read by itself") {
    World world;
    std::vector<ChunkId> wanted;
    for (std::uint64_t chunk = kChunks; chunk > 0; --chunk) {
        wanted.push_back(world.ids[chunk - 1]);
    }
    REQUIRE(world.fetch(wanted));
    CHECK(world.objects.asked.size() == kChunks);
}

TEST_CASE("a read of several that fails is tried for each by itself") {
    World world;
    const std::uint64_t one = kEntryHeaderBytes + kChunk;
    world.objects.fail = [&](const Asked& asked) { return asked.length > one; };
    const auto all = world.fetch(world.ids);
    REQUIRE_MESSAGE(all, all.error().to_string());
    world.check(*all);
    CHECK(world.objects.asked.size() > kChunks);
}

TEST_CASE("an entry that cannot be read fails those who want it, and nobody else") {
    World world;
    std::uint64_t bad = 1;
    while (!world.together(bad) || !world.together(bad + 1)) {
        ++bad;
    }
    world.objects.fail = [&](const Asked& asked) {
        return asked.holds(world.name(bad), world.places[bad].entry.offset);
    };
    Result<std::vector<BytesPtr>> wants_it = std::vector<BytesPtr>();
    Result<std::vector<BytesPtr>> others = std::vector<BytesPtr>();
    int ended = 0;
    world.tier.store.fetch({}, {world.ids[bad - 1], world.ids[bad]}, EntryType::chunk,
                           [&](Result<std::vector<BytesPtr>> got) {
                               wants_it = std::move(got);
                               ++ended;
                           });
    world.tier.store.fetch({}, {world.ids[bad - 1], world.ids[bad + 1]}, EntryType::chunk,
                           [&](Result<std::vector<BytesPtr>> got) {
                               others = std::move(got);
                               ++ended;
                           });
    REQUIRE(world.reactor->run_until([&] { return ended == 2; }, soon()));
    REQUIRE(!wants_it);
    CHECK(wants_it.error().code() == Code::io_error);
    REQUIRE_MESSAGE(others, others.error().to_string());
    world.check({others->front()}, bad - 1);
    world.check({others->back()}, bad + 1);
}
