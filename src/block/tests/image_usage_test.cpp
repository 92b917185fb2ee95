// SPDX-License-Identifier: Apache-2.0
// What is allocated of a tree and what of that no other tree has, against counting by hand.
#include <doctest/doctest.h>

#include <set>

#include "block/image/tree_usage.h"
#include "block/tests/image_support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kLeaf = 8192;

struct Content {
    RootDigest root;
    Bytes bytes;
};

ByteView leaf_of(const Content& content, std::uint64_t leaf) {
    const ByteView all = content.bytes;
    return leaf * kLeaf < all.size()
               ? all.subspan(leaf * kLeaf,
                             std::min<std::uint64_t>(kLeaf, all.size() - leaf * kLeaf))
               : ByteView();
}

bool is_zero(ByteView bytes) {
    return std::ranges::all_of(bytes, [](auto byte) { return byte == 0; });
}

// Behind the end are zeros.
bool same(ByteView one, ByteView other) {
    const std::size_t both = std::min(one.size(), other.size());
    return std::ranges::equal(one.first(both), other.first(both)) && is_zero(one.subspan(both)) &&
           is_zero(other.subspan(both));
}

TreeUsage by_hand(const Content& content, const std::vector<Content>& others) {
    TreeUsage usage{.leaf_bytes = kLeaf};
    for (std::uint64_t leaf = 0; leaf * kLeaf < content.bytes.size(); ++leaf) {
        const ByteView bytes = leaf_of(content, leaf);
        if (is_zero(bytes)) {
            continue;
        }
        ++usage.allocated_leaves;
        usage.unique_leaves += std::ranges::none_of(
            others, [&](const Content& other) { return same(bytes, leaf_of(other, leaf)); });
    }
    return usage;
}

Result<TreeUsage> measure(TestReactor& reactor, ChunkStore& store, const Content& content,
                          const std::vector<Content>& others) {
    UsageQuery query{.domain = {}, .root = content.root, .others = {}};
    for (const Content& other : others) {
        query.others.push_back(other.root);
    }
    return reactor.await<TreeUsage>(
        [&](auto done) { measure_tree(store, std::move(query), std::move(done)); });
}

}  // namespace

TEST_CASE("SNP-23: allocated and unique leaves are those that counting by hand finds") {
    TestReactor reactor;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        TestTier tier(reactor, nullptr, random() % 2 == 0 ? 0 : 1 << 20);
        std::vector<Content> contents;
        for (int n = 0; n < 6; ++n) {
            FlatSource source(reactor, (20 + random() % 40) * kLeaf - random() % 2 * 4096);
            RootDigest base;
            if (!contents.empty() && random() % 4 != 0) {
                const Content& from = contents[random() % contents.size()];
                source.bytes = from.bytes;
                base = from.root;
            }
            for (auto changes = random() % 6; changes > 0; --changes) {
                const std::uint64_t offset = random() % source.bytes.size();
                source.fill(
                    offset,
                    1 + random() % std::min<std::uint64_t>(30'000, source.bytes.size() - offset),
                    random() % 5);
            }
            const auto tree = tier.destage(source, base);
            REQUIRE_MESSAGE(tree, tree.error().to_string());
            contents.push_back({tree->root, source.bytes});
        }
        for (std::size_t i = 0; i < contents.size(); ++i) {
            std::vector<Content> others;
            for (std::size_t j = 0; j < contents.size(); ++j) {
                if (j != i && random() % 3 != 0) {
                    others.push_back(contents[j]);
                }
            }
            const auto usage = measure(reactor, tier.store, contents[i], others);
            REQUIRE_MESSAGE(usage, usage.error().to_string());
            const TreeUsage right = by_hand(contents[i], others);
            CHECK(usage->leaf_bytes == right.leaf_bytes);
            CHECK(usage->allocated_leaves == right.allocated_leaves);
            CHECK(usage->unique_leaves == right.unique_leaves);
        }
    }
}

TEST_CASE("a tree of another geometry shares nothing, and a missing one is damage") {
    TestReactor reactor;
    TestTier tier(reactor);
    FlatSource source(reactor, 4 * kLeaf);
    source.fill(0, 4 * kLeaf, 3);
    const auto tree = tier.destage(source, {});
    REQUIRE(tree);
    const Content content{tree->root, source.bytes};
    FlatSource again(reactor, 4 * kLeaf);
    again.fill(0, 4 * kLeaf, 3);
    ImageGeometry geometry = kTiny;
    geometry.height = 4;
    const auto other = reactor.await<WrittenTree>([&](auto done) {
        Destage::start(tier.store, again, {.geometry = geometry}, std::move(done));
    });
    REQUIRE(other);
    const auto apart = measure(reactor, tier.store, content, {{other->root, {}}});
    REQUIRE(apart);
    CHECK(apart->allocated_leaves == 4);
    CHECK(apart->unique_leaves == 4);
    CHECK(measure(reactor, tier.store, content, {content})->unique_leaves == 0);
    RootDigest nowhere;
    nowhere.bytes.fill(7);
    CHECK(measure(reactor, tier.store, content, {{nowhere, {}}}).error().code() == Code::data_loss);
    CHECK(measure(reactor, tier.store, {nowhere, {}}, {}).error().code() == Code::data_loss);
}

TEST_CASE("what is known to be shared is not looked into again") {
    TestReactor reactor;
    TestTier tier(reactor, nullptr, 0);
    FlatSource source(reactor, 60 * kLeaf);
    source.fill(0, 60 * kLeaf, 3);
    std::vector<Content> contents{{tier.destage(source, {})->root, source.bytes}};
    std::uint64_t before = tier.store.gets();
    REQUIRE(measure(reactor, tier.store, contents[0], {}));
    const std::uint64_t alone = tier.store.gets() - before;
    for (std::uint64_t n = 0; n < 10; ++n) {
        source.dirty.clear();
        source.fill(n * 4096, 10, 100 + n);
        contents.push_back({tier.destage(source, contents.back().root)->root, source.bytes});
    }
    before = tier.store.gets();
    const auto usage = measure(reactor, tier.store, contents[0], contents);
    REQUIRE(usage);
    CHECK(usage->unique_leaves == 0);
    // Itself, by its root record, twice.
    CHECK(tier.store.gets() - before <= alone + 2);
}
