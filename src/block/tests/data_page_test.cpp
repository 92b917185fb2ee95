// SPDX-License-Identifier: Apache-2.0
// Where an open volume may hold data, in layers and in trees.
#include <doctest/doctest.h>

#include "block/tests/content_support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

// All pages of at most `most` ranges, joined. They have to follow on each other.
std::vector<DataRange> ranges_of(TestEngine& engine, const VolumeId& id, std::uint64_t size,
                                 std::size_t most) {
    std::vector<DataRange> all;
    std::uint64_t next = 0;
    while (next < size) {
        const auto page = engine->find_data(id, next, most, soon());
        REQUIRE_MESSAGE(page, page.error().to_string());
        REQUIRE(page->end > next);
        REQUIRE(page->end <= size);
        REQUIRE(page->ranges.size() <= most);
        for (const DataRange& range : page->ranges) {
            REQUIRE(range.length > 0);
            REQUIRE(range.offset >= next);
            next = range.offset + range.length;
            if (!all.empty() && all.back().offset + all.back().length == range.offset) {
                all.back().length += range.length;
            } else {
                all.push_back(range);
            }
        }
        REQUIRE(page->end >= next);
        next = page->end;
    }
    return all;
}

}  // namespace

TEST_CASE("what no range covers is zeros, before destage, after it, and without the layer") {
    ContentWorld store(false);
    three_generations(store);
    store.create("vol-2", kContentBytes + (1U << 20), "content-2");
    store.write("vol-2", kContentBytes + 40'000, 10, 7);
    store.snapshot("vol-2", "content-3");
    const auto check = [&] {
        for (const char* content : {"content-1", "content-2", "content-3"}) {
            const VolumeId view("view");
            REQUIRE(store.engine->open_content(view, ContentId(content), soon()));
            const Bytes& bytes = store.contents.at(content);
            const auto all = ranges_of(store.engine, view, bytes.size(), 1000);
            CHECK(ranges_of(store.engine, view, bytes.size(), 1) == all);
            Bytes uncovered = bytes;
            for (const DataRange& range : all) {
                std::fill_n(uncovered.begin() + static_cast<std::ptrdiff_t>(range.offset),
                            range.length, std::uint8_t{0});
            }
            CHECK(uncovered == Bytes(bytes.size(), 0));
            CHECK(store.engine->find_data(view, 1, 1, soon()).error().code() ==
                  Code::invalid_argument);
            CHECK(store.engine->find_data(view, bytes.size() + 4096, 1, soon()).error().code() ==
                  Code::invalid_argument);
            CHECK(store.engine->find_data(view, bytes.size(), 1, soon())->end == bytes.size());
            REQUIRE(store.engine->close_volume(view, soon()));
        }
    };
    check();
    for (const char* content : {"content-1", "content-2", "content-3"}) {
        store.destage(content);
        check();
        store.drop_layer(content);
        check();
    }
    store.engine.restart();
    check();
    CHECK(store.engine->find_data(VolumeId("none"), 0, 1, soon()).error().code() ==
          Code::failed_precondition);
}

TEST_CASE("the data of 64 TiB is found by looking at what is there, in layers and in trees") {
    TestEngine engine(io::Backend::automatic, Geometry{});
    constexpr std::uint64_t kBytes = 64ULL << 40;
    const VolumeId one("vol-1");
    REQUIRE(engine->open_volume({one, kBytes, ContentId(), LayerId("l-1"), true}, soon()));
    constexpr std::uint64_t kFar = 60ULL << 40;
    REQUIRE(engine->write(one, 4096, Bytes(4096, 1), soon()));
    REQUIRE(engine->write(one, kFar, Bytes(70'000, 2), soon()));
    REQUIRE(engine->write(one, kBytes - 4096, Bytes(4096, 3), soon()));
    const std::vector<DataRange> exact{{4096, 4096}, {kFar, 73'728}, {kBytes - 4096, 4096}};
    CHECK(ranges_of(engine, one, kBytes, 100) == exact);
    REQUIRE(engine->seal_volume(one, soon()));
    ContentRecord record;
    record.id = ContentId("content-1");
    record.layer = LayerId("l-1");
    record.size_bytes = kBytes;
    engine.contents.records[record.id] = record;
    const auto tree = engine->destage(record.id, 1, soon());
    REQUIRE_MESSAGE(tree, tree.error().to_string());
    record.state = ContentState::rooted;
    record.root_digest = tree->root_digest;
    record.layer = LayerId();
    engine.contents.records[record.id] = record;
    REQUIRE(engine->open_content(VolumeId("view"), record.id, soon()));
    const std::uint64_t before = engine->counters().chunk_reads;
    const auto all = ranges_of(engine, VolumeId("view"), kBytes, 100);
    CHECK(all.size() == 3);
    for (std::size_t i = 0; i < all.size() && i < exact.size(); ++i) {
        CHECK(all[i].offset <= exact[i].offset);
        CHECK(all[i].offset + all[i].length >= exact[i].offset + exact[i].length);
        CHECK(all[i].length <= 1U << 20);
    }
    CHECK(engine->counters().chunk_reads - before < 40);  // nodes alone
}
