// SPDX-License-Identifier: Apache-2.0
// The image tier against a flat buffer: random contents over several generations, canonical roots,
// diffs, damage, crashes between steps, deduplication. KILN_SEED repeats a run.
#include <doctest/doctest.h>

#include "block/image/index_rebuild.h"
#include "block/tests/image_support.h"
#include "objects/file_object_store.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kLeaf = 8192;

void random_changes(FlatSource& content, std::mt19937_64& random) {
    for (auto n = 1 + random() % 6; n > 0; --n) {
        const std::uint64_t offset = random() % content.bytes.size();
        const std::uint64_t length =
            1 + random() % std::min<std::uint64_t>(40'000, content.bytes.size() - offset);
        content.fill(offset, length, random() % 9);  // 0: zeros; few seeds: much is the same
    }
}

// By brute force.
std::vector<LeafChange> flat_diff(const Bytes& a, const Bytes& b) {
    std::vector<LeafChange> changes;
    const auto leaf_of = [](const Bytes& all, std::uint64_t leaf) {
        Bytes part(kLeaf, 0);
        for (std::uint64_t i = 0; i < kLeaf && leaf * kLeaf + i < all.size(); ++i) {
            part[i] = all[leaf * kLeaf + i];
        }
        return part;
    };
    const Bytes zeros(kLeaf, 0);
    for (std::uint64_t leaf = 0; leaf * kLeaf < std::max(a.size(), b.size()); ++leaf) {
        const Bytes in_a = leaf_of(a, leaf);
        const Bytes in_b = leaf_of(b, leaf);
        if (in_a != in_b) {
            changes.push_back({leaf, in_a != zeros, in_b != zeros});
        }
    }
    return changes;
}

// A root of the same bytes, written in one go into a fresh tier.
RootDigest fresh_root(TestReactor& reactor, const Bytes& bytes) {
    TestTier tier(reactor);
    FlatSource source(reactor, bytes.size());
    source.bytes = bytes;
    for (std::uint64_t chunk = 0; chunk * 4096 < bytes.size(); ++chunk) {
        source.dirty.insert(chunk);
    }
    const auto tree = tier.destage(source, {}, Codec::lz4);
    REQUIRE_MESSAGE(tree, tree.error().to_string());
    return tree->root;
}

void check_reads(TestTier& tier, const RootDigest& root, const Bytes& bytes,
                 std::mt19937_64& random) {
    const auto all = tier.read(root, 0, bytes.size());
    REQUIRE_MESSAGE(all, all.error().to_string());
    REQUIRE(*all == bytes);
    for (int i = 0; i < 10; ++i) {
        const std::uint64_t offset = random() % bytes.size();
        const std::uint64_t length = random() % (bytes.size() - offset + 1);
        const auto part = tier.read(root, offset, length);
        REQUIRE(part);
        REQUIRE(std::equal(part->begin(), part->end(),
                           bytes.begin() + static_cast<std::ptrdiff_t>(offset)));
    }
}

struct Generation {
    RootDigest root;
    Bytes bytes;
};

}  // namespace

TEST_CASE("random generations read back, are canonical, and diff as brute force says") {
    const auto seed = test_seed();
    CAPTURE(seed);
    for (const std::uint64_t size : {512ULL << 10, 100ULL << 10, (300ULL << 10) + 512}) {
        std::mt19937_64 random(seed + size);
        TestReactor reactor;
        // A cache this small forgets all the time.
        TestTier tier(reactor, nullptr, random() % 2 == 0 ? 1 << 20 : 9000);
        FlatSource content(reactor, size);
        std::vector<Generation> generations{{{}, Bytes(size, 0)}};
        for (int round = 0; round < 8; ++round) {
            random_changes(content, random);
            const auto tree = tier.destage(content, generations.back().root);
            REQUIRE_MESSAGE(tree, tree.error().to_string());
            content.dirty.clear();
            generations.push_back({tree->root, content.bytes});
            REQUIRE(tree->root == fresh_root(reactor, content.bytes));
            check_reads(tier, tree->root, content.bytes, random);
        }
        for (const Generation& a : generations) {
            const Generation& b = generations[random() % generations.size()];
            const auto page = tier.diff(a.root, b.root);
            REQUIRE(page);
            REQUIRE(page->changes == flat_diff(a.bytes, b.bytes));
            REQUIRE(!page->next_leaf);
        }
        for (std::size_t i = 1; i < generations.size(); ++i) {
            check_reads(tier, generations[i].root, generations[i].bytes, random);
        }
    }
}

