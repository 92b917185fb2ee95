// SPDX-License-Identifier: Apache-2.0
// Who is told to be in a VPC, over the real catalog and networks without processes.
#include "control/instance_networks.h"

#include "compute/fake/fake_guest_networks.h"
#include "compute/network/config.h"
#include "control/interface_attributes.h"
#include "control/security_groups.h"
#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::InstanceState;

namespace {

struct NoSockets final : GuestSockets {
    Status open(const model::InstanceId&, const std::string&,
                std::optional<std::uint32_t>) override {
        return ok();
    }
    void close(const model::InstanceId&) override {}
};

// Loopback addresses, and those of a pool where one is given.
std::unique_ptr<compute::PublicAddresses> pool_addresses(const char* pool) {
    auto loopback = std::make_unique<compute::LoopbackPool>(
        "a-store", [](const compute::Cidr&) { return true; });
    compute::PoolClaims all{[](compute::Ipv4) { return std::optional(UniqueFd()); },
                            [](compute::Ipv4) { return false; }};
    return std::make_unique<compute::PublicAddresses>(
        std::move(loopback), pool == nullptr ? nullptr
                                             : std::make_unique<compute::PublicPool>(
                                                   *compute::Cidr::parse(pool), std::move(all)));
}

struct World {
    World() { service.settings.runtime_directory = directory.path() + "/run"; }

    std::unique_ptr<InstanceNetworks> open() {
        return std::make_unique<InstanceNetworks>(*service.parts, *guests, sockets, sockets,
                                                  *addresses);
    }
    // Both VPCs have the same addresses, as the default ones of all accounts do.
    void add_vpc(const std::string& name) {
        REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
            model::Vpc vpc;
            vpc.id = model::VpcId("vpc-" + name);
            vpc.owner_id = model::AccountId(name);
            vpc.region = "us-east-1";
            vpc.cidr = "172.31.0.0/16";
            TRY(tx.vpcs().insert(vpc));
            model::Subnet subnet;
            subnet.id = model::SubnetId("subnet-" + name);
            subnet.vpc_id = vpc.id;
            subnet.owner_id = vpc.owner_id;
            subnet.region = vpc.region;
            subnet.availability_zone = "us-east-1a";
            subnet.cidr = "172.31.0.0/20";
            return tx.subnets().insert(subnet);
        }));
    }
    model::InstanceId add(const std::string& id, const std::string& vpc, const std::string& address,
                          InstanceState state = InstanceState::running) {
        model::Instance instance;
        instance.id = model::InstanceId(id);
        instance.owner_id = model::AccountId(vpc);
        instance.region = "us-east-1";
        instance.availability_zone = "us-east-1a";
        instance.state = state;
        instance.vpc_id = model::VpcId("vpc-" + vpc);
        instance.subnet_id = model::SubnetId("subnet-" + vpc);
        instance.network_interface_id = model::NetworkInterfaceId("eni-" + id);
        instance.mac = "02:00:00:00:00:01";
        instance.private_ip = address;
        instance.no_public_ip = true;  // as its subnet says
        instance.security_groups = {model::SecurityGroupId("sg-" + id)};
        REQUIRE(service.store->run(
            [&](catalog::Transaction& tx) { return tx.instances().insert(instance); }));
        return instance.id;
    }
    void change(const model::InstanceId& id, const std::function<void(model::Instance&)>& how) {
        REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
            TRY_ASSIGN(model::Instance instance, tx.instances().get(id));
            how(instance);
            return tx.instances().update(instance);
        }));
    }
    // "id address groups" of each, in a fixed order.
    std::vector<std::string> told(const std::string& vpc) {
        std::vector<std::string> out;
        for (const auto& neighbour :
             host.neighbours_at(service.settings.runtime_directory + "/vpc-" + vpc + ".json")) {
            CHECK(neighbour.socket ==
                  compute::guest_network_peer_path(service.settings.runtime_directory + "/" +
                                                   neighbour.id.str()));
            out.push_back(neighbour.id.str() + " " + neighbour.address.text() + " " +
                          neighbour.groups.at(0));
        }
        std::sort(out.begin(), out.end());
        return out;
    }

    TempDir directory;
    TestService service{directory.path()};
    compute::FakeNetworkHost host;
    std::unique_ptr<compute::GuestNetworks> guests = compute::make_fake_guest_networks(host);
    NoSockets sockets;
    std::unique_ptr<compute::PublicAddresses> addresses = pool_addresses(nullptr);
};

