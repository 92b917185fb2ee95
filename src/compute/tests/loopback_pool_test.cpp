// SPDX-License-Identifier: Apache-2.0
#include "compute/network/loopback_pool.h"

#include <doctest/doctest.h>

#include "compute/network/loopback_block.h"

using namespace kiln;
using namespace kiln::compute;

namespace {

const std::string kStore = "9f4e0a52-0000-4000-8000-000000000001";

Ipv4 take(LoopbackPool& pool) {
    const auto address = pool.take();
    REQUIRE(address.has_value());
    return *address;
}

}  // namespace

TEST_CASE("D20: an address is one instance's until it is given back") {
    LoopbackPool pool(kStore, [](const Cidr&) { return true; });
    const Ipv4 first = take(pool);
    const Ipv4 second = take(pool);
    CHECK(first != second);
    CHECK(kLoopbackNetwork.contains(first));
    pool.give_back(first);
    CHECK(take(pool) == first);
}

TEST_CASE("D20: a full block is followed by the next one") {
    std::vector<Cidr> claimed;
    LoopbackPool pool(kStore, [&](const Cidr& block) {
        claimed.push_back(block);
        return true;
    });
    std::set<Ipv4> taken;
    for (int i = 0; i < 300; ++i) {
        taken.insert(take(pool));
    }
    CHECK(taken.size() == 300);
    REQUIRE(claimed.size() == 2);
    CHECK(claimed[0].contains(*taken.begin()));
    CHECK(claimed[1].contains(*taken.rbegin()));
}

TEST_CASE("D20: addresses in use since before are not given again") {
    const auto all = [](const Cidr&) { return true; };
    LoopbackPool before(kStore, all);
    const Ipv4 kept = take(before);
    LoopbackPool after(kStore, all);
    after.hold(kept);
    CHECK(take(after) != kept);
}

TEST_CASE("D20: two stores on one host never share a block, though they prefer the same") {
    auto first = std::make_unique<LoopbackPool>(kStore, claim_by_socket());
    LoopbackPool second(kStore, claim_by_socket());
    const Ipv4 mine = take(*first);
    const Ipv4 other = take(second);
    CHECK_FALSE(Cidr::around(mine, 24).contains(other));
    first.reset();
    LoopbackPool third(kStore, claim_by_socket());
    CHECK(take(third) == mine);
}
