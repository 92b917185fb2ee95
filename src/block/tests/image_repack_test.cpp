// SPDX-License-Identifier: Apache-2.0
// Counting what is reached of packs, and repacking: what is copied is the same bytes, what is not
// good stays where it is, and a store from which much is deleted gets small again.
#include <doctest/doctest.h>

#include "block/image/marker.h"
#include "block/image/repack.h"
#include "block/tests/image_support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kBytes = 60 * 8192;
// Of a pack, beside its entries.
constexpr std::uint64_t kFixed = kPackHeaderBytes + pack_footer_bytes(0);

struct Content {
    RootDigest root;
    Bytes bytes;
};

class Store {
  public:
    explicit Store(TestReactor& reactor) : tier(reactor, nullptr, 0), reactor_(reactor) {}

    Content store(FlatSource& source, const RootDigest& base = {}) {
        const auto tree = tier.destage(source, base);
        REQUIRE_MESSAGE(tree, tree.error().to_string());
        source.dirty.clear();
        return {tree->root, source.bytes};
    }
    PackUses mark(const std::vector<Content>& contents, MarkLimits limits = {}) {
        std::vector<RootRef> roots;
        for (const Content& content : contents) {
            roots.push_back({{}, content.root});
        }
        auto uses = reactor_.await<PackUses>([&](auto done) {
            Marker::start(tier.store, std::move(roots), std::move(done), limits);
        });
        REQUIRE_MESSAGE(uses, uses.error().to_string());
        return *std::move(uses);
    }
    Result<Repacked> repack(std::vector<RepackPiece> pieces) {
        return reactor_.await<Repacked>(
            [&](auto done) { Repack::start(tier.context, 2, std::move(pieces), std::move(done)); });
    }
    void remove(const PackId& pack) {
        REQUIRE(reactor_.await<void>([&](Done done) { tier.index.remove(pack, std::move(done)); }));
        REQUIRE(tier.memory.contents.erase(pack_name("store", pack)) == 1);
    }
    void check(const Content& content) {
        const auto bytes = tier.read(content.root, 0, content.bytes.size());
        REQUIRE_MESSAGE(bytes, bytes.error().to_string());
        CHECK(*bytes == content.bytes);
    }
    std::uint64_t stored_bytes() const {
        std::uint64_t sum = 0;
        for (const auto& [name, bytes] : tier.memory.contents) {
            sum += bytes->size();
        }
        return sum;
    }
    // As the service collects: at most one round of compaction.
    bool collect(const std::vector<Content>& contents) {
        const PackUses uses = mark(contents);
        std::vector<RepackPiece> pieces;
        for (const auto& [id, use] : uses) {
            if ((use.bytes + kFixed) * 2 < tier.index.packs().at(id).bytes) {
                pieces.push_back({id, use.entries});
            }
        }
        const auto made = repack(pieces);
        REQUIRE_MESSAGE(made, made.error().to_string());
        CHECK(made->damaged.empty());
        CHECK(made->emptied.size() == pieces.size());
        for (const PackId& pack : made->emptied) {
            tier.index.condemn(pack);
        }
        const PackUses left = mark(contents);
        const auto packs = tier.index.packs();
        for (const auto& [id, pack] : packs) {
            if (!left.contains(id)) {
                remove(id);
            }
        }
        return !pieces.empty();
    }
    TestTier tier;

  private:
    TestReactor& reactor_;
};

PackId only(const PackUses& uses, const MemoryChunkIndex& index, PackKind kind) {
    std::vector<PackId> found;
    for (const auto& [id, use] : uses) {
        if (index.packs().at(id).header.kind == kind) {
            found.push_back(id);
        }
    }
    REQUIRE(found.size() == 1);
    return found.front();
}

// A pack's object, with one bit of this entry's bytes turned.
void damage(TestTier& tier, const PackId& pack, std::uint32_t offset) {
    objects::SharedBytes& object = tier.memory.contents.at(pack_name("store", pack));
    Bytes bad = *object;
    bad[offset + kEntryHeaderBytes + 1] ^= 4;
    object = std::make_shared<const Bytes>(std::move(bad));
}

}  // namespace

