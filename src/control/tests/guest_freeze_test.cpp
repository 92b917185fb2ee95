// SPDX-License-Identifier: Apache-2.0
#include "control/guest_freeze.h"

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

const model::InstanceId kGuest("i-0123456789abcdef0");

struct FreezeWorld {
    TempDir dir;
    TestService service{dir.path()};

    FreezeWorld() {
        service.settings.instances_directory = dir.path() + "/instances";
        compute::MachineSpec spec;
        spec.id = machine_id(kGuest);
        spec.vcpus = 1;
        spec.memory_mib = 256;
        spec.uuid = "ec200000-0000-4000-8000-000000000001";
        spec.product = "t3.nano";
        spec.directory = service.settings.instances_directory + "/" + kGuest.str();
        spec.runtime_directory = dir.path() + "/run/" + kGuest.str();
        spec.serial_log = spec.directory + "/serial.log";
        compute::DiskSpec disk;
        disk.id = "vol-0123456789abcdef0";
        disk.serial = "vol0123456789abcdef0";
        disk.socket = spec.runtime_directory + "/root.sock";
        disk.boot_index = 0;
        spec.disks.push_back(disk);
        const auto started = service.hypervisor->start(spec, soon());
        REQUIRE_MESSAGE(started, started.error().to_string());
        note = spec.directory + "/frozen";
    }
    bool frozen() { return service.host.frozen(machine_id(kGuest)); }
    bool noted() const { return std::filesystem::exists(note); }

    std::string note;
};

}  // namespace

TEST_CASE("CI-5: a guest with an agent is held still for as long as the cut takes") {
    FreezeWorld world;
    world.service.host.run_agents(true);
    {
        const GuestFreeze freeze(*world.service.parts, kGuest);
        CHECK(freeze.held());
        CHECK(world.frozen());
        CHECK(world.noted());
    }
    CHECK_FALSE(world.frozen());
    CHECK_FALSE(world.noted());
}

TEST_CASE("CI-5: a guest without an agent, and one that is gone, is not held") {
    FreezeWorld world;
    {
        const GuestFreeze freeze(*world.service.parts, kGuest);
        CHECK_FALSE(freeze.held());
        CHECK_FALSE(world.noted());
    }
    REQUIRE(world.service.hypervisor->kill(machine_id(kGuest), soon()));
    const GuestFreeze freeze(*world.service.parts, kGuest);
    CHECK_FALSE(freeze.held());
    CHECK_FALSE(world.noted());
}

TEST_CASE("CI-5: a guest that does not answer is asked again until it does") {
    FreezeWorld world;
    world.service.jobs->handle(
        kThawJob, [&](const model::Job& job) { return thaw_again(*world.service.parts, job); });
    world.service.host.run_agents(true);
    {
        const GuestFreeze freeze(*world.service.parts, kGuest);
        world.service.host.run_agents(false);
    }
    CHECK(world.frozen());
    CHECK(world.noted());
    CHECK(world.service.jobs_of(kThawJob) == 1);
    release_frozen(*world.service.parts, kGuest);
    CHECK(world.service.jobs_of(kThawJob) == 1);  // one is enough
    world.service.host.run_agents(true);
    world.service.start_jobs();
    world.service.wait_until([&] { return world.service.jobs_of(kThawJob) == 0; }, "it is let go");
    CHECK_FALSE(world.frozen());
    CHECK_FALSE(world.noted());
}

TEST_CASE("CI-5: nobody is asked again once the machine is gone") {
    FreezeWorld world;
    world.service.jobs->handle(
        kThawJob, [&](const model::Job& job) { return thaw_again(*world.service.parts, job); });
    world.service.host.run_agents(true);
    {
        const GuestFreeze freeze(*world.service.parts, kGuest);
        world.service.host.run_agents(false);
    }
    REQUIRE(world.service.hypervisor->kill(machine_id(kGuest), soon()));
    world.service.start_jobs();
    world.service.wait_until([&] { return world.service.jobs_of(kThawJob) == 0; }, "it is over");
    CHECK_FALSE(world.noted());
}

TEST_CASE("CI-5: whom a killed service held is let go by the next") {
    FreezeWorld world;
    world.service.host.run_agents(true);
    const int status = live_and_die([&] {
        // What a kill leaves: the note, and the guest held.
        static_cast<void>(new GuestFreeze(*world.service.parts, kGuest));
    });
    CHECK(status == 0);
    CHECK(world.noted());
    REQUIRE(world.service.hypervisor->freeze(machine_id(kGuest), soon()));
    release_frozen(*world.service.parts, kGuest);
    CHECK_FALSE(world.frozen());
    CHECK_FALSE(world.noted());
    release_frozen(*world.service.parts, kGuest);  // nothing to do
}
