// SPDX-License-Identifier: Apache-2.0
// Contents at the engine's interface: what a destage stores, what is read and what is not, looks at
// contents, damage, refusals; and that the cost of all of it does not depend on the size.
#include <doctest/doctest.h>

#include "block/detail/stack_opener.h"
#include "block/tests/content_support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

using Clock = std::chrono::steady_clock;

TEST_CASE("a destage stores what is new, tells what it leans on, and repeats for nothing") {
    ContentWorld store(false);
    three_generations(store);
    const DestagedContent first = store.destage("content-1");
    CHECK(first.chunks_written > 0);
    CHECK(first.packs_written.size() == 2);  // data and nodes
    CHECK(first.packs_hit.empty());
    CHECK(first.stored_bytes > 0);
    CHECK(store.engine->counters().packs_written == 2);
    // The bytes of 100 to 150,100 are equal: the chunks between share one entry.
    CHECK(first.chunks_written == 3);
    const DestagedContent second = store.destage("content-2");
    CHECK(second.chunks_written == 2);
    // The same content from the beginning, by an engine that knows nothing.
    ContentRecord& record = store.engine.contents.records.at(ContentId("content-2"));
    record.state = ContentState::layered;
    store.engine.restart();
    const auto again = store.engine->destage(ContentId("content-2"), 2, soon());
    REQUIRE(again);
    CHECK(again->root_digest == second.root_digest);
    CHECK(again->chunks_written == 0);
    CHECK(again->packs_written.empty());
    CHECK(!again->packs_hit.empty());
    // What the two trees reach is what the destages wrote or hit.
    std::set<PackId> all(first.packs_written.begin(), first.packs_written.end());
    all.insert(second.packs_written.begin(), second.packs_written.end());
    const auto marked = store.engine->mark({first.root_digest, second.root_digest}, soon());
    REQUIRE(marked);
    std::set<PackId> reached;
    for (const auto& [pack, use] : *marked) {
        reached.insert(pack);
    }
    CHECK(reached == all);
    CHECK(store.engine->mark({"zz"}, soon()).error().code() == Code::data_loss);
    // A pack that is taken away is missed by whoever needs it, never read as zeros.
    for (const PackId& pack : all) {
        CHECK(store.engine->remove_pack(pack, soon()));
        CHECK(store.engine->remove_pack(pack, soon()));
    }
    store.engine.restart();
    CHECK(store.engine->open_content(VolumeId("view"), ContentId("content-1"), soon())
              .error()
              .code() == Code::data_loss);
}

