// SPDX-License-Identifier: Apache-2.0
// What every GuestNetworks promises, run for the processes and for the fake.
#include <doctest/doctest.h>
#include <signal.h>

#include "compute/fake/fake_guest_networks.h"
#include "compute/network/launch.h"
#include "compute/network/record.h"
#include "compute/tests/guest_peer.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

namespace {

// Real processes; whatever is left of them ends with the world.
struct ProcessWorld {
    TemporaryDirectory directory;
    std::map<std::string, std::unique_ptr<MetadataStub>> metadata;
    std::vector<GuestNetworkSpec> specs;

    ~ProcessWorld() {
        const auto networks = open();
        for (const auto& spec : specs) {
            (void)networks->stop(spec.id, spec.directory, soon());
        }
    }
    std::unique_ptr<GuestNetworks> open() {
        auto networks = make_guest_networks({KILN_GUEST_NETWORK_PROGRAM, true});
        REQUIRE(networks);
        return std::move(*networks);
    }
    GuestNetworkSpec spec(const std::string& id) {
        specs.push_back(network_spec(directory.path(), id));
        specs.back().rules.public_address->value += static_cast<std::uint32_t>(specs.size()) << 8;
        metadata[id] = std::make_unique<MetadataStub>(specs.back().metadata_socket);
        return specs.back();
    }
    void crash(GuestNetworks& networks, const MachineId& id) {
        REQUIRE(::kill(networks.status(id, soon())->pid, SIGKILL) == 0);
    }
    void break_next_start(GuestNetworkSpec& spec) {
        spec.metadata_socket = directory.path() + "/nobody";
    }
};

struct FakeNetworkWorld {
    TemporaryDirectory directory;
    FakeNetworkHost host;

    std::unique_ptr<GuestNetworks> open() { return make_fake_guest_networks(host); }
    GuestNetworkSpec spec(const std::string& id) { return network_spec(directory.path(), id); }
    void crash(GuestNetworks&, const MachineId& id) { REQUIRE(host.crash(id)); }
    void break_next_start(GuestNetworkSpec&) {
        host.fail_next_start(Error(Code::not_found, "scripted"));
    }
};

bool answers(GuestNetworks& networks, const MachineId& id) {
    return networks.status(id, soon()).has_value();
}

}  // namespace

TEST_CASE_TEMPLATE("a network is started once, told of, and stopped", World, ProcessWorld,
                   FakeNetworkWorld) {
    World world;
    const auto networks = world.open();
    GuestNetworkSpec spec = world.spec("i-1");
    CHECK(networks->status(spec.id, soon()).error().code() == Code::not_found);
    const auto started = networks->start(spec, soon());
    REQUIRE_MESSAGE(started, started.error().to_string());
    const auto status = networks->status(spec.id, soon());
    REQUIRE_MESSAGE(status, status.error().to_string());
    REQUIRE(status->forwards.size() == 1);
    CHECK(status->forwards[0].guest_port == 22);
    CHECK(status->forwards[0].address == *spec.rules.public_address);
    CHECK(status->restarts == 0);
    CHECK(networks->networks() == std::vector<MachineId>{spec.id});

    // Repeating it changes nothing; another specification is refused.
    CHECK(networks->start(spec, soon()));
    CHECK(networks->status(spec.id, soon())->pid == status->pid);
    spec.hostname = "another";
    CHECK(networks->start(spec, soon()).error().code() == Code::failed_precondition);

    CHECK(networks->stop(spec.id, spec.directory, soon()));
    CHECK(networks->networks().empty());
    CHECK(networks->status(spec.id, soon()).error().code() == Code::not_found);
    CHECK(networks->adopt(spec.id, spec.directory, soon()).error().code() == Code::not_found);
    CHECK(networks->stop(spec.id, spec.directory, soon()));
    CHECK(networks->start(spec, soon()));
}