TEST_CASE("pages of a diff join to the whole, from any leaf on") {
    TestReactor reactor;
    TestTier tier(reactor);
    FlatSource content(reactor, 512 << 10);
    for (const std::uint64_t leaf : {0, 1, 5, 17, 18, 40, 63}) {
        content.fill(leaf * kLeaf, 100, 3);
    }
    const auto tree = tier.destage(content, {});
    REQUIRE(tree);
    std::vector<std::uint64_t> leaves;
    for (std::optional<std::uint64_t> from = 0; from;) {
        const auto page = tier.diff({}, tree->root, *from, 2);
        REQUIRE(page);
        REQUIRE(page->changes.size() <= 2);
        for (const LeafChange& change : page->changes) {
            leaves.push_back(change.leaf);
        }
        from = page->next_leaf;
    }
    CHECK(leaves == std::vector<std::uint64_t>{0, 1, 5, 17, 18, 40, 63});
    const auto rest = tier.diff({}, tree->root, 18, 100);
    REQUIRE(rest);
    CHECK(rest->changes.size() == 3);
    CHECK(rest->changes[0].leaf == 18);
}

TEST_CASE("zeros are stored nowhere, equal chunks once, and a second destage stores nothing") {
    TestReactor reactor;
    TestTier tier(reactor);
    FlatSource content(reactor, 512 << 10);
    content.fill(0, 512 << 10, 0);
    const auto empty = tier.destage(content, {});
    REQUIRE(empty);
    CHECK(empty->record.top.zero());
    CHECK(empty->chunks_zero == 128);
    CHECK(empty->packs_written.size() == 1);  // the root record

    content.fill(0, 256 << 10, 4);  // 64 equal chunks
    const auto tree = tier.destage(content, {});
    REQUIRE(tree);
    CHECK(tree->chunks_written == 1);
    CHECK(tree->chunks_hit == 63);
    const auto again = tier.destage(content, {});
    REQUIRE(again);
    CHECK(again->root == tree->root);
    CHECK(again->packs_written.empty());
    CHECK(again->stored_bytes == 0);
    CHECK(again->packs_hit.size() == 2);

    // Condemned packs serve reads and no new references.
    for (const PackId& pack : tree->packs_written) {
        tier.index.condemn(pack);
    }
    const auto anew = tier.destage(content, {});
    REQUIRE(anew);
    CHECK(anew->root == tree->root);
    CHECK(anew->packs_written.size() == 2);
    for (const PackId& pack : tree->packs_written) {
        CHECK(!anew->packs_hit.contains(pack));
    }
}

TEST_CASE("growing keeps every node; the size is in the root digest alone") {
    TestReactor reactor;
    TestTier tier(reactor);
    FlatSource small(reactor, 64 << 10);
    small.fill(0, 64 << 10, 5);
    const auto a = tier.destage(small, {});
    REQUIRE(a);
    FlatSource large(reactor, 512 << 10);
    const auto b = tier.destage(large, a->root);
    REQUIRE(b);
    CHECK(b->record.top == a->record.top);
    CHECK(b->root != a->root);
    const auto bytes = tier.read(b->root, 0, 512 << 10);
    REQUIRE(bytes);
    CHECK(std::equal(small.bytes.begin(), small.bytes.end(), bytes->begin()));
    CHECK(tier.destage(small, b->root).error().code() == Code::invalid_argument);
    CHECK(tier.read(a->root, 512 << 10, 1).error().code() == Code::invalid_argument);
    // Chunks out of order are refused, and the writer is over.
    const auto writer = std::make_shared<TreeWriter>(
        tier.store, WriterOptions{.size_bytes = 64 << 10, .geometry = kTiny});
    REQUIRE(reactor.await<void>([&](Done done) { writer->start(std::move(done)); }));
    const Bytes chunk(4096, 1);
    CHECK(!reactor.await<void>([&](Done done) {
        writer->add({{3, chunk}, {3, chunk}}, std::move(done));
    }));
    CHECK(!reactor.await<WrittenTree>([&](auto done) { writer->finish(std::move(done)); }));
}