using Told = std::vector<std::string>;
const char* const kOne = "i-1 172.31.0.10 sg-i-1";
const char* const kTwo = "i-2 172.31.0.11 sg-i-2";

}  // namespace

TEST_CASE("NET-9, NET-10: instances are told of those of their VPC whose networks run") {
    World world;
    world.add_vpc("a");
    world.add_vpc("b");
    const auto one = world.add("i-1", "a", "172.31.0.10");
    const auto two = world.add("i-2", "a", "172.31.0.11");
    const auto other = world.add("i-3", "b", "172.31.0.10");
    world.add("i-4", "a", "172.31.0.12", InstanceState::stopped);
    const auto networks = world.open();
    for (const auto& id : {one, two, other}) {
        REQUIRE(networks->start(id, soon()));
    }
    CHECK(world.told("a") == Told{kOne, kTwo});
    CHECK(world.told("b") == Told{"i-3 172.31.0.10 sg-i-3"});
    CHECK(world.host.spec_of(control::machine_id(one))->neighbours_file !=
          world.host.spec_of(control::machine_id(other))->neighbours_file);

    // Membership.
    world.change(two, [](auto& row) { row.security_groups = {model::SecurityGroupId("sg-x")}; });
    networks->instance_changed(two);
    CHECK(world.told("a") == Told{kOne, "i-2 172.31.0.11 sg-x"});
}

TEST_CASE("NET-9: who stops is gone at once, and back after the next start") {
    World world;
    world.add_vpc("a");
    const auto one = world.add("i-1", "a", "172.31.0.10");
    const auto two = world.add("i-2", "a", "172.31.0.11");
    auto networks = world.open();
    REQUIRE(networks->start(one, soon()));
    REQUIRE(networks->start(two, soon()));
    world.change(two, [](auto& row) { row.state = InstanceState::stopping; });
    networks->instance_changed(one);
    CHECK(world.told("a") == Told{kOne, kTwo});  // its guest still shuts down
    REQUIRE(networks->stop(two, soon()));
    CHECK(world.told("a") == Told{kOne});
    // While its row says that there is a machine, and afterwards.
    networks->instance_changed(one);
    CHECK(world.told("a") == Told{kOne});
    world.change(two, [](auto& row) { row.state = InstanceState::stopped; });
    networks->instance_changed(one);
    CHECK(world.told("a") == Told{kOne});
    world.change(two, [](auto& row) { row.state = InstanceState::pending; });
    REQUIRE(networks->start(two, soon()));
    CHECK(world.told("a") == Told{kOne, kTwo});
    REQUIRE(networks->stop(one, soon()));
    REQUIRE(networks->stop(two, soon()));
    CHECK(world.told("a").empty());
}

TEST_CASE("D17: the first instance taken over after a restart is told of all that run") {
    World world;
    world.add_vpc("a");
    const auto one = world.add("i-1", "a", "172.31.0.10");
    const auto two = world.add("i-2", "a", "172.31.0.11");
    auto networks = world.open();
    REQUIRE(networks->start(one, soon()));
    REQUIRE(networks->start(two, soon()));
    networks = world.open();
    const auto row = world.service.store->read(
        [&](catalog::Transaction& tx) { return tx.instances().get(one); });
    REQUIRE(networks->adopt(*row, soon()));
    CHECK(world.told("a") == Told{kOne, kTwo});
}

TEST_CASE(
    "NET-11, NET-12: a pool's address comes with a tunnel, and guests are kept from the pool") {
    World world;
    world.addresses = pool_addresses("203.0.113.0/24");
    world.add_vpc("a");
    const auto one = world.add("i-1", "a", "172.31.0.10");
    world.change(one, [](model::Instance& instance) { instance.public_ip = "203.0.113.7"; });
    const auto networks = world.open();
    REQUIRE(networks->start(one, soon()));
    const auto spec = world.host.spec_of(control::machine_id(one));
    REQUIRE(spec);
    REQUIRE(spec->tunnel);
    CHECK(spec->tunnel->address.text() == "203.0.113.7");
    CHECK(spec->tunnel->host.text() == "203.0.113.1");
    CHECK_FALSE(spec->rules.public_address);
    CHECK(spec->rules.blocked == std::vector{*compute::Cidr::parse("203.0.113.0/24")});
    CHECK(networks->status(one, soon())->tunnel->address.text() == "203.0.113.7");
}

