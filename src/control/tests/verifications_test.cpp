// SPDX-License-Identifier: Apache-2.0
// Verifying snapshots, images and volumes: what is found, and that what is deleted meanwhile is not
// called damage.
#include "control/verifications.h"

#include <filesystem>
#include <fstream>

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

constexpr std::uint64_t kChunk = 64U << 10;

struct World {
    TempDir dir;
    TestService service{dir.path()};
    Verifications verifications{*service.parts, *service.volumes, [this] { service.jobs->poke(); }};

    World() {
        service.recover();
        service.start_jobs();
    }
    VerifyTarget target(const std::string& id) {
        const auto found = verifications.find(kAlice, id);
        REQUIRE_MESSAGE(found, (found ? "" : found.error().to_string()));
        REQUIRE(found->size() == 1);
        return found->front();
    }
    Result<Verified> verify(const std::string& id) {
        return verifications.run(target(id), [](const Verified&) { return ok(); });
    }
    // A volume with some chunks, and a snapshot of it that is stored.
    std::pair<model::VolumeId, model::SnapshotId> make_snapshot() {
        const auto volume = service.add_volume();
        service.open(volume);
        for (std::uint64_t chunk = 0; chunk < 300; ++chunk) {
            service.write(volume, chunk * 3, "word " + std::to_string(chunk));
        }
        const auto snapshot = service.snapshot(volume);
        service.wait_rooted(service.row(snapshot).content);
        return {volume, snapshot};
    }
    void flip_in_packs() {
        for (const auto& file : std::filesystem::recursive_directory_iterator(dir.path())) {
            const std::string name = file.path().filename();
            if (!name.starts_with("pack-") || !file.is_regular_file()) {
                continue;
            }
            std::fstream pack(file.path(), std::ios::in | std::ios::out | std::ios::binary);
            pack.seekg(200);
            char byte = 0;
            pack.get(byte);
            pack.seekp(200);
            pack.put(static_cast<char>(byte ^ 1));
        }
    }
};

}  // namespace

TEST_CASE("INT-1: a snapshot, and a volume that goes on upon it") {
    World world;
    const auto [volume, snapshot] = world.make_snapshot();
    world.service.write(volume, 1, "newer");
    const auto stored = world.verify(snapshot.str());
    REQUIRE(stored);
    CHECK(stored->unreadable == 0);
    CHECK(stored->chunks == 300);
    CHECK(stored->root_digest.size() == 64);
    const auto whole = world.verify(volume.str());
    REQUIRE(whole);
    CHECK(whole->unreadable == 0);
    // Its base, and then all of it as a guest reads it.
    CHECK(whole->bytes >= stored->bytes + 301 * kChunk);
    // A closed volume is opened for it, and closed again.
    world.service.close(volume);
    CHECK(world.verify(volume.str()));
    CHECK_FALSE(world.service.engine->is_open(block_id(volume)));
}

TEST_CASE("INT-1: damage is told, and does not end the reading") {
    World world;
    const auto [volume, snapshot] = world.make_snapshot();
    world.service.close(volume);
    world.flip_in_packs();
    const auto found = world.verify(snapshot.str());
    REQUIRE(found);
    CHECK(found->unreadable >= 1);
    CHECK(found->damage.size() == found->unreadable);
    for (const block::Damage& damage : found->damage) {
        CHECK(!damage.pack.empty());
        CHECK(damage.content == block_id(world.service.row(snapshot).content));
    }
    const auto seen = world.verify(volume.str());
    REQUIRE(seen);
    CHECK(seen->unreadable > found->unreadable);
}

TEST_CASE("INT-3: what is deleted while it is verified is not damage") {
    World world;
    const auto made = world.make_snapshot();
    const auto& volume = made.first;
    const auto& snapshot = made.second;  // a lambda of clang 14 captures no binding
    world.service.close(volume);
    world.service.remove_volume(volume);
    bool first = true;
    const auto result = world.verifications.run(world.target(snapshot.str()), [&](const Verified&) {
        if (std::exchange(first, false)) {
            REQUIRE(world.service.snapshots->remove(kAlice, snapshot, false));
            world.service.wait_until([&] { return world.service.contents() == 0; },
                                     "the content is gone");
            world.service.collect_garbage();
            world.service.wait_until([&] { return world.service.objects() == 0; },
                                     "the packs are gone");
        }
        return ok();
    });
    REQUIRE_FALSE(result);
    CHECK(result.error().api_code() == "Unavailable");
    CHECK_FALSE(first);
}

TEST_CASE("INT-1: who asked and goes away ends it") {
    World world;
    const auto [volume, snapshot] = world.make_snapshot();
    const auto gone = world.verifications.run(
        world.target(snapshot.str()),
        [](const Verified&) -> Status { return Error(Code::unavailable, "gone"); });
    CHECK(gone.error().message() == "gone");
    CHECK(world.service.engine->drop_layer(block::LayerId("none"), soon()));
    // Nothing of it stays open.
    world.service.close(volume);
    CHECK(world.verify(snapshot.str()));
}