TEST_CASE("a changed byte anywhere in any pack is data_loss or harmless, never wrong bytes") {
    const auto seed = test_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    TestReactor reactor;
    TestTier tier(reactor, nullptr, 1);  // nothing is cached
    FlatSource content(reactor, 200 << 10);
    content.fill(0, 50'000, 2);
    content.fill(90'000, 60'000, 3);
    const auto tree = tier.destage(content, {});
    REQUIRE(tree);
    int noticed = 0;
    for (auto& [name, bytes] : tier.memory.contents) {
        const objects::SharedBytes good = bytes;
        for (int i = 0; i < 60; ++i) {
            auto bad = std::make_shared<Bytes>(*good);
            (*bad)[random() % bad->size()] ^= static_cast<std::uint8_t>(1 + random() % 255);
            bytes = bad;
            const auto got = tier.read(tree->root, 0, content.bytes.size());
            if (got) {
                REQUIRE(*got == content.bytes);  // it hit header or footer
            } else {
                REQUIRE(got.error().code() == Code::data_loss);
                ++noticed;
            }
        }
        bytes = good;
    }
    CHECK(noticed > 50);
    tier.memory.contents.erase(tier.memory.contents.begin());
    CHECK(tier.read(tree->root, 0, content.bytes.size()).error().code() == Code::data_loss);
}

TEST_CASE("the index is rebuilt from the footers of packs") {
    TestReactor reactor;
    TestTier tier(reactor);
    FlatSource content(reactor, 512 << 10);
    content.fill(10'000, 400'000, 3);
    const auto tree = tier.destage(content, {});
    REQUIRE(tree);
    REQUIRE(tree->packs_written.size() > 5);
    TestTier other(reactor, &tier.memory);
    CHECK(other.read(tree->root, 0, 1).error().code() == Code::data_loss);
    const auto rebuild = [&] {
        return reactor.await<void>(
            [&](Done done) { rebuild_index(other.context, tree->packs_written, std::move(done)); });
    };
    REQUIRE(rebuild());
    const auto bytes = other.read(tree->root, 0, content.bytes.size());
    REQUIRE(bytes);
    CHECK(*bytes == content.bytes);
    auto& [name, pack] = *tier.memory.contents.begin();
    auto bad = std::make_shared<Bytes>(*pack);
    bad->back() ^= 1;
    pack = bad;
    CHECK(rebuild().error().code() == Code::data_loss);
}

TEST_CASE(
    "files: a destage that fails at the Nth operation leaves nothing wrong, and the next one "
    "completes with the same root") {
    TestReactor reactor;
    FlatSource content(reactor, 256 << 10);
    content.fill(0, 150'000, 3);
    const RootDigest right = fresh_root(reactor, content.bytes);
    bool completed = false;
    for (int fail_at = 0; !completed; ++fail_at) {
        REQUIRE(fail_at < 500);
        TempDir dir;
        GateIo io(reactor->io(), reactor->scheduler());
        objects::FileObjectStore files(io, reactor->scheduler(), {.directory = dir.path()});
        TestTier tier(reactor, &files);
        int operations = 0;
        // From there on nothing works any more, as if the process had ended.
        io.fail = [&](const io::Op&) { return operations++ >= fail_at; };
        completed = tier.destage(content, {}).has_value();
        io.fail = nullptr;
        REQUIRE(reactor.await<void>([&](Done done) { files.clean(std::move(done)); }));
        const auto tree = tier.destage(content, {});
        REQUIRE_MESSAGE(tree, tree.error().to_string());
        REQUIRE(tree->root == right);
        const auto bytes = tier.read(tree->root, 0, content.bytes.size());
        REQUIRE(bytes);
        REQUIRE(*bytes == content.bytes);
        // Every entry of the index opens: it never runs ahead of what is durable.
        for (const auto& [id, pack] : tier.index.packs()) {
            REQUIRE((pack.bytes == 0 || std::filesystem::exists(dir / pack_name("store", id))));
        }
    }
}

TEST_CASE("a cancelled destage ends as cancelled; threads give the same root as the owner") {
    TestReactor reactor;
    Executor threads("image-worker", 2, 4);
    PoolWorker pool(reactor->scheduler(), threads, 2);
    TestTier tier(reactor, nullptr, 1 << 20, &pool);
    FlatSource content(reactor, 512 << 10);
    content.fill(0, 512 << 10, 3);
    const auto cancelled = reactor.await<WrittenTree>([&](auto done) {
        Destage::start(tier.store, content, {.geometry = kTiny}, std::move(done))->cancel();
    });
    REQUIRE(!cancelled);
    CHECK(cancelled.error().code() == Code::cancelled);
    const auto tree = tier.destage(content, {});
    REQUIRE(tree);
    CHECK(tree->root == fresh_root(reactor, content.bytes));
    const auto bytes = tier.read(tree->root, 0, content.bytes.size());
    REQUIRE(bytes);
    CHECK(*bytes == content.bytes);
}

TEST_CASE("readers of one chunk share one read, and the cache serves the next") {
    TestReactor reactor;
    TestTier tier(reactor);
    FlatSource content(reactor, 512 << 10);
    content.fill(0, 4096, 3);
    const auto tree = tier.destage(content, {});
    REQUIRE(tree);
    int ended = 0;
    for (int i = 0; i < 5; ++i) {
        TreeReader::open(tier.store, {}, tree->root,
                         [&](Result<std::shared_ptr<TreeReader>> reader) {
                             REQUIRE_MESSAGE(reader, reader.error().to_string());
                             auto bytes = std::make_shared<Bytes>(100);
                             (*reader)->read(7, *bytes, [&, bytes](Status status) {
                                 ended += status && (*bytes)[0] == content.bytes[7];
                             });
                         });
    }
    REQUIRE(reactor->run_until([&] { return ended == 5; }, soon()));
    CHECK(tier.store.gets() == 6);  // root, three nodes, leaf, chunk
    REQUIRE(tier.read(tree->root, 0, 4096));
    CHECK(tier.store.gets() == 6);
}
