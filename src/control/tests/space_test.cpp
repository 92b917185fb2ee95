// SPDX-License-Identifier: Apache-2.0
// The reserve as the use cases see it, and guests that wait for space. The file system's figures
// and the guests are the test's.
#include "control/space.h"

#include <doctest/doctest.h>

#include "control/space_watch.h"
#include "control/tests/test_service.h"
#include "control/volumes.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

struct World {
    TempDir dir;
    TestService service{dir.path()};
    SpaceWatch watch{*service.parts};

    void leave(std::uint64_t available) {
        service.available = available;
        REQUIRE(service.space.measure());
    }
    // A machine whose guest was refused space, as MachineWatch tells of it.
    model::InstanceId paused_guest() {
        const model::InstanceId id = model::make_id<model::InstanceId>(*service.rng);
        compute::MachineSpec spec;
        spec.id = machine_id(id);
        spec.memory_mib = 32;
        spec.uuid = "ec2f0000-0000-4000-8000-000000000001";
        spec.product = "t3.micro";
        spec.directory = dir / "machine";
        spec.runtime_directory = dir / "run-machine";
        spec.serial_log = dir / "console.log";
        compute::DiskSpec root;
        root.id = "vol-0123456789abcdef0";
        root.serial = "vol0123456789abcdef0";
        root.socket = dir / "disk.nbd";
        root.boot_index = 0;
        spec.disks = {root};
        const auto started = service.hypervisor->start(spec, soon());
        REQUIRE_MESSAGE(started, started.error().to_string());
        refuse(id);
        return id;
    }
    void refuse(const model::InstanceId& id) {
        REQUIRE(service.host.disk_refuses(machine_id(id), "vol-0123456789abcdef0"));
    }
    compute::MachineState state(const model::InstanceId& id) {
        return service.hypervisor->query(machine_id(id), soon())->state;
    }
};

}  // namespace

TEST_CASE("sizes are told as people read them") {
    CHECK(size_text(0) == "0 KiB");
    CHECK(size_text(1536) == "1 KiB");
    CHECK(size_text(3 << 20) == "3.0 MiB");
    CHECK(size_text(1610612736) == "1.5 GiB");
    CHECK(size_text(5ULL << 40) == "5.0 TiB");
}

TEST_CASE("SPC-1: the refusal says what is free, what is needed and what to do") {
    World world;
    world.leave(5 * kGiB + kLeastRoom);
    CHECK(check_space(world.service.space, SpaceFor::data, "a snapshot"));
    world.leave(5 * kGiB + 1);
    const Status refused = check_space(world.service.space, SpaceFor::data, "a snapshot");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().api_code() == "InsufficientVolumeCapacity");
    CHECK(
        refused.error().message() ==
        "There is not enough space for a snapshot: 5.0 GiB of 100.0 GiB are free, and 32.0 MiB "
        "more than the reserve of 5.0 GiB must be. To get space, delete snapshots and volumes and "
        "run 'kiln gc', or make the file system larger; 'kiln serve --reserve' sets the reserve.");
    CHECK(check_space(world.service.space, SpaceFor::launch, "a launch").error().api_code() ==
          "InsufficientInstanceCapacity");
}

TEST_CASE("SPC-1: without room nothing new is begun, and nothing half made stays") {
    World world;
    TestService& service = world.service;
    const model::VolumeId volume = service.add_volume();
    const model::SnapshotId snapshot = service.snapshot(volume);
    const std::size_t contents = service.contents();
    world.leave(1 * kGiB);

    CreateSnapshotInput again;
    again.volume_id = volume;
    CHECK(code_of(service.snapshots->create(kAlice, again)) == "InsufficientVolumeCapacity");
    RegisterImageInput image;
    image.name = "late";
    image.architecture = model::Architecture::x86_64;
    image.virtualization_type = model::VirtualizationType::hvm;
    image.root_device_name = "/dev/xvda";
    model::BlockDeviceMapping root;
    root.device_name = "/dev/xvda";
    root.ebs.emplace().snapshot_id = snapshot;
    image.block_device_mappings = {root};
    CHECK(code_of(Images(*service.parts).register_image(kAlice, image)) ==
          "InsufficientVolumeCapacity");
    ImportInput import;
    import.size_bytes = 1 << 20;
    import.image = image;
    CHECK(code_of(Imports(*service.parts, [] {}).begin(kAlice, import)) ==
          "InsufficientVolumeCapacity");
    CreateVolumeInput fresh;
    fresh.availability_zone = "us-east-1a";
    fresh.ebs.volume_size_gib = 1;
    CHECK(code_of(Volumes(*service.parts, *service.volumes, [] {}).create(kAlice, fresh)) ==
          "InsufficientVolumeCapacity");

    CHECK(service.contents() == contents);
    world.leave(50 * kGiB);
    CHECK(Images(*service.parts).register_image(kAlice, image));
    CHECK(service.snapshots->create(kAlice, again));
}

