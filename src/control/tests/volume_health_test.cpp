// SPDX-License-Identifier: Apache-2.0
// What is found wrong with volumes, and opening them anew (VOL-14, VOL-17), over the real engine:
// the files of one are taken from under it.
#include "control/volume_health.h"

#include <filesystem>
#include <fstream>

#include "control/tests/failing_disk.h"
#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::VolumeFault;

namespace {

struct World {
    TempDir directory;
    TestService service{directory.path()};
    VolumeHealth health{*service.parts, *service.volumes};

    VolumeStatusView status(const model::VolumeId& id) {
        DescribeVolumeStatusInput input;
        input.ids = {id};
        const auto page = health.describe(kAlice, input);
        REQUIRE_MESSAGE(page, (page ? "" : page.error().to_string()));
        REQUIRE(page->items.size() == 1);
        return page->items.front();
    }
    std::string io_enabled(const model::VolumeId& id) {
        return status_details(status(id))[0].second;
    }
    std::string layer_of(const model::VolumeId& id) { return service.row(id).active_layer.str(); }
    // The engine stops the volume: the journal of its layer cannot be written.
    void stop(const model::VolumeId& id) {
        const FailingDisk failing(directory.path(), layer_of(id) + ".jnl");
        REQUIRE(failing.files() == 1);
        const Bytes lost(4096, 'x');
        const auto written = service.engine->write(block_id(id), 2U << 20, lost, soon());
        REQUIRE(!written);
        CHECK(written.error().code() == Code::io_error);
    }
    void damage(const std::string& part, std::uintmax_t at) {
        std::size_t hit = 0;
        for (const auto& file : std::filesystem::recursive_directory_iterator(directory.path())) {
            const std::string name = file.path().filename();
            if (file.is_regular_file() && name.find(part) != std::string::npos &&
                file.file_size() > at) {
                std::fstream stream(file.path(), std::ios::in | std::ios::out | std::ios::binary);
                stream.seekg(static_cast<std::streamoff>(at));
                char byte = 0;
                stream.get(byte);
                stream.seekp(static_cast<std::streamoff>(at));
                stream.put(static_cast<char>(byte ^ 1));
                ++hit;
            }
        }
        REQUIRE(hit > 0);
    }
};

}  // namespace

TEST_CASE("VOL-14: a volume the engine stopped is impaired until it is enabled, and then serves") {
    World world;
    const auto id = world.service.add_volume();
    const auto other = world.service.add_volume();
    world.service.open(id);
    world.service.open(other);
    world.service.write(id, 1, "kept");
    REQUIRE(world.service.engine->flush(block_id(id), soon()));
    CHECK(world.status(id).status == VolumeStatus::passed);
    world.stop(id);

    const VolumeStatusView impaired = world.status(id);
    CHECK(impaired.status == VolumeStatus::impaired);
    REQUIRE(impaired.volume.event.has_value());
    CHECK(impaired.volume.event->fault == VolumeFault::stopped);
    CHECK(world.io_enabled(id) == "failed");
    CHECK(world.status(other).status == VolumeStatus::passed);
    CHECK(world.status(id).volume.event == impaired.volume.event);  // one event, however often seen
    CHECK(!world.service.engine->read(block_id(id), 64U << 10, 4096, soon()));

    CHECK(world.health.enable_io(kBob, id, false).error().api_code() == "InvalidVolume.NotFound");
    CHECK(world.health.enable_io(kAlice, id, true).error().api_code() == "DryRunOperation");
    CHECK(world.status(id).status == VolumeStatus::impaired);
    REQUIRE(world.health.enable_io(kAlice, id, false));
    CHECK(world.status(id).status == VolumeStatus::passed);
    CHECK(world.io_enabled(id) == "passed");
    CHECK(!world.service.row(id).event.has_value());
    CHECK(world.service.read(id, 1) == "kept");
    world.service.write(id, 3, "again");
    CHECK(world.service.read(id, 3) == "again");
    REQUIRE(world.health.enable_io(kAlice, id, false));  // nothing to enable
    CHECK(world.service.read(id, 3) == "again");
}

TEST_CASE("INS-7: an instance is told of while a volume of it is stopped, others are not") {
    World world;
    const auto id = world.service.add_volume();
    const auto other = world.service.add_volume();
    const model::InstanceId instance("i-00000000000000001");
    const auto attach = [&](const model::VolumeId& volume, const model::InstanceId& to) {
        REQUIRE(world.service.store->run([&](catalog::Transaction& tx) -> Status {
            TRY_ASSIGN(auto row, tx.volumes().get(volume));
            TRY(model::add_attachment(
                row, {to, "/dev/sdf", model::AttachmentState::attached, false, UnixMillis{1}}));
            return tx.volumes().update(row);
        }));
    };
    attach(id, instance);
    attach(other, model::InstanceId("i-00000000000000002"));
    world.service.open(id);
    world.service.open(other);
    const auto found = [&] {
        const auto instances = instances_with_stopped_volume(*world.service.parts, soon());
        REQUIRE(instances);
        return *instances;
    };
    CHECK(found().empty());
    world.stop(id);
    CHECK(found() == std::set{instance});
    REQUIRE(world.health.enable_io(kAlice, id, false));
    CHECK(found().empty());
}