TEST_CASE_TEMPLATE("a bad specification or rule changes nothing", World, ProcessWorld,
                   FakeNetworkWorld) {
    World world;
    const auto networks = world.open();
    GuestNetworkSpec spec = world.spec("i-1");
    GuestNetworkSpec bad = spec;
    bad.router = bad.address;
    CHECK(networks->start(bad, soon()).error().code() == Code::invalid_argument);
    CHECK(networks->networks().empty());
    REQUIRE(networks->start(spec, soon()));
    GuestNetworkRules rules = spec.rules;
    rules.metadata_hop_limit = 65;
    CHECK(networks->update(spec.id, rules, soon()).error().code() == Code::invalid_argument);
    CHECK(networks->status(spec.id, soon())->forwards.size() == 1);
    CHECK(networks->update(MachineId("i-2"), spec.rules, soon()).error().code() == Code::not_found);
}

TEST_CASE_TEMPLATE("a start that fails leaves nothing, and the next one succeeds", World,
                   ProcessWorld, FakeNetworkWorld) {
    World world;
    const auto networks = world.open();
    const GuestNetworkSpec spec = world.spec("i-1");
    GuestNetworkSpec broken = spec;
    world.break_next_start(broken);
    CHECK_FALSE(networks->start(broken, soon()));
    CHECK(networks->networks().empty());
    CHECK(networks->adopt(spec.id, spec.directory, soon()).error().code() == Code::not_found);
    CHECK(networks->start(spec, soon()));
}

TEST_CASE_TEMPLATE("D20: rules open and close ports of a running guest", World, ProcessWorld,
                   FakeNetworkWorld) {
    World world;
    const auto networks = world.open();
    const GuestNetworkSpec spec = world.spec("i-1");
    REQUIRE(networks->start(spec, soon()));
    GuestNetworkRules rules = spec.rules;
    rules.ingress = {{6, 8080, 8081, *Cidr::parse("0.0.0.0/0")}};
    const auto updated = networks->update(spec.id, rules, soon());
    REQUIRE_MESSAGE(updated, updated.error().to_string());
    const auto forwards = networks->status(spec.id, soon())->forwards;
    REQUIRE(forwards.size() == 2);
    CHECK(forwards[0] == PortForward{8080, *rules.public_address, 8080, true});
    CHECK(forwards[1] == PortForward{8081, *rules.public_address, 8081, true});
    rules.public_address.reset();
    REQUIRE(networks->update(spec.id, rules, soon()));
    CHECK(networks->status(spec.id, soon())->forwards.empty());
}

TEST_CASE_TEMPLATE("networks outlive the object, and adopt takes them over", World, ProcessWorld,
                   FakeNetworkWorld) {
    World world;
    const GuestNetworkSpec spec = world.spec("i-1");
    int pid = 0;
    {
        const auto networks = world.open();
        REQUIRE(networks->start(spec, soon()));
        pid = networks->status(spec.id, soon())->pid;
    }
    const auto networks = world.open();
    CHECK(networks->networks().empty());
    const auto adopted = networks->adopt(spec.id, spec.directory, soon());
    REQUIRE_MESSAGE(adopted, adopted.error().to_string());
    CHECK(networks->status(spec.id, soon())->pid == pid);
    CHECK(networks->adopt(spec.id, spec.directory, soon()));
    // What start() would say of the same specification.
    CHECK(networks->start(spec, soon()));
    GuestNetworkRules rules = spec.rules;
    rules.ingress.clear();
    CHECK(networks->update(spec.id, rules, soon()));
    CHECK(networks->status(spec.id, soon())->forwards.empty());
}

TEST_CASE_TEMPLATE("stop ends what another object started", World, ProcessWorld, FakeNetworkWorld) {
    World world;
    const GuestNetworkSpec spec = world.spec("i-1");
    REQUIRE(world.open()->start(spec, soon()));
    const auto networks = world.open();
    CHECK(networks->stop(spec.id, spec.directory, soon()));
    CHECK(networks->adopt(spec.id, spec.directory, soon()).error().code() == Code::not_found);
}