TEST_CASE("a mark counts each entry that is reached once, however often it is named") {
    TestReactor reactor;
    Store store(reactor);
    FlatSource source(reactor, kBytes);
    source.fill(0, 4 * 4096, 1);     // four chunks, all different
    source.fill(8 * 4096, 4096, 5);  // and one that is there three times
    source.fill(20 * 4096, 4096, 5);
    const Content all = store.store(source);
    source.fill(30 * 4096, 4096, 5);
    source.fill(0, 2 * 4096, 0);
    const Content half = store.store(source, all.root);

    const auto both = store.mark({all, half});
    std::uint64_t sum = 0;
    for (const auto& [id, use] : both) {
        const auto pack = store.tier.index.packs().at(id);
        CHECK(use.counted);
        CHECK(use.entries.size() == pack.entries.size());
        CHECK(use.bytes == pack.bytes - kFixed);
        sum += use.entries.size();
    }
    CHECK(both.size() == store.tier.index.packs().size());

    const auto one = store.mark({half});
    const PackId data = only(one, store.tier.index, PackKind::data);
    CHECK(one.at(data).entries.size() == 3);
    CHECK(std::ranges::is_sorted(one.at(data).entries));

    SUBCASE("with little memory it counts a part of the packs, and names all the same") {
        bool fewer = false;
        for (int n = 0; n < 20; ++n) {
            const auto some = store.mark({all, half}, {.counted_entries = sum - 1});
            REQUIRE(some.size() == both.size());
            for (const auto& [id, use] : some) {
                fewer = fewer || !use.counted;
                CHECK(use.entries ==
                      (use.counted ? both.at(id).entries : std::vector<std::uint32_t>()));
            }
        }
        CHECK(fewer);
    }
}

TEST_CASE("repacked entries are the same bytes in one pack of each kind") {
    TestReactor reactor;
    Store store(reactor);
    FlatSource source(reactor, kBytes);
    std::vector<Content> contents;
    RootDigest base;
    for (std::uint64_t n = 0; n < 5; ++n) {
        source.fill(n * 8192, 8192, 11 + n);
        contents.push_back(store.store(source, base));
        base = contents.back().root;
    }
    const Content last = contents.back();
    const auto uses = store.mark({last});
    std::vector<RepackPiece> pieces;
    std::uint64_t entries = 0;
    for (const auto& [id, use] : uses) {
        pieces.push_back({id, use.entries});
        entries += use.entries.size();
    }
    const auto made = store.repack(pieces);
    REQUIRE_MESSAGE(made, made.error().to_string());
    CHECK(made->emptied.size() == pieces.size());
    CHECK(made->entries == entries);
    CHECK(made->written.size() == 2);
    CHECK(made->bytes_read > made->bytes_written);
    std::vector<PackId> old;
    for (const auto& [id, pack] : store.tier.index.packs()) {
        if (std::ranges::find(made->written, id) == made->written.end()) {
            old.push_back(id);
        } else {
            CHECK(pack.header.epoch == 2);
        }
    }
    CHECK(old.size() == 10);
    for (const PackId& pack : old) {
        store.remove(pack);
    }
    store.check(last);
}

