// SPDX-License-Identifier: Apache-2.0
// Volumes with Multi-Attach (VOL-11): who may have one, and that what becomes of one attachment
// leaves the others alone, over the real engine and scripted machines.
#include <unistd.h>

#include "control/attachment_worker.h"
#include "control/instances.h"
#include "control/tests/test_service.h"
#include "control/volume_health.h"
#include "control/volumes.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::AttachmentState;
using model::InstanceState;

namespace {

struct World {
    World() { attachments.install(*service.jobs); }

    model::VolumeId add_volume(bool multi_attach = true) {
        const model::VolumeId id = service.add_volume(4);
        REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
            TRY_ASSIGN(model::Volume volume, tx.volumes().get(id));
            volume.type = model::VolumeType::io2;
            volume.iops = 100;
            volume.multi_attach = multi_attach;
            return tx.volumes().update(volume);
        }));
        return id;
    }

    model::InstanceId add_instance(InstanceState state = InstanceState::stopped,
                                   const std::string& zone = "") {
        model::Instance instance;
        instance.id = model::make_id<model::InstanceId>(*service.rng);
        instance.owner_id = kAlice.account;
        instance.region = kAlice.region;
        instance.availability_zone = zone;
        instance.state = state;
        instance.instance_type = "t2.nano";
        instance.root_device_name = "/dev/xvda";
        instance.launched = UnixMillis{1000};
        REQUIRE(service.store->run(
            [&](catalog::Transaction& tx) { return tx.instances().insert(instance); }));
        if (state == InstanceState::running) {
            start_machine(instance);
        }
        return instance.id;
    }

    void start_machine(const model::Instance& instance) {
        compute::MachineSpec spec;
        spec.id = machine_id(instance.id);
        spec.generation = 1000;
        spec.memory_mib = 512;
        spec.uuid = "ec200000-0000-0000-0000-000000000001";
        spec.product = "t3.nano";
        compute::DiskSpec root;
        root.id = "vol-0123456789abcdef0";
        root.serial = "vol0123456789abcdef0";
        root.socket = directory.path() + "/root.sock";
        root.boot_index = 0;
        spec.disks = {root};
        spec.directory = directory.path() + "/" + instance.id.str();
        spec.runtime_directory = spec.directory;
        spec.serial_log = spec.directory + "/serial.log";
        REQUIRE(service.hypervisor->start(spec, soon()));
    }

    std::string attach(const model::VolumeId& volume, const model::InstanceId& instance,
                       const std::string& device = "/dev/sdf") {
        const auto made = volumes.attach(kAlice, {volume, instance, device, false});
        return made ? "" : std::string(made.error().api_code());
    }
    std::string detach(const model::VolumeId& volume, const model::InstanceId& instance,
                       bool force = false) {
        const auto gone = volumes.detach(kAlice, {volume, instance, "", force, false});
        return gone ? "" : std::string(gone.error().api_code());
    }
    // Of its attachment; nothing when there is none.
    std::optional<AttachmentState> state(const model::VolumeId& volume,
                                         const model::InstanceId& instance) {
        const model::Volume row = service.row(volume);
        const auto* found = model::find_attachment(row, instance);
        return found == nullptr ? std::nullopt : std::optional(found->state);
    }
    void wait_state(const model::VolumeId& volume, const model::InstanceId& instance,
                    std::optional<AttachmentState> wanted) {
        service.wait_until([&] { return state(volume, instance) == wanted; },
                           instance.str() + " has the volume, or has it no more");
    }
    bool is_served(const model::VolumeId& volume, std::uint32_t place) {
        return ::access(service.volumes->socket_path(volume, place).c_str(), F_OK) == 0;
    }
    std::size_t disks_of(const model::InstanceId& instance) {
        return service.host.spec_of(machine_id(instance))->disks.size();
    }

    TempDir directory;
    TestService service{directory.path()};
    Volumes volumes{*service.parts, *service.volumes, [this] { service.jobs->poke(); }};
    AttachmentWorker attachments{*service.parts, *service.volumes,
                                 [this] { service.jobs->poke(); }};
};

}  // namespace