TEST_CASE("opening, cutting and cloning 64 TiB touches as many files and objects as 8 GiB") {
    struct Touched {
        EngineCounters counters;
        std::size_t layers = 0;
        std::chrono::milliseconds time{0};
    };
    const auto run = [](std::uint64_t bytes) {
        TestEngine engine(io::Backend::automatic, Geometry{});
        const auto begin = Clock::now();
        constexpr std::uint64_t kFar = (8ULL << 30) - 70'000;
        const auto good = [](const Status& status) {
            REQUIRE_MESSAGE(status, status.error().to_string());
        };
        const auto row = [&](const char* id, const char* parent, const char* layer) {
            ContentRecord record;
            record.id = ContentId(id);
            record.parent = ContentId(parent);
            record.layer = LayerId(layer);
            record.size_bytes = bytes;
            engine.contents.records[record.id] = record;
        };
        const VolumeId one("vol-1");
        const VolumeId two("vol-2");
        good(engine->open_volume({one, bytes, ContentId(), LayerId("l-1"), true}, soon()));
        good(engine->write(one, 0, Bytes(4096, 1), soon()));
        good(engine->write(one, kFar, Bytes(70'000, 2), soon()));
        row("content-1", "", "l-1");
        good(engine->cut_volumes({{one, LayerId("l-2"), ContentId("content-1")}}, "set-1", soon())
                 .status);
        good(engine->open_volume({two, bytes, ContentId("content-1"), LayerId("l-3"), true},
                                 soon()));
        CHECK(engine->read(two, kFar + 69'999, 1, soon()).value() == Bytes{2});
        good(engine->close_volume(two, soon()));
        const auto tree = engine->destage(ContentId("content-1"), 1, soon());
        REQUIRE_MESSAGE(tree, tree.error().to_string());
        ContentRecord& record = engine.contents.records.at(ContentId("content-1"));
        record.state = ContentState::rooted;
        record.root_digest = tree->root_digest;
        record.layer = LayerId();
        good(engine->content_rooted(record.id, soon()));
        good(engine->drop_layer(LayerId("l-1"), soon()));
        good(engine->open_volume({two, bytes, ContentId("content-1"), LayerId("l-3"), true},
                                 soon()));
        CHECK(engine->read(two, 0, 1, soon()).value() == Bytes{1});
        CHECK(engine->read(one, kFar, 70'000, soon()).value() == Bytes(70'000, 2));
        good(engine->zero(two, 0, bytes, soon()));
        CHECK(engine->read(two, 0, 1, soon()).value() == Bytes{0});
        row("content-2", "content-1", "l-3");
        good(engine->cut_volumes({{two, LayerId("l-4"), ContentId("content-2")}}, "set-2", soon())
                 .status);
        const auto second = engine->destage(ContentId("content-2"), 1, soon());
        REQUIRE_MESSAGE(second, second.error().to_string());
        CHECK(second->chunks_written == 0);
        return Touched{engine->counters(), engine->list_layers().value().size(),
                       std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now() - begin)};
    };
    const Touched large = run(kMaxVolumeBytes);
    const Touched small = run(8ULL << 30);
    CHECK(large.counters.layers_created == small.counters.layers_created);
    CHECK(large.counters.layers_opened == small.counters.layers_opened);
    CHECK(large.counters.chunk_reads == small.counters.chunk_reads);
    CHECK(large.counters.packs_written == small.counters.packs_written);
    CHECK(large.counters.cuts == 2);
    CHECK(small.counters.layers_created == 4);
    CHECK(large.layers == small.layers);
    MESSAGE("64 TiB: ", large.time.count(), " ms, 8 GiB: ", small.time.count(), " ms");
}

TEST_CASE("S15: from a tree nothing is read that nobody asked for") {
    ContentWorld store(false);
    store.create("vol-1", 64 * 65536);
    for (std::uint64_t chunk = 0; chunk < 64; ++chunk) {
        store.write("vol-1", chunk * 65536, 65536, static_cast<std::uint8_t>(chunk + 1));
    }
    store.snapshot("vol-1", "content-1");
    store.destage("content-1");
    store.drop_layer("content-1");
    store.delete_volume("vol-1");
    store.engine.restart();
    store.create("vol-2", 64 * 65536, "content-1");
    CHECK(store.engine->counters().chunk_reads == 1);  // the root record
    const VolumeId id("vol-2");
    // Whole blocks are written without a look below, also right above the tree's data.
    CHECK(store.engine->write(id, 0, Bytes(65536, 9), soon()));
    CHECK(store.engine->zero(id, 3 * 65536, 2 * 65536, soon()));
    CHECK(store.engine->counters().chunk_reads == 1);
    CHECK(store.engine->read(id, 20 * 65536 + 5, 10, soon()).value() == Bytes(10, 21));
    const auto once = store.engine->counters().chunk_reads;
    CHECK(once == 1 + 5 + 1);  // a path of nodes and one chunk
    CHECK(store.engine->read(id, 20 * 65536, 65536, soon()).value() == Bytes(65536, 21));
    CHECK(store.engine->counters().chunk_reads == once);  // cached
    CHECK(store.engine->read(id, 21 * 65536 - 1, 2, soon()).value() == Bytes{21, 22});
    CHECK(store.engine->counters().chunk_reads == once + 1);
    CHECK(store.engine->read(id, 0, 65536, soon()).value() == Bytes(65536, 9));
    CHECK(store.engine->read(id, 3 * 65536, 65536, soon()).value() == Bytes(65536, 0));
    CHECK(store.engine->counters().chunk_reads == once + 1);
    // A part of a block is: one chunk, and its leaf.
    CHECK(store.engine->write(id, 30 * 65536 + 1, Bytes(10, 9), soon()));
    CHECK(store.engine->counters().chunk_reads == once + 3);
}

TEST_CASE("a content is looked at without changing it, and stays while somebody looks") {
    ContentWorld store(false);
    three_generations(store);
    const VolumeId view("view");
    const auto code = [](const Status& status) {
        return status ? Code::internal : status.error().code();
    };
    auto& engine = store.engine;
    REQUIRE(engine->open_content(view, ContentId("content-2"), soon()));
    CHECK(code(engine->open_content(view, ContentId("content-1"), soon())) ==
          Code::failed_precondition);
    CHECK(code(engine->open_content(VolumeId("v2"), ContentId("content-9"), soon())) ==
          Code::not_found);
    CHECK(code(engine->open_content(VolumeId("v2"), ContentId(), soon())) ==
          Code::invalid_argument);
    CHECK(code(engine->write(view, 0, Bytes(1), soon())) == Code::failed_precondition);
    CHECK(code(engine->zero(view, 0, 4096, soon())) == Code::failed_precondition);
    CHECK(engine->flush(view, soon()));
    CHECK(code(engine->seal_volume(view, soon())) == Code::failed_precondition);
    CHECK(code(engine->cut_volumes({{view, LayerId("l-x"), ContentId("c")}}, "s", soon()).status) ==
          Code::failed_precondition);
    CHECK(code(engine->export_volume(view, engine.dir / "s", false, soon())) ==
          Code::failed_precondition);
    REQUIRE(engine->export_volume(view, engine.dir / "s", true, soon()));
    const Bytes expected = store.contents.at("content-2");
    CHECK(engine->read(view, 0, kContentBytes, soon()).value() == expected);
    // Rooted meanwhile: the view keeps its layers, and so they cannot go.
    store.destage("content-1");
    store.destage("content-2");
    ContentRecord& record = engine.contents.records.at(ContentId("content-2"));
    const LayerId layer = std::exchange(record.layer, LayerId());
    REQUIRE(engine->content_rooted(record.id, soon()));
    CHECK(code(engine->drop_layer(layer, soon())) == Code::failed_precondition);
    CHECK(engine->read(view, 0, kContentBytes, soon()).value() == expected);
    CHECK(engine->close_volume(view, soon()));
    CHECK(engine->drop_layer(layer, soon()));
    store.check();
}

TEST_CASE("a rooted content whose root is not what the catalog says is damage, never zeros") {
    ContentWorld store(false);
    three_generations(store);
    store.destage("content-1");
    store.drop_layer("content-1");
    ContentRecord& record = store.engine.contents.records.at(ContentId("content-1"));
    const ContentRecord good = record;
    const auto open = [&] {
        const Status status =
            store.engine->open_content(VolumeId("view"), ContentId("content-1"), soon());
        return status ? Code::internal : status.error().code();
    };
    record.size_bytes = kContentBytes - 4096;
    CHECK(open() == Code::data_loss);
    record = good;
    record.size_bytes = 1000;
    CHECK(open() == Code::data_loss);
    record = good;
    record.root_digest = std::string(64, 'a');
    CHECK(open() == Code::data_loss);
    record.root_digest = "no digest";
    CHECK(open() == Code::data_loss);
    record = good;
    CHECK(open() == Code::internal);
}

TEST_CASE("a chain ends at its first rooted content; one that has no layer any more is fine") {
    const auto record = [](const char* id, const char* parent, const char* layer, bool rooted) {
        ContentRecord r;
        r.id = ContentId(id);
        r.parent = ContentId(parent);
        r.layer = LayerId(layer);
        r.size_bytes = 8192;
        if (rooted) {
            r.state = ContentState::rooted;
            r.root_digest = std::string(64, '1');
        }
        return r;
    };
    const auto check = [](std::vector<ContentRecord> chain) {
        return check_chain(std::move(chain), ContentId("a"), 8192);
    };
    CHECK(check({record("a", "", "", true)}).value().size() == 1);
    CHECK(check({record("a", "b", "l-a", false), record("b", "c", "", true)}).value().size() == 2);
    CHECK(check({record("a", "b", "l-a", false), record("b", "c", "l-b", true),
                 record("c", "", "", false)})
              .value()
              .size() == 2);
    CHECK(check({record("a", "c", "l-a", false), record("b", "", "l-b", true)}).error().code() ==
          Code::data_loss);
    ContentRecord bad = record("a", "", "", true);
    bad.root_digest = "12";
    CHECK(check({bad}).error().code() == Code::data_loss);
    bad = record("a", "", "", true);
    bad.size_bytes = 0;
    CHECK(check({bad}).error().code() == Code::data_loss);
}

TEST_CASE("what cannot be destaged is refused; a destage is cancelled, or ends with its deadline") {
    ContentWorld store(false);
    three_generations(store);
    auto& engine = store.engine;
    CHECK(engine->destage(ContentId("content-9"), 1, soon()).error().code() == Code::not_found);
    CHECK(engine->destage(ContentId(), 1, soon()).error().code() == Code::invalid_argument);
    const auto late =
        engine->destage(ContentId("content-1"), 1, Deadline::after(std::chrono::milliseconds(0)));
    REQUIRE(!late);
    CHECK(late.error().code() == Code::cancelled);
    engine->cancel_destage();  // none is running: fine
    store.destage("content-1");
    CHECK(engine->destage(ContentId("content-1"), 1, soon()).error().code() ==
          Code::failed_precondition);
    store.check();
}

TEST_CASE("evidence and repair are asked of layers by name") {
    TestEngine engine;
    CHECK(engine->freeze_of(LayerId("l-none"), soon()).error().code() == Code::not_found);
    CHECK(engine->seal_layer(LayerId("l-none"), 4096, soon()).error().code() == Code::not_found);
    CHECK(engine->freeze_of(LayerId("../x"), soon()).error().code() == Code::invalid_argument);
    CHECK(engine->seal_layer(LayerId("../x"), 4096, soon()).error().code() ==
          Code::invalid_argument);
    REQUIRE(engine.open("vol-1", kContentBytes));
    CHECK(engine->write(VolumeId("vol-1"), 5, Bytes(3, 7), soon()));
    CHECK(engine->freeze_of(LayerId("l-vol-1"), soon()).error().code() ==
          Code::failed_precondition);
    CHECK(engine->close_volume(VolumeId("vol-1"), soon()));
    CHECK(engine->freeze_of(LayerId("l-vol-1"), soon()).value() == std::nullopt);
    CHECK(engine->seal_layer(LayerId("l-vol-1"), kContentBytes, soon()));
    REQUIRE(engine->freeze_of(LayerId("l-vol-1"), soon()).value().has_value());
    CHECK(engine->drop_layer(LayerId("l-vol-1"), soon()));
    CHECK(engine->freeze_of(LayerId("l-vol-1"), soon()).error().code() == Code::not_found);
}