TEST_CASE("a pack with a bad entry is left alone and told, and the others are emptied") {
    TestReactor reactor;
    Store store(reactor);
    FlatSource source(reactor, kBytes);
    source.fill(0, 8192, 1);
    const Content content = store.store(source);
    const auto uses = store.mark({content});
    const PackId data = only(uses, store.tier.index, PackKind::data);
    const PackId nodes = only(uses, store.tier.index, PackKind::node);
    const std::vector<RepackPiece> pieces{{data, uses.at(data).entries},
                                          {nodes, uses.at(nodes).entries}};
    const std::string name = pack_name("store", data);
    SUBCASE("its bytes") {
        damage(store.tier, data, uses.at(data).entries.back());
    }
    SUBCASE("its footer") {
        Bytes bad = *store.tier.memory.contents.at(name);
        bad[bad.size() - 100] ^= 1;
        store.tier.memory.contents[name] = std::make_shared<const Bytes>(std::move(bad));
    }
    SUBCASE("it is another pack") {
        store.tier.memory.contents[name] = store.tier.memory.contents.at(pack_name("store", nodes));
    }
    SUBCASE("it is missing") {
        store.tier.memory.contents.erase(name);
    }
    const auto made = store.repack(pieces);
    REQUIRE_MESSAGE(made, made.error().to_string());
    CHECK(made->emptied == std::vector<PackId>{nodes});
    REQUIRE(made->damaged.size() == 1);
    CHECK(made->damaged.front().first == data);
    CHECK(!made->damaged.front().second.message().empty());
    CHECK(made->written.size() == 1);
}

TEST_CASE("an entry that the index names and the pack does not have keeps the pack") {
    TestReactor reactor;
    Store store(reactor);
    FlatSource source(reactor, kBytes);
    source.fill(0, 8192, 1);
    const auto uses = store.mark({store.store(source)});
    const PackId data = only(uses, store.tier.index, PackKind::data);
    for (const std::uint32_t offset : {0U, 129U, 1U << 30}) {
        const auto made = store.repack({{data, {offset}}});
        REQUIRE(made);
        CHECK(made->emptied.empty());
        CHECK(made->damaged.size() == 1);
        CHECK(made->written.empty());
    }
}

TEST_CASE("a cancelled repacking completes once, with `cancelled`, and takes nothing away") {
    TestReactor reactor;
    Store store(reactor);
    FlatSource source(reactor, kBytes);
    source.fill(0, 20 * 8192, 1);
    const Content content = store.store(source);
    std::vector<RepackPiece> pieces;
    for (const auto& [id, use] : store.mark({content})) {
        pieces.push_back({id, use.entries});
    }
    REQUIRE(pieces.size() > 3);
    const auto made = reactor.await<Repacked>([&](auto done) {
        const auto repack = Repack::start(store.tier.context, 2, pieces, std::move(done));
        reactor->scheduler().post([repack] { repack->cancel(); });
    });
    REQUIRE(!made);
    CHECK(made.error().code() == Code::cancelled);
    store.check(content);
}

TEST_CASE("after deletions a store is at most twice as large as what is needed, whatever went") {
    TestReactor reactor;
    std::uint64_t compactions = 0;
    for (std::uint64_t seed = 1; seed <= 40; ++seed) {
        CAPTURE(seed);
        std::mt19937_64 random(seed);
        Store store(reactor);
        std::vector<Content> contents;
        for (int life = 0; life < 4; ++life) {
            for (int n = 0; n < 4; ++n) {
                FlatSource source(reactor, kBytes);
                RootDigest base;
                if (!contents.empty() && random() % 3 != 0) {
                    const Content& from = contents[random() % contents.size()];
                    source.bytes = from.bytes;
                    base = from.root;
                }
                for (auto changes = 1 + random() % 5; changes > 0; --changes) {
                    source.fill(random() % 100 * 4096, 1 + random() % 60'000, random() % 200);
                }
                contents.push_back(store.store(source, base));
            }
            std::erase_if(contents, [&](const Content&) { return random() % 2 == 0; });
            int rounds = 0;
            while (store.collect(contents)) {
                ++compactions;
                REQUIRE(++rounds < 50);
            }
            std::uint64_t live = 0;
            const auto uses = store.mark(contents);
            for (const auto& [id, use] : uses) {
                live += use.bytes + kFixed;
            }
            CHECK(uses.size() == store.tier.index.packs().size());
            CHECK(store.stored_bytes() <= 2 * live);
            for (const Content& content : contents) {
                store.check(content);
            }
        }
    }
    CHECK(compactions > 20);
}
