// SPDX-License-Identifier: Apache-2.0
// What becomes of an instance when its machine is said to have ended, over scripted machines.
#include "control/instance_worker.h"

#include "compute/fake/fake_guest_networks.h"
#include "control/instances.h"
#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::InstanceState;

namespace {

struct ClosedSockets final : GuestSockets {
    Status open(const model::InstanceId&, const std::string&,
                std::optional<std::uint32_t>) override {
        return ok();
    }
    void close(const model::InstanceId&) override {}
};

// A running instance without volumes and network, and its machine.
struct WorkerWorld {
    WorkerWorld() {
        instance.id = model::InstanceId("i-0123456789abcdef0");
        instance.owner_id = kAlice.account;
        instance.region = kAlice.region;
        instance.state = InstanceState::running;
        instance.launched = UnixMillis{1000};
        instance.shutdown_behavior = model::ShutdownBehavior::terminate;
        REQUIRE(service.store->run(
            [&](catalog::Transaction& tx) { return tx.instances().insert(instance); }));
        compute::MachineSpec spec;
        spec.id = compute::MachineId(instance.id.str());
        spec.generation = generation_of(instance);
        spec.memory_mib = 512;
        spec.uuid = "ec200000-0000-0000-0000-000000000001";
        spec.product = "t3.nano";
        compute::DiskSpec disk;
        disk.id = "vol-0123456789abcdef0";
        disk.serial = "vol0123456789abcdef0";
        disk.socket = directory.path() + "/vol.sock";
        disk.boot_index = 0;
        spec.disks = {disk};
        spec.directory = directory.path() + "/machine";
        spec.runtime_directory = spec.directory;
        spec.serial_log = spec.directory + "/serial.log";
        REQUIRE(service.hypervisor->start(spec, soon()));
        worker.install(*service.jobs);
    }

    Status guest_ended() {
        return worker.machine_ended(instance.id, generation_of(instance), EndReason::guest);
    }
    InstanceState state() {
        const auto found = service.store->read(
            [&](catalog::Transaction& tx) { return tx.instances().get(instance.id); });
        REQUIRE(found.has_value());
        return found->state;
    }
    compute::MachineState machine() {
        const auto info = service.hypervisor->query(compute::MachineId(instance.id.str()), soon());
        return info ? info->state : compute::MachineState::gone;
    }

    TempDir directory;
    TestService service{directory.path()};
    model::Instance instance;
    compute::FakeNetworkHost host;
    std::unique_ptr<compute::GuestNetworks> guests = compute::make_fake_guest_networks(host);
    ClosedSockets sockets;
    compute::PublicAddresses addresses{std::make_unique<compute::LoopbackPool>(
                                           "a-store", [](const compute::Cidr&) { return true; }),
                                       nullptr};
    InstanceNetworks networks{*service.parts, *guests, sockets, sockets, addresses};
    InstanceWorker worker{*service.parts, *service.volumes, networks,
                          [this] { service.jobs->poke(); }};
};

}  // namespace

TEST_CASE("SHD-1: a guest that powered off ends its instance") {
    WorkerWorld world;
    REQUIRE(world.service.host.guest_shutdown(compute::MachineId(world.instance.id.str())));
    CHECK(world.guest_ended());
    CHECK(world.state() == InstanceState::shutting_down);
}

TEST_CASE("RBT-1: what a reboot switched off, noted when it is over, ends nothing") {
    WorkerWorld world;
    REQUIRE(world.service.store->run([&](catalog::Transaction& tx) {
        return tx.jobs().add(make_job(*world.service.rng, world.service.clock->now(), kRebootJob,
                                      world.instance.id.str(), "ask"));
    }));
    world.service.start_jobs();
    world.service.wait_until([&] { return world.service.jobs_of(kRebootJob) == 0; },
                             "the reboot is over");
    REQUIRE(world.machine() == compute::MachineState::running);
    CHECK(world.guest_ended());
    CHECK(world.state() == InstanceState::running);
    CHECK(world.machine() == compute::MachineState::running);
}

TEST_CASE("the end of an earlier run of an instance is not the end of this one") {
    WorkerWorld world;
    REQUIRE(world.service.host.guest_shutdown(compute::MachineId(world.instance.id.str())));
    CHECK(world.worker.machine_ended(world.instance.id, 999, EndReason::guest));
    CHECK(world.state() == InstanceState::running);
}