TEST_CASE_TEMPLATE("D19: a network that crashes is there again", World, ProcessWorld,
                   FakeNetworkWorld) {
    World world;
    const auto networks = world.open();
    const GuestNetworkSpec spec = world.spec("i-1");
    REQUIRE(networks->start(spec, soon()));
    for (std::uint64_t crashes = 1; crashes <= 3; ++crashes) {
        world.crash(*networks, spec.id);
        REQUIRE(eventually([&] {
            const auto status = networks->status(spec.id, soon());
            return status && status->restarts == crashes;
        }));
    }
    CHECK(networks->status(spec.id, soon())->forwards.size() == 1);
    CHECK(networks->stop(spec.id, spec.directory, soon()));
    CHECK_FALSE(answers(*networks, spec.id));
}

TEST_CASE("D18: what died while nobody watched is started again by adopt, from its configuration") {
    ProcessWorld world;
    const GuestNetworkSpec spec = world.spec("i-1");
    int pid = 0;
    {
        const auto networks = world.open();
        REQUIRE(networks->start(spec, soon()));
        pid = networks->status(spec.id, soon())->pid;
    }
    const auto record = **read_network_record(spec.directory);
    const auto process = open_process(record.process);
    REQUIRE((process && *process));
    REQUIRE(signal_process(**process, SIGKILL));
    REQUIRE(wait_for_exit(**process, soon()));
    const auto networks = world.open();
    REQUIRE(networks->adopt(spec.id, spec.directory, soon()));
    const auto status = networks->status(spec.id, soon());
    REQUIRE_MESSAGE(status, status.error().to_string());
    CHECK(status->pid != pid);
    CHECK(status->forwards.size() == 1);
}

TEST_CASE("D18: a record of another boot, start time or instance adopts no stranger") {
    ProcessWorld world;
    const GuestNetworkSpec spec = world.spec("i-1");
    const GuestNetworkSpec other = world.spec("i-2");
    const auto networks = world.open();
    REQUIRE(networks->start(spec, soon()));
    NetworkRecord record = **read_network_record(spec.directory);
    CHECK(networks->adopt(other.id, spec.directory, soon()).error().code() == Code::data_loss);
    CHECK(networks->stop(other.id, spec.directory, soon()).error().code() == Code::data_loss);
    record.process.start_time += 1;
    CHECK_FALSE(*find_network(record, soon()));
    record.process.start_time -= 1;
    record.process.boot_id = "another";
    CHECK_FALSE(*find_network(record, soon()));
    CHECK(answers(*networks, spec.id));
}

TEST_CASE("a network's process that keeps failing is tried again, ever later, and can be stopped") {
    ProcessWorld world;
    const auto networks = world.open();
    const GuestNetworkSpec spec = world.spec("i-1");
    REQUIRE(networks->start(spec, soon()));
    const std::string config = guest_network_config_path(spec.runtime_directory);
    const std::string good = *read_file(config);
    REQUIRE(write_file_atomic(config, "nonsense", 0644));
    world.crash(*networks, spec.id);
    // Two attempts fail; then it is repaired.
    const auto failures = [&] {
        const auto log = read_file(spec.directory + "/network.log");
        std::size_t count = 0;
        for (auto at = log->find("no JSON"); at != std::string::npos;
             at = log->find("no JSON", at + 1)) {
            ++count;
        }
        return count;
    };
    REQUIRE(eventually([&] { return failures() >= 2; }));
    CHECK_FALSE(answers(*networks, spec.id));
    REQUIRE(write_file_atomic(config, good, 0644));
    REQUIRE(eventually([&] { return answers(*networks, spec.id); }));
    CHECK(networks->stop(spec.id, spec.directory, soon()));
}
