// SPDX-License-Identifier: Apache-2.0
// Marking: what it names is enough and no more, also with duplicates, shared subtrees, little
// memory and damage.
#include <doctest/doctest.h>

#include <set>

#include "block/image/marker.h"
#include "block/tests/image_support.h"
#include "block/tests/through_store.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

using Packs = std::set<PackId>;

Result<PackUses> count(TestReactor& reactor, ChunkStore& store,
                       const std::vector<RootDigest>& digests, MarkLimits limits = {}) {
    std::vector<RootRef> roots;
    for (const RootDigest& digest : digests) {
        roots.push_back({{}, digest});
    }
    return reactor.await<PackUses>(
        [&](auto done) { Marker::start(store, std::move(roots), std::move(done), limits); });
}

Result<Packs> mark(TestReactor& reactor, ChunkStore& store, const std::vector<RootDigest>& digests,
                   std::size_t remembered = kMarkRemembered) {
    TRY_ASSIGN(const auto uses,
               count(reactor, store, digests, MarkLimits{.remembered_nodes = remembered}));
    Packs packs;
    for (const auto& [pack, use] : uses) {
        packs.insert(pack);
    }
    return packs;
}

Packs all_packs(const TestTier& tier) {
    Packs packs;
    for (const auto& [id, pack] : tier.index.packs()) {
        packs.insert(id);
    }
    return packs;
}

void collect(TestReactor& reactor, TestTier& tier, const Packs& kept) {
    for (const PackId& pack : all_packs(tier)) {
        if (!kept.contains(pack)) {
            REQUIRE(
                reactor.await<void>([&](Done done) { tier.index.remove(pack, std::move(done)); }));
            REQUIRE(tier.memory.contents.erase(pack_name("store", pack)) == 1);
        }
    }
}

// Tells what is about to be read.
class Collected final : public ThroughStore {
  public:
    explicit Collected(io::Scheduler& scheduler) : ThroughStore(store), store(scheduler) {}
    objects::CallPtr get(std::string name, std::uint64_t offset, std::uint64_t length,
                         objects::CallOptions options, io::Callback<Result<Bytes>> done) override {
        if (before_get) {
            before_get(name);
        }
        return ThroughStore::get(std::move(name), offset, length, options, std::move(done));
    }
    objects::MemoryObjectStore store;
    std::function<void(const std::string&)> before_get;
};

struct Generation {
    RootDigest root;
    Bytes bytes;
};

Generation store(TestTier& tier, FlatSource& source, const RootDigest& base = {}) {
    const auto tree = tier.destage(source, base);
    REQUIRE_MESSAGE(tree, tree.error().to_string());
    source.dirty.clear();
    return {tree->root, source.bytes};
}

// The same bytes once more, in packs of their own: everything that is there is condemned first.
Packs store_again(TestTier& tier, FlatSource& source) {
    const Packs before = all_packs(tier);
    for (const PackId& pack : before) {
        tier.index.condemn(pack);
    }
    for (std::uint64_t chunk = 0; chunk * 4096 < source.bytes.size(); ++chunk) {
        source.dirty.insert(chunk);
    }
    store(tier, source);
    Packs fresh = all_packs(tier);
    for (const PackId& pack : before) {
        fresh.erase(pack);
    }
    return fresh;
}

}  // namespace

