// SPDX-License-Identifier: Apache-2.0
// What MemoryChunkIndex promises, of the index in the catalog as well: one suite for both.
#include "control/chunk_index.h"

#include "block/image/memory_chunk_index.h"
#include "catalog/sqlite_store.h"
#include "io/tests/support.h"

using namespace kiln;
using namespace kiln::control;
using block::ChunkId;
using block::Located;
using block::LookupFor;
using block::PackEntry;
using block::PackHeader;
using io::testing::TempDir;
using io::testing::TestReactor;

namespace {

class MemoryIndex {
  public:
    explicit MemoryIndex(TestReactor& reactor) : index(reactor->scheduler()) {}
    void condemn(const block::PackId& pack) { index.condemn(pack); }
    block::MemoryChunkIndex index;
};

class CatalogIndex {
  public:
    explicit CatalogIndex(TestReactor& reactor)
        : clock_(io::make_system_clock()),
          rng_(io::make_system_rng()),
          executor_("index", 2, 100),
          store_(open()),
          index(*store_, executor_, *clock_, reactor->scheduler()) {}
    void condemn(const block::PackId& pack) {
        REQUIRE(store_->run([&](catalog::Transaction& tx) {
            return tx.packs().set_state({Bytes(pack.bytes.begin(), pack.bytes.end())},
                                        model::PackState::condemned);
        }));
    }

  private:
    std::unique_ptr<catalog::Store> open() {
        auto store = catalog::open_sqlite_store(
            {.path = dir_ / "catalog.sqlite", .durable = false, .inject_retry_percent = 20}, *rng_);
        REQUIRE(store);
        return std::move(*store);
    }
    TempDir dir_;
    std::unique_ptr<io::Clock> clock_;
    std::unique_ptr<io::Rng> rng_;
    Executor executor_;
    std::unique_ptr<catalog::Store> store_;

  public:
    CatalogChunkIndex index;
};

PackHeader header(std::uint8_t number, std::uint8_t domain = 0) {
    PackHeader pack;
    pack.store_uuid = "store";
    pack.pack.bytes.fill(number);
    pack.domain.bytes.fill(domain);
    pack.epoch = 3;
    return pack;
}

PackEntry entry(std::uint32_t number, block::EntryType type = block::EntryType::chunk) {
    PackEntry made;
    put_le(made.id.bytes.data(), number);
    made.offset = 128 + number;
    made.stored_bytes = 7;
    made.plain_bytes = 65536;
    made.type = type;
    made.codec = block::Codec::zstd;
    return made;
}

template <class Index>
class Suite {
  public:
    void store(const PackHeader& pack, const std::vector<PackEntry>& entries) {
        REQUIRE(call([&](block::Done done) { subject.index.begin_pack(pack, std::move(done)); }));
        REQUIRE(call(
            [&](block::Done done) { subject.index.insert(pack, 1000, entries, std::move(done)); }));
    }
    Located lookup(const std::vector<ChunkId>& ids, LookupFor purpose = LookupFor::reading,
                   std::uint8_t domain = 0) {
        auto found = reactor.await<Located>([&](auto done) {
            subject.index.lookup(header(0, domain).domain, ids, purpose, std::move(done));
        });
        REQUIRE_MESSAGE(found, (found ? "" : found.error().to_string()));
        return *found;
    }
    template <class Start>
    Status call(Start start) {
        return reactor.await<void>(start);
    }

    TestReactor reactor;
    Index subject{reactor};
};

}  // namespace

TEST_CASE_TEMPLATE("what was inserted is found, in the order asked, each as often as asked", Index,
                   MemoryIndex, CatalogIndex) {
    Suite<Index> suite;
    std::vector<PackEntry> many;
    for (std::uint32_t i = 0; i < 300; ++i) {
        many.push_back(entry(i, i % 2 == 0 ? block::EntryType::chunk : block::EntryType::node));
    }
    suite.store(header(1), many);
    const Located found =
        suite.lookup({entry(7).id, entry(900).id, entry(0).id, entry(7).id, entry(299).id});
    REQUIRE(found.size() == 5);
    CHECK(found[0]->entry == many[7]);
    CHECK(found[0]->pack == header(1).pack);
    CHECK_FALSE(found[1].has_value());
    CHECK(found[2]->entry == many[0]);
    CHECK(found[3]->entry == many[7]);
    CHECK(found[4]->entry == many[299]);
    CHECK(suite.lookup({}).empty());
    CHECK_FALSE(suite.lookup({entry(7).id}, LookupFor::reading, 5)[0].has_value());
}

TEST_CASE_TEMPLATE("a pack that was begun and not inserted holds nothing; inserting twice is fine",
                   Index, MemoryIndex, CatalogIndex) {
    Suite<Index> suite;
    REQUIRE(suite.call(
        [&](block::Done done) { suite.subject.index.begin_pack(header(1), std::move(done)); }));
    CHECK_FALSE(suite.lookup({entry(1).id})[0].has_value());
    suite.store(header(1), {entry(1)});
    suite.store(header(1), {entry(1)});
    CHECK(suite.lookup({entry(1).id})[0].has_value());
}

TEST_CASE_TEMPLATE("an id in two packs is found as long as one of them is there", Index,
                   MemoryIndex, CatalogIndex) {
    Suite<Index> suite;
    suite.store(header(1), {entry(1), entry(2)});
    suite.store(header(2), {entry(1)});
    const auto remove = [&](std::uint8_t pack) {
        REQUIRE(suite.call([&](block::Done done) {
            suite.subject.index.remove(header(pack).pack, std::move(done));
        }));
    };
    remove(1);
    remove(1);
    CHECK(suite.lookup({entry(1).id})[0]->pack == header(2).pack);
    CHECK_FALSE(suite.lookup({entry(2).id})[0].has_value());
    remove(2);
    CHECK_FALSE(suite.lookup({entry(1).id})[0].has_value());
}

TEST_CASE_TEMPLATE("a condemned pack is read from, and serves no deduplication", Index, MemoryIndex,
                   CatalogIndex) {
    Suite<Index> suite;
    suite.store(header(1), {entry(1), entry(2)});
    suite.subject.condemn(header(1).pack);
    CHECK(suite.lookup({entry(1).id})[0].has_value());
    CHECK_FALSE(suite.lookup({entry(1).id}, LookupFor::deduplication)[0].has_value());
    suite.store(header(2), {entry(1)});
    const Located found = suite.lookup({entry(1).id, entry(2).id}, LookupFor::deduplication);
    CHECK(found[0]->pack == header(2).pack);
    CHECK_FALSE(found[1].has_value());
}

TEST_CASE_TEMPLATE("a call completes later, never inside", Index, MemoryIndex, CatalogIndex) {
    Suite<Index> suite;
    suite.store(header(1), {entry(1)});
    bool inside = true;
    const auto found = suite.reactor.template await<Located>([&](auto done) {
        suite.subject.index.lookup(header(1).domain, {entry(1).id}, LookupFor::reading,
                                   [&inside, done = std::move(done)](auto result) mutable {
                                       CHECK_FALSE(inside);
                                       done(std::move(result));
                                   });
        inside = false;
    });
    REQUIRE(found);
}
