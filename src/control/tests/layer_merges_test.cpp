// SPDX-License-Identifier: Apache-2.0
// The layers that open volumes keep when their contents are stored (D4): that reads stay as fast,
// that they stay few, and that they go.
#include "control/layer_merges.h"

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

std::size_t to_merge(std::vector<std::uint64_t> data_bytes) {
    return layers_to_merge(data_bytes);
}

}  // namespace

TEST_CASE("D4: of many layers the newest become one, none of them much larger than the others") {
    CHECK(to_merge({}) == 0);
    CHECK(to_merge({1, 1, 1, 1, 1, 1, 1, 1}) == 0);
    CHECK(to_merge({1, 1, 1, 1, 1, 1, 1, 1, 1}) == 9);
    CHECK(to_merge({1, 1, 1, 1, 1, 1, 1, 1, 1000}) == 8);
    CHECK(to_merge({1, 1, 1, 1, 1, 1, 1, 16, 1000}) == 7);
    CHECK(to_merge({0, 0, 0, 0, 0, 0, 0, 0, 0}) == 9);
    CHECK(to_merge({1, 100, 1000, 10'000, 100'000, 1, 1, 1, 1}) == 2);  // at least two
}

TEST_CASE(
    "D4: a volume with many snapshots reads few layers, no pack, and gives all of them back") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    service.open(volume);
    service.start_jobs();
    constexpr std::uint64_t kCuts = 30;
    model::ContentId content;
    std::vector<model::SnapshotId> made;
    for (std::uint64_t i = 0; i < kCuts; ++i) {
        service.write(volume, i, "word " + std::to_string(i));
        service.write(volume, 1000, "last " + std::to_string(i));
        made.push_back(service.snapshot(volume));
        content = service.row(made.back()).content;
        service.wait_rooted(content);
    }
    // The active one, and what the last content has; earlier contents have given theirs up.
    service.wait_until(
        [&] {
            const auto layers = layers_of(service.row(content)).size();
            return layers <= kMostCopyLayers && service.engine->list_layers()->size() == layers + 1;
        },
        "the layers are few");
    service.without_packs([&] {
        for (std::uint64_t i = 0; i < kCuts; ++i) {
            CHECK(service.read(volume, i) == "word " + std::to_string(i));
        }
        CHECK(service.read(volume, 1000) == "last " + std::to_string(kCuts - 1));
    });
    // What was merged is in the trees of its time all the same.
    CHECK(service.read(service.row(made[3]).content, 1000) == "last 3");
    CHECK(service.read(service.row(made[3]).content, 4) == "");
    service.close(volume);
    service.wait_until([&] { return service.engine->list_layers()->size() == 1; },
                       "all but the active layer are dropped");
}

TEST_CASE("D4: a deleted snapshot takes no layer away that a later one's volume reads") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    service.open(volume);
    service.start_jobs();
    service.write(volume, 0, "one");
    const auto first = service.snapshot(volume);
    service.wait_rooted(service.row(first).content);
    service.write(volume, 1, "two");
    const auto second = service.snapshot(volume);
    const auto content = service.row(second).content;
    service.wait_rooted(content);
    REQUIRE(service.snapshots->remove(kAlice, first, false));
    service.wait_until([&] { return service.contents() == 1; }, "the first content is gone");
    CHECK(service.row(content).spares.size() == 1);
    service.without_packs([&] { CHECK(service.read(volume, 0) == "one"); });
    REQUIRE(service.snapshots->remove(kAlice, second, false));
    service.close(volume);
    CHECK(service.engine->list_layers()->size() >= 1);
}