TEST_CASE(
    "what a mark names is enough to read every root it was given, and the rest is collected") {
    TestReactor reactor;
    for (std::uint64_t seed = 1; seed <= 30; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        TestTier tier(reactor, nullptr, 0);
        FlatSource source(reactor, 40 * 8192);
        std::vector<Generation> generations;
        RootDigest base;
        for (int n = 0; n < 6; ++n) {
            for (int i = 0; i < 3; ++i) {
                source.fill(random() % 60 * 4096, 1 + random() % 20'000, random() % 40);
            }
            generations.push_back(store(tier, source, base));
            base = generations.back().root;
        }
        std::vector<Generation> kept;
        std::vector<RootDigest> roots;
        for (const Generation& generation : generations) {
            if (random() % 2 == 0) {
                kept.push_back(generation);
                roots.push_back(generation.root);
            }
        }
        const auto packs = mark(reactor, tier.store, roots);
        REQUIRE_MESSAGE(packs, packs.error().to_string());
        CHECK(packs->size() <= all_packs(tier).size());
        // With room for hardly anything it walks more and finds the same.
        CHECK(*mark(reactor, tier.store, roots, 3) == *packs);
        collect(reactor, tier, *packs);
        for (const Generation& generation : kept) {
            const auto bytes = tier.read(generation.root, 0, generation.bytes.size());
            REQUIRE_MESSAGE(bytes, bytes.error().to_string());
            CHECK(*bytes == generation.bytes);
        }
        // Nothing that stays is there for nothing.
        if (!packs->empty()) {
            REQUIRE(reactor.await<void>(
                [&](Done done) { tier.index.remove(*packs->rbegin(), std::move(done)); }));
            CHECK(!mark(reactor, tier.store, roots));
        }
    }
}

TEST_CASE("no roots reach nothing, and the root of an empty content only its own pack") {
    TestReactor reactor;
    TestTier tier(reactor);
    CHECK(mark(reactor, tier.store, {})->empty());
    FlatSource source(reactor, 8192);
    const Generation empty = store(tier, source);
    CHECK(*mark(reactor, tier.store, {empty.root, empty.root}) == all_packs(tier));
}

TEST_CASE("an id that an uncondemned pack has does not keep a condemned one") {
    TestReactor reactor;
    TestTier tier(reactor);
    FlatSource source(reactor, 4 * 8192);
    source.fill(0, 4 * 8192, 1);
    const Generation content = store(tier, source);
    const Packs first = all_packs(tier);
    CHECK(*mark(reactor, tier.store, {content.root}) == first);
    const Packs second = store_again(tier, source);
    CHECK(*mark(reactor, tier.store, {content.root}) == second);
}

TEST_CASE("an id that only condemned packs have counts for one of them, which is enough") {
    TestReactor reactor;
    TestTier tier(reactor, nullptr, 0);
    FlatSource source(reactor, 4 * 8192);
    source.fill(0, 4 * 8192, 1);
    const Generation content = store(tier, source);
    for (const PackId& pack : store_again(tier, source)) {
        tier.index.condemn(pack);
    }
    const auto packs = mark(reactor, tier.store, {content.root});
    REQUIRE(packs);
    CHECK(!packs->empty());
    collect(reactor, tier, *packs);
    CHECK(*tier.read(content.root, 0, content.bytes.size()) == content.bytes);
}

TEST_CASE("a read that found its chunk in a pack that is collected meanwhile finds another") {
    TestReactor reactor;
    Collected objects(reactor->scheduler());
    TestTier tier(reactor, &objects, 0);
    FlatSource source(reactor, 4 * 8192);
    source.fill(0, 4 * 8192, 1);
    const Generation content = store(tier, source);
    const Packs first = all_packs(tier);
    const Packs second = store_again(tier, source);
    // Found through the index, and gone when the object is asked for: all packs of the half that is
    // asked first. Which one that is depends on their ids.
    int collected = 0;
    const Packs* victims = nullptr;
    objects.before_get = [&](const std::string& name) {
        const auto named = [&](const PackId& pack) { return name == pack_name("store", pack); };
        if (victims == nullptr) {
            victims = std::ranges::any_of(first, named) ? &first : &second;
        }
        for (const PackId& pack : *victims) {
            if (named(pack)) {
                ++collected;
                tier.index.remove(pack, [](Status) {});
                objects.store.contents.erase(name);
            }
        }
    };
    const auto bytes = tier.read(content.root, 0, content.bytes.size());
    REQUIRE_MESSAGE(bytes, bytes.error().to_string());
    CHECK(*bytes == content.bytes);
    CHECK(collected > 0);
}

TEST_CASE("a subtree that many roots share is read once") {
    TestReactor reactor;
    TestTier tier(reactor, nullptr, 0);
    FlatSource source(reactor, 40 * 8192);
    source.fill(0, 40 * 8192, 3);
    std::vector<RootDigest> roots = {store(tier, source).root};
    std::uint64_t before = tier.store.gets();
    REQUIRE(mark(reactor, tier.store, roots));
    const std::uint64_t alone = tier.store.gets() - before;
    for (std::uint64_t n = 0; n < 10; ++n) {
        source.fill(n * 4096, 10, 100 + n);
        roots.push_back(store(tier, source, roots.back()).root);
    }
    before = tier.store.gets();
    REQUIRE(mark(reactor, tier.store, roots));
    // A root record, and a path of four nodes.
    CHECK(tier.store.gets() - before == alone + 10 * 5);
}

TEST_CASE("a node that is missing or damaged fails the mark, and so does a chunk no pack has") {
    TestReactor reactor;
    TestTier tier(reactor, nullptr, 0);
    FlatSource source(reactor, 4 * 8192);
    source.fill(0, 4 * 8192, 1);
    const Generation content = store(tier, source);
    const auto fails = [&] {
        const auto packs = mark(reactor, tier.store, {content.root});
        return !packs && packs.error().code() == Code::data_loss;
    };
    CHECK(!fails());
    for (const auto& [id, pack] : tier.index.packs()) {
        if (pack.header.kind == PackKind::node) {
            objects::SharedBytes& object = tier.memory.contents.at(pack_name("store", id));
            const objects::SharedBytes good = object;
            Bytes bad = *good;
            bad[pack.entries.front().offset + kEntryHeaderBytes + 3] ^= 1;
            object = std::make_shared<const Bytes>(std::move(bad));
            CHECK(fails());
            object = nullptr;
            tier.memory.contents.erase(pack_name("store", id));
            CHECK(fails());
            tier.memory.contents[pack_name("store", id)] = good;
        }
    }
    CHECK(!fails());
    for (const PackId& pack : all_packs(tier)) {
        if (tier.index.packs().at(pack).header.kind == PackKind::data) {
            REQUIRE(
                reactor.await<void>([&](Done done) { tier.index.remove(pack, std::move(done)); }));
        }
    }
    CHECK(fails());
}

TEST_CASE("a cancelled mark completes once, with `cancelled`") {
    TestReactor reactor;
    TestTier tier(reactor, nullptr, 0);
    FlatSource source(reactor, 4 * 8192);
    source.fill(0, 4 * 8192, 1);
    const Generation content = store(tier, source);
    const auto packs = reactor.await<PackUses>([&](auto done) {
        const auto marker = Marker::start(tier.store, {{{}, content.root}}, std::move(done));
        reactor->scheduler().post([marker] { marker->cancel(); });
    });
    REQUIRE(!packs);
    CHECK(packs.error().code() == Code::cancelled);
}
