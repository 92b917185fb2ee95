// SPDX-License-Identifier: Apache-2.0
// Cuts that do not come to be.
#include <filesystem>

#include "control/snapshots.h"
#include "control/tests/test_service.h"
#include "model/ids.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

// A volume that is open and holds a word.
struct World {
    TempDir dir;
    TestService service{dir.path()};
    model::VolumeId volume;

    World() {
        service.recover();
        volume = service.add_volume();
        service.open(volume);
        service.write(volume, 0, "word");
    }
};

}  // namespace

TEST_CASE("D7: a cut that fails before its instant is taken back whole") {
    World world;
    TestService& service = world.service;
    const model::VolumeId& volume = world.volume;
    const model::Volume before = service.row(volume);
    // Something lies where the successor's map belongs.
    std::string in_the_way;
    service.store->after = [&] {
        if (in_the_way.empty()) {
            in_the_way =
                world.dir.path() + "/layers/d-" + service.row(volume).active_layer.str() + ".map";
            std::filesystem::create_directories(in_the_way + "/x");
        }
    };
    CreateSnapshotInput input;
    input.volume_id = volume;
    input.tags = {{"snapshot", {{"a", "b"}}}};
    const auto made = service.snapshots->create(kAlice, input);
    REQUIRE_FALSE(made);
    CHECK(made.error().api_code().empty());
    CHECK_FALSE(in_the_way.empty());
    CHECK(service.row(volume) == before);
    CHECK(service.contents() == 0);
    CHECK(service.snapshots->describe(kAlice, {})->items.empty());
    CHECK(
        service.store->read([](catalog::Transaction& tx) { return tx.tags().list({}); })->empty());
    service.write(volume, 1, "on it goes");
    std::filesystem::remove_all(in_the_way);
    const auto snapshot = service.snapshot(volume);
    CHECK(service.read(service.row(snapshot).content, 1) == "on it goes");
}

TEST_CASE("D7: a cut is refused when the volume does not write where the catalog says") {
    World world;
    TestService& service = world.service;
    const model::VolumeId& volume = world.volume;
    const model::Volume before = service.row(volume);
    // As after a cut that hung until nobody waited for it, and failed then: its set is pending.
    model::Volume ahead = before;
    const auto point_at = [&](const model::LayerId& layer) {
        ahead.active_layer = layer;
        REQUIRE(service.store->run(
            [&](catalog::Transaction& tx) { return tx.volumes().update(ahead); }));
        ahead = service.row(volume);
    };
    model::LayerRecord successor;
    successor.id = model::LayerId("l-that-never-came");
    successor.size_bytes = before.size_gib << 30;
    REQUIRE(service.store->run(
        [&](catalog::Transaction& tx) { return tx.layers().insert(successor); }));
    point_at(successor.id);

    CreateSnapshotInput input;
    input.volume_id = volume;
    const auto made = service.snapshots->create(kAlice, input);
    REQUIRE_FALSE(made);
    CHECK_MESSAGE(
        made.error().to_string().find("a cut before this one failed") != std::string::npos,
        made.error().to_string());
    CHECK(service.row(volume) == ahead);
    CHECK(service.contents() == 0);
    service.write(volume, 1, "on it goes");

    point_at(before.active_layer);
    const auto snapshot = service.snapshot(volume);
    CHECK(service.read(service.row(snapshot).content, 1) == "on it goes");
}