TEST_CASE("NET-13: an address of a pool that is no longer the service's is replaced at the start") {
    World world;
    world.addresses = pool_addresses("198.51.100.0/24");
    world.add_vpc("a");
    const auto one = world.add("i-1", "a", "172.31.0.10", InstanceState::pending);
    const auto two = world.add("i-2", "a", "172.31.0.11", InstanceState::pending);
    const auto with = [](const char* address) {
        return [address](model::Instance& instance) {
            instance.no_public_ip = false;
            instance.public_ip = address;
        };
    };
    world.change(one, with("203.0.113.7"));
    world.change(two, with("127.9.8.1"));
    const auto networks = world.open();
    REQUIRE(networks->start(one, soon()));
    CHECK(world.host.spec_of(control::machine_id(one))->tunnel->address.text() == "198.51.100.2");
    // What the other driver gave serves on.
    REQUIRE(networks->start(two, soon()));
    const auto spec = world.host.spec_of(control::machine_id(two));
    CHECK_FALSE(spec->tunnel);
    CHECK(spec->rules.public_address->text() == "127.9.8.1");
}

TEST_CASE(
    "SG-12, NET-19: rules changed in place, and another group of an interface, are in force") {
    World world;
    world.add_vpc("a");
    const auto one = world.add("i-1", "a", "172.31.0.10");
    const auto networks = world.open();
    REQUIRE(networks->start(one, soon()));
    model::SecurityGroup group;
    group.id = model::SecurityGroupId("sg-i-1");
    group.owner_id = model::AccountId("a");
    group.region = "us-east-1";
    group.vpc_id = model::VpcId("vpc-a");
    group.name = "web";
    group.rules = {
        {model::SecurityGroupRuleId("sgr-1"), false, "tcp", 22, 22, "192.0.2.0/24", "", {}, ""}};
    model::SecurityGroup closed = group;
    closed.id = model::SecurityGroupId("sg-closed");
    closed.name = "closed";
    closed.rules.clear();
    REQUIRE(world.service.store->run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.security_groups().insert(group));
        return tx.security_groups().insert(closed);
    }));
    const auto ingress = [&] {
        return world.host.spec_of(control::machine_id(one))->rules.ingress;
    };
    networks->group_changed(group.id);
    REQUIRE(ingress().size() == 1);
    Caller caller;
    caller.account = group.owner_id;
    caller.region = group.region;

    SecurityGroups groups(*world.service.parts, *networks);
    ModifyRulesInput input;
    input.group = group.id;
    Permission permission{"tcp", 80, 81, {}, {{"198.51.100.0/24", ""}}, {}, {}};
    input.updates = {{model::SecurityGroupRuleId("sgr-1"), permission}};
    input.dry_run = true;
    CHECK_FALSE(groups.modify_rules(caller, input));
    CHECK(ingress().front().from == 22);
    input.dry_run = false;
    REQUIRE(groups.modify_rules(caller, input));
    CHECK(ingress().front().peer == *compute::Cidr::parse("198.51.100.0/24"));
    CHECK(ingress().front().from == 80);
    CHECK(ingress().front().to == 81);

    InterfaceAttributes attributes(*world.service.parts, *networks);
    InterfaceChange change;
    change.groups = {closed.id};
    REQUIRE(attributes.modify(caller, model::NetworkInterfaceId("eni-i-1"), change, false));
    CHECK(ingress().empty());
    CHECK(world.told("a") == Told{"i-1 172.31.0.10 sg-closed"});
}

TEST_CASE(
    "NET-17: whether there is a public address is settled before the start, not by the subnet") {
    World world;
    world.add_vpc("a");
    const auto one = world.add("i-1", "a", "172.31.0.10", InstanceState::pending);
    const auto two = world.add("i-2", "a", "172.31.0.11", InstanceState::pending);
    world.change(two, [](model::Instance& instance) { instance.no_public_ip = false; });
    const auto networks = world.open();
    REQUIRE(networks->start(one, soon()));
    REQUIRE(networks->start(two, soon()));
    CHECK_FALSE(world.host.spec_of(control::machine_id(one))->rules.public_address);
    CHECK(world.host.spec_of(control::machine_id(two))->rules.public_address);
}