TEST_CASE("SPC-1: an import that meets the reserve ends with the same refusal and leaves nothing") {
    World world;
    TestService& service = world.service;
    service.start_jobs();
    Imports imports(*service.parts, [&] { service.jobs->poke(); });
    ImportInput input;
    input.size_bytes = 4 << 20;
    input.image.name = "big";
    input.image.architecture = model::Architecture::x86_64;
    input.image.virtualization_type = model::VirtualizationType::hvm;
    input.image.root_device_name = "/dev/xvda";
    auto import = imports.begin(kAlice, input);
    REQUIRE_MESSAGE(import, import.error().to_string());
    world.leave(5 * kGiB + (1 << 20));  // another wrote meanwhile
    const Bytes piece(1 << 20, 7);
    CHECK((*import)->write(piece));
    CHECK(code_of((*import)->write(piece)) == "InsufficientVolumeCapacity");
    import->reset();
    service.wait_until([&] { return service.engine->list_layers()->empty(); },
                       "the layer of the import goes");
}

TEST_CASE("SPC-2: snapshots of what is there are destaged from the reserve") {
    World world;
    TestService& service = world.service;
    const model::VolumeId volume = service.add_volume();
    service.open(volume);
    service.write(volume, 0, "before");
    const model::SnapshotId snapshot = service.snapshot(volume);
    world.leave(1 * kGiB);
    service.start_jobs();
    service.wait_rooted(service.row(snapshot).content);
    CHECK(service.read(volume, 0) == "before");
    service.close(volume);
}

TEST_CASE("SPC-3: a guest that waits for space goes on by itself when there is room, not before") {
    World world;
    world.leave(5 * kGiB);
    const model::InstanceId id = world.paused_guest();
    world.watch.machine_refused(id, "vol-0123456789abcdef0");
    world.watch.look();
    CHECK(world.state(id) == compute::MachineState::io_error);
    REQUIRE(world.watch.wait_of(id));
    CHECK(world.watch.wait_of(id)->volume == "vol-0123456789abcdef0");

    world.leave(5 * kGiB + kLeastRoom - 1);  // too little for any write
    world.watch.look();
    CHECK(world.state(id) == compute::MachineState::io_error);

    world.leave(6 * kGiB);
    world.watch.look();
    CHECK(world.state(id) == compute::MachineState::running);
    CHECK(world.watch.wait_of(id));  // it may be refused at once
    world.watch.look();
    CHECK_FALSE(world.watch.wait_of(id));
}

TEST_CASE("SPC-3: a guest that is refused again is resumed again, and later each time") {
    World world;
    const model::InstanceId id = world.paused_guest();
    world.watch.machine_refused(id, "vol-0123456789abcdef0");
    world.watch.look();
    CHECK(world.state(id) == compute::MachineState::running);
    world.refuse(id);
    world.watch.machine_refused(id, "vol-0123456789abcdef0");
    world.watch.look();
    CHECK(world.state(id) == compute::MachineState::io_error);  // a second has not passed
    world.service.wait_until(
        [&] {
            world.watch.look();
            return world.state(id) == compute::MachineState::running;
        },
        "the guest goes on");
}

TEST_CASE("SPC-3: a guest that was paused while the daemon was away is found and goes on") {
    World world;
    world.leave(5 * kGiB);
    const model::InstanceId id = world.paused_guest();
    world.watch.start();
    world.service.wait_until([&] { return world.watch.wait_of(id).has_value(); },
                             "the guest is found");
    CHECK(world.watch.wait_of(id)->volume.empty());
    CHECK(world.state(id) == compute::MachineState::io_error);
    world.service.available = 50 * kGiB;
    world.service.wait_until([&] { return world.state(id) == compute::MachineState::running; },
                             "the guest goes on");
    world.watch.stop();
}

TEST_CASE("SPC-3: a machine that ends while it waits is forgotten") {
    World world;
    world.leave(5 * kGiB);
    const model::InstanceId id = world.paused_guest();
    world.watch.machine_refused(id, "vol-0123456789abcdef0");
    REQUIRE(world.service.hypervisor->kill(machine_id(id), soon()));
    world.watch.look();
    CHECK_FALSE(world.watch.wait_of(id));
}
