// SPDX-License-Identifier: Apache-2.0
// CopyVolumes (VOL-12) over the real engine: the bytes of the copy, and that a cut which fails
// takes the copy back with it.
#include "control/volume_copies.h"

#include "control/tests/failing_disk.h"
#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

struct World {
    World() {
        copies.install(*service.jobs);
        service.recover();
        service.start_jobs();
        source = service.add_volume();
        service.open(source);
    }
    ~World() { service.jobs->stop(); }
    CopyVolumeInput input(const std::string& token = "") {
        CopyVolumeInput made;
        made.source = source;
        made.client_token = token;
        made.request_hash = "hash";
        made.tags = {{"volume", {{"key", "value"}}}};
        return made;
    }
    std::vector<model::Volume> volumes() {
        return *service.store->read([](catalog::Transaction& tx) { return tx.volumes().list({}); });
    }
    std::size_t snapshots() {
        return service.store->read([](catalog::Transaction& tx) { return tx.snapshots().list({}); })
            ->size();
    }

    TempDir directory;
    TestService service{directory.path()};
    VolumeCopies copies{*service.parts, *service.cuts, [this] { service.jobs->poke(); }};
    model::VolumeId source;
};

}  // namespace

TEST_CASE("VOL-12: a copy has the bytes of its moment and nothing else is left of it") {
    World world;
    world.service.write(world.source, 1, "before");
    const auto made = world.copies.copy(kAlice, world.input());
    REQUIRE_MESSAGE(made, (made ? "" : made.error().to_string()));
    CHECK(made->volume.state == model::VolumeState::creating);
    CHECK(made->volume.source_volume == world.source);
    CHECK(made->volume.snapshot_id.empty());
    world.service.write(world.source, 1, "after");
    const auto id = made->volume.id;
    world.service.wait_until(
        [&] { return world.service.row(id).state == model::VolumeState::available; },
        "the copy to be available");
    world.service.open(id);
    CHECK(world.service.read(id, 1) == "before");
    CHECK(world.service.read(world.source, 1) == "after");
    CHECK(world.snapshots() == 0);
    world.service.close(id);
    world.service.remove_volume(world.source);
    world.service.open(id);
    CHECK(world.service.read(id, 1) == "before");
}

TEST_CASE("VOL-12: a cut that fails takes the copy back, and its token is free again") {
    World world;
    world.service.write(world.source, 1, "kept");
    REQUIRE(world.service.engine->flush(block_id(world.source), soon()));
    const std::size_t contents = world.service.contents();
    const std::string layer = world.service.row(world.source).active_layer.str();
    {
        const FailingDisk failing(world.directory.path(), layer + ".jnl");
        REQUIRE(failing.files() == 1);
        CHECK_FALSE(world.service.engine->write(block_id(world.source), 2U << 20, Bytes(4096, 'x'),
                                                soon()));
        CHECK_FALSE(world.copies.copy(kAlice, world.input("token")).has_value());
    }
    CHECK(world.volumes().size() == 1);
    CHECK(world.snapshots() == 0);
    CHECK(world.service.contents() == contents);
    CHECK(world.service.row(world.source).active_layer.str() == layer);
    // It is opened anew, and the same request makes a copy now.
    REQUIRE(world.service.volumes->reopen(world.source, {}, soon()));
    const auto made = world.copies.copy(kAlice, world.input("token"));
    REQUIRE_MESSAGE(made, (made ? "" : made.error().to_string()));
    const auto again = world.copies.copy(kAlice, world.input("token"));
    REQUIRE(again);
    CHECK(again->volume.id == made->volume.id);
    world.service.wait_until(
        [&] { return world.service.row(made->volume.id).state == model::VolumeState::available; },
        "the copy to be available");
    world.service.wait_until([&] { return world.service.jobs_of(kCopyVolumeJob) == 0; },
                             "both jobs to be over");
    world.service.open(made->volume.id);
    CHECK(world.service.read(made->volume.id, 1) == "kept");
}