TEST_CASE("VOL-14: with autoEnableIO a stopped volume is opened anew by itself, and says so") {
    World world;
    const auto id = world.service.add_volume();
    REQUIRE(world.health.set_auto_enable_io(kAlice, id, true, false));
    CHECK(world.health.set_auto_enable_io(kBob, id, false, false).error().api_code() ==
          "InvalidVolume.NotFound");
    CHECK(world.health.attributes(kAlice, id, false)->auto_enable_io);
    world.service.open(id);
    world.service.write(id, 1, "kept");
    REQUIRE(world.service.engine->flush(block_id(id), soon()));
    world.stop(id);
    world.health.look();
    CHECK(world.service.read(id, 1) == "kept");
    CHECK(world.status(id).status == VolumeStatus::warning);
    CHECK(world.io_enabled(id) == "passed");
    REQUIRE(world.health.enable_io(kAlice, id, false));  // somebody took note
    CHECK(world.status(id).status == VolumeStatus::passed);
}

TEST_CASE("VOL-14: an impaired volume that the service opened anew is a warning") {
    World world;
    const auto id = world.service.add_volume();
    world.service.open(id);
    world.stop(id);
    world.health.look();
    CHECK(world.service.row(id).event.has_value());
    (void)world.service.volumes->close_read_only(id, soon());
    world.service.open(id);
    CHECK(world.status(id).status == VolumeStatus::warning);
}

TEST_CASE("VOL-14: bytes that cannot be read as they were written impair a volume that goes on") {
    World world;
    world.service.recover();
    world.service.start_jobs();
    const auto source = world.service.add_volume();
    world.service.open(source);
    for (std::uint64_t chunk = 0; chunk < 8; ++chunk) {
        world.service.write(source, chunk, "word " + std::to_string(chunk));
    }
    const auto snapshot = world.service.snapshot(source);
    const auto content = world.service.row(snapshot).content;
    world.service.wait_rooted(content);
    world.service.close(source);
    world.service.wait_until([&] { return world.service.row(content).layer.empty(); },
                             "its layer to go");
    const auto id = world.service.add_volume(1, content);
    world.damage("pack-", 200);
    world.service.open(id);
    CHECK(world.status(id).status == VolumeStatus::passed);  // nobody has read it yet
    std::size_t failed = 0;
    for (std::uint64_t chunk = 0; chunk < 8; ++chunk) {
        const auto bytes =
            world.service.engine->read(block_id(id), chunk * (64U << 10), 4096, soon());
        failed += !bytes ? 1 : 0;
    }
    REQUIRE(failed > 0);
    CHECK(world.status(id).status == VolumeStatus::impaired);
    CHECK(world.service.row(id).event->fault == VolumeFault::damaged);
    CHECK(world.io_enabled(id) == "passed");  // the rest is served
    world.service.write(id, 20, "goes on");
    CHECK(world.service.read(id, 20) == "goes on");
    REQUIRE(world.health.enable_io(kAlice, id, false));
    CHECK(world.service.read(id, 20) == "goes on");
    CHECK(world.status(id).status == VolumeStatus::passed);
}

TEST_CASE("VOL-14: a volume whose files are damaged cannot be enabled before they are mended") {
    World world;
    const auto id = world.service.add_volume();
    world.service.open(id);
    world.service.write(id, 1, "kept");
    world.service.close(id);
    const std::string map = world.layer_of(id) + ".map";
    world.damage(map, 16);
    world.damage(map, 4096 + 16);
    CHECK(!world.service.volumes->open_read_only(id, soon()));
    CHECK(world.status(id).status == VolumeStatus::impaired);
    CHECK(world.service.row(id).event->fault == VolumeFault::unreadable);
    CHECK(world.io_enabled(id) == "failed");
    CHECK(world.health.enable_io(kAlice, id, false).error().api_code() == "IncorrectState");
    CHECK(world.status(id).status == VolumeStatus::impaired);
    world.damage(map, 16);
    world.damage(map, 4096 + 16);
    REQUIRE(world.health.enable_io(kAlice, id, false));
    CHECK(world.status(id).status == VolumeStatus::passed);
    world.service.open(id);
    CHECK(world.service.read(id, 1) == "kept");
}