TEST_CASE("VOL-11: sixteen instances have a volume, each once; no two have one socket") {
    World world;
    const model::VolumeId id = world.add_volume();
    std::vector<model::InstanceId> instances;
    for (std::uint32_t n = 0; n < model::kMaxAttachments; ++n) {
        instances.push_back(world.add_instance());
        CHECK(world.attach(id, instances.back()) == "");
        CHECK(model::attachment_to(world.service.row(id), instances.back()).place == n);
    }
    CHECK(world.attach(id, instances[3], "/dev/sdg") == "VolumeInUse");
    CHECK(world.attach(id, world.add_instance()) == "AttachmentLimitExceeded");
    CHECK(world.volumes.remove(kAlice, id, false).error().api_code() == "VolumeInUse");

    CHECK(world.detach(id, {}) == "MissingParameter");
    CHECK(world.detach(id, world.add_instance()) == "InvalidAttachment.NotFound");
    CHECK(world.detach(id, instances[5]) == "");
    CHECK(world.service.row(id).state == model::VolumeState::in_use);
    const model::InstanceId next = world.add_instance();
    CHECK(world.attach(id, next) == "");
    CHECK(model::attachment_to(world.service.row(id), next).place == 5);  // which was given back
    instances[5] = next;
    for (const model::InstanceId& instance : instances) {
        CHECK(world.detach(id, instance) == "");
    }
    CHECK(world.service.row(id).state == model::VolumeState::available);
    CHECK(world.volumes.remove(kAlice, id, false));
}

TEST_CASE("VOL-11: not of another zone, not as a root, and no second one without Multi-Attach") {
    World world;
    const model::VolumeId id = world.add_volume();
    const model::InstanceId first = world.add_instance();
    CHECK(world.attach(id, first, "/dev/xvda") == "UnsupportedOperation");
    CHECK(world.attach(id, first) == "");
    CHECK(world.attach(id, world.add_instance(InstanceState::stopped, "us-east-1b")) ==
          "InvalidVolume.ZoneMismatch");
    CHECK(world.attach(id, world.add_instance(InstanceState::terminated)) != "");
    const model::VolumeId single = world.add_volume(false);
    CHECK(world.attach(single, first, "/dev/sdg") == "");
    CHECK(world.attach(single, world.add_instance(), "/dev/sdg") == "VolumeInUse");
    CHECK(world.detach(single, {}) == "");
}

TEST_CASE("VOL-11: a guest that keeps a volume holds up no other, and has it alone at the end" *
          doctest::test_suite("slow")) {
    World world;
    world.service.start_jobs();
    const model::VolumeId id = world.add_volume();
    const model::InstanceId first = world.add_instance(InstanceState::running);
    const model::InstanceId second = world.add_instance(InstanceState::running);
    for (const model::InstanceId& instance : {first, second}) {
        REQUIRE(world.attach(id, instance) == "");
        world.wait_state(id, instance, AttachmentState::attached);
        CHECK(world.disks_of(instance) == 2);
    }
    CHECK(world.is_served(id, 0));
    CHECK(world.is_served(id, 1));
    world.service.write(id, 1, "shared");

    world.service.host.release_disks(false);
    CHECK(world.detach(id, first) == "");
    CHECK(world.detach(id, second, true) == "");
    world.wait_state(id, second, std::nullopt);  // by force, while the first still has it
    CHECK(world.state(id, first) == AttachmentState::detaching);
    CHECK(world.is_served(id, 0));
    CHECK_FALSE(world.is_served(id, 1));
    CHECK(world.service.read(id, 1) == "shared");

    world.service.host.release_disks(true);
    world.service.wait_until(
        [&] {
            REQUIRE(world.attachments.disk_released(first, id.str()));
            return !world.state(id, first);
        },
        "the first lets go");
    CHECK(world.service.row(id).state == model::VolumeState::available);
    CHECK_FALSE(world.is_served(id, 0));
    CHECK_FALSE(world.service.engine->is_open(block_id(id)));
}

TEST_CASE("VOL-11, VOL-14: a stopped volume is opened anew for all its machines") {
    World world;
    world.service.start_jobs();
    const model::VolumeId id = world.add_volume();
    const model::InstanceId first = world.add_instance(InstanceState::running);
    const model::InstanceId second = world.add_instance(InstanceState::running);
    for (const model::InstanceId& instance : {first, second}) {
        REQUIRE(world.attach(id, instance) == "");
        world.wait_state(id, instance, AttachmentState::attached);
    }
    world.service.write(id, 2, "kept");
    REQUIRE(world.service.volumes->reopen(id, {first, second}, soon()));
    CHECK(world.is_served(id, 0));
    CHECK(world.is_served(id, 1));
    CHECK(world.service.read(id, 2) == "kept");
    REQUIRE(world.service.volumes->close(id, first, soon()));
    CHECK_FALSE(world.is_served(id, 0));
    CHECK(world.is_served(id, 1));
    REQUIRE(world.service.volumes->close_for_good(id, soon()));  // not while a machine has it
    CHECK(world.is_served(id, 1));
    REQUIRE(world.service.volumes->close(id, second, soon()));
    CHECK_FALSE(world.service.engine->is_open(block_id(id)));
}
