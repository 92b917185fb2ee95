// SPDX-License-Identifier: Apache-2.0
#include "api/console/console_links.h"

#include <set>

#include "control/tests/image_support.h"

using namespace kiln;
using namespace kiln::api;

namespace {

struct World {
    control::testing::ManualClock clock;
    std::unique_ptr<io::Rng> rng = io::make_system_rng();
    ConsoleLinks links{clock, *rng};

    std::string token() {
        const std::string path = links.create({"AKIAEXAMPLE", "us-east-1"});
        REQUIRE(path.starts_with("/console/#/session/"));
        return path.substr(path.rfind('/') + 1);
    }
};

}  // namespace

TEST_CASE("WEB-1: a link signs in once") {
    World world;
    const std::string token = world.token();
    CHECK(token.size() == 64);
    CHECK_FALSE(world.links.redeem(token.substr(1)));
    CHECK_FALSE(world.links.redeem(""));
    const auto guest = world.links.redeem(token);
    REQUIRE(guest);
    CHECK(guest->access_key_id == "AKIAEXAMPLE");
    CHECK(guest->region == "us-east-1");
    CHECK_FALSE(world.links.redeem(token));
}

TEST_CASE("WEB-1: a link ends by itself") {
    World world;
    const std::string early = world.token();
    world.clock.advance(ConsoleLinks::kLifetime - std::chrono::milliseconds(1));
    const std::string late = world.token();
    CHECK(world.links.redeem(early));
    const std::string ended = world.token();
    world.clock.advance(ConsoleLinks::kLifetime);
    CHECK_FALSE(world.links.redeem(late));
    CHECK_FALSE(world.links.redeem(ended));
}

TEST_CASE("WEB-1: beyond the bound the oldest link makes room") {
    World world;
    std::set<std::string> tokens;
    const std::string first = world.token();
    world.clock.advance(std::chrono::milliseconds(1));
    for (std::size_t i = 0; i < ConsoleLinks::kMaxUnused; ++i) {
        tokens.insert(world.token());
    }
    CHECK(tokens.size() == ConsoleLinks::kMaxUnused);
    CHECK_FALSE(world.links.redeem(first));
    for (const std::string& token : tokens) {
        CHECK(world.links.redeem(token));
    }
}
