// SPDX-License-Identifier: Apache-2.0
#include "control/capacity.h"

#include <doctest/doctest.h>

#include "control/memory_watch.h"
#include "control/tests/test_service.h"

namespace kiln::control {
namespace {

using testing::TempDir;
using testing::TestService;

const InstanceType& micro() {  // 1024 MiB
    return *find_instance_type("t3.micro");
}

// A service on a host with that much memory.
class World {
  public:
    World(std::uint64_t total_mib, std::uint64_t available_mib)
        : service_(directory_.path()), host_({total_mib, available_mib}) {
        hypervisor = compute::make_fake_hypervisor(host_, service_.events);
    }

    void add_instance(model::InstanceState state) {
        model::Instance instance;
        instance.id = model::make_id<model::InstanceId>(*service_.rng);
        instance.region = "us-east-1";
        instance.owner_id = testing::kAlice.account;
        instance.instance_type = "t3.micro";
        instance.state = state;
        instance.subnet_id = model::SubnetId(instance.id.str());  // addresses are unique in one
        REQUIRE(service_.store->run(
            [&](catalog::Transaction& tx) { return tx.instances().insert(instance); }));
    }

    Result<std::size_t> find(std::size_t least, std::size_t wanted) {
        const Parts parts{*service_.store, *service_.engine,  *hypervisor, *service_.clock,
                          *service_.rng,   service_.topology, settings,    service_.space};
        return service_.store->read([&](catalog::Transaction& tx) {
            return find_capacity(tx, parts, micro(), least, wanted);
        });
    }

    void run_machine() {
        compute::MachineSpec spec;
        spec.id = compute::MachineId("i-00000000000000001");
        spec.vcpus = 1;
        spec.memory_mib = 64;
        spec.uuid = "ec2aaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa";
        spec.product = "t3.micro";
        spec.directory = directory_.path() + "/machine";
        spec.runtime_directory = directory_.path() + "/run";
        spec.serial_log = directory_.path() + "/serial.log";
        compute::DiskSpec& root = spec.disks.emplace_back();
        root.id = "vol-00000000000000001";
        root.serial = "vol00000000000000001";
        root.socket = directory_.path() + "/disk.sock";
        root.boot_index = 0;
        const auto started = hypervisor->start(spec, testing::soon());
        REQUIRE_MESSAGE(started.has_value(), (started ? "" : started.error().to_string()));
    }

    Settings settings;

  private:
    TempDir directory_;
    TestService service_;
    compute::FakeHost host_;

  public:
    std::unique_ptr<compute::Hypervisor> hypervisor;
};

TEST_CASE("RUN-1: what is available bounds a launch, whatever the host has in all") {
    World world(64 * 1024, 1024 + kHostKeepsMib + 1023);
    CHECK(*world.find(1, 5) == 1);
    const auto refused = world.find(2, 5);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().api_code() == "InsufficientInstanceCapacity");
    const std::string& text = refused.error().message();
    CHECK(text.find("2175 MiB of the host's 65536 MiB are available") != std::string::npos);
    CHECK(text.find("takes 1024 MiB") != std::string::npos);
    CHECK(text.find("--guest-memory-cap") != std::string::npos);
    CHECK(text.find("--memory-overcommit") != std::string::npos);
}

TEST_CASE("memory that starting instances will take is not given twice") {
    World world(64 * 1024, 3 * 1024 + kHostKeepsMib);
    CHECK(*world.find(1, 5) == 3);
    world.add_instance(model::InstanceState::pending);
    CHECK(*world.find(1, 5) == 2);
    world.add_instance(model::InstanceState::running);  // has taken its part
    CHECK(*world.find(1, 5) == 2);
}

TEST_CASE("what is configured bounds a launch even where plenty is available") {
    World world(2048, 2048);
    world.add_instance(model::InstanceState::running);
    world.add_instance(model::InstanceState::running);
    const auto refused = world.find(1, 1);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().message().find("0 MiB of memory are free of the 2048 MiB") !=
          std::string::npos);
}

TEST_CASE("over-commitment and a cap let more guests in") {
    World world(64 * 1024, 512 + kHostKeepsMib);
    CHECK_FALSE(world.find(1, 1));
    world.settings.memory_overcommit = 4;
    CHECK(*world.find(1, 5) == 2);
    world.settings.memory_overcommit = 1;
    world.settings.guest_memory_cap_mib = 256;
    CHECK(*world.find(1, 5) == 2);
}

TEST_CASE("little memory is told only while machines run") {
    World world(2048, kHostKeepsMib - 1);
    MemoryWatch watch(*world.hypervisor);
    watch.look();
    CHECK_FALSE(watch.low());
    world.run_machine();
    watch.look();
    CHECK(watch.low());

    World enough(2048, kHostKeepsMib);
    MemoryWatch other(*enough.hypervisor);
    enough.run_machine();
    other.look();
    CHECK_FALSE(other.low());
}

}  // namespace
}  // namespace kiln::control
