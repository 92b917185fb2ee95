// SPDX-License-Identifier: Apache-2.0
// The contract of the addresses that instances have, for every store.
#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::model;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

TEST_CASE_TEMPLATE("the addresses of a subnet, and how many an account has", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    const SubnetId one(id_of("subnet", 1));
    const SubnetId two(id_of("subnet", 2));
    int number = 0;
    const auto add = [&](const SubnetId& subnet, const std::string& address, const AccountId& owner,
                         const std::string& region) {
        Instance instance = full_instance();
        instance.id = InstanceId(id_of("i", ++number));
        instance.subnet_id = subnet;
        instance.private_ip = address;
        instance.owner_id = owner;
        instance.region = region;
        REQUIRE(store->run([&](Transaction& tx) { return tx.instances().insert(instance); }));
    };
    add(one, "172.31.0.10", kAlice, "us-east-1");
    add(one, "172.31.0.9", kAlice, "us-east-1");
    add(one, "", kAlice, "us-east-1");  // terminated: it has given it back
    add(two, "172.31.16.4", kAlice, "us-east-1");
    add(two, "172.31.16.5", kAlice, "eu-west-1");
    add(two, "172.31.16.6", kBob, "us-east-1");

    auto taken = store->read([&](Transaction& tx) { return tx.addresses().taken(one); });
    REQUIRE(taken);
    std::ranges::sort(*taken);
    CHECK(*taken == std::vector<std::string>{"172.31.0.10", "172.31.0.9"});
    const auto none = store->read(
        [&](Transaction& tx) { return tx.addresses().taken(SubnetId(id_of("subnet", 3))); });
    REQUIRE(none);
    CHECK(none->empty());

    const auto count =
        store->read([&](Transaction& tx) { return tx.addresses().count("us-east-1", kAlice); });
    REQUIRE(count);
    CHECK(*count == std::map<SubnetId, std::uint32_t>{{one, 2}, {two, 1}});
}
