// SPDX-License-Identifier: Apache-2.0
// The reserve, and a layer that asks it. The file system's figures are the test's.
#include "block/space.h"

#include <doctest/doctest.h>

#include "block/tests/support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kMiB = 1ULL << 20;
constexpr std::uint64_t kGiB = 1ULL << 30;

// A file system of 100 MiB with a reserve of 10 MiB.
struct Disk {
    Space space{100 * kMiB, 100 * kMiB};
    SpaceReserve reserve{[this]() -> Result<Space> { return space; }, {10, 0}};

    void leave(std::uint64_t room) {
        space.available = 10 * kMiB + room;
        REQUIRE(reserve.measure());
    }
};

struct Setup {
    Disk disk;
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    TestStore store{reactor, dir / "a"};
    std::shared_ptr<Layer> layer;

    Setup() {
        std::filesystem::create_directory(dir / "a");
        store.context.space = &disk.reserve;
        disk.leave(0);
        auto opened = store.open_active("l-1", 50 * kBlockBytes);
        REQUIRE_MESSAGE(opened, opened.error().to_string());
        layer = *opened;
    }
    ~Setup() { CHECK(sync.close(*layer)); }
};

}  // namespace

TEST_CASE("SPC-1: a reserve is the larger of a part of the file system and a size") {
    CHECK(ReserveSize{}.of(100 * kGiB) == 5 * kGiB);
    CHECK(ReserveSize{}.of(10 * kGiB) == 2 * kGiB);
    CHECK(ReserveSize{20, 0}.of(10 * kGiB) == 2 * kGiB);
    CHECK(ReserveSize{0, 0}.of(10 * kGiB) == 0);
    CHECK(ReserveSize{90, 0}.of(std::numeric_limits<std::uint64_t>::max()) > (1ULL << 63));
}

TEST_CASE("a reserve is written as a size or as percent") {
    CHECK(*parse_reserve("3GiB") == ReserveSize{0, 3 * kGiB});
    CHECK(*parse_reserve("3G") == ReserveSize{0, 3 * kGiB});
    CHECK(*parse_reserve("500MiB") == ReserveSize{0, 500 * kMiB});
    CHECK(*parse_reserve("64K") == ReserveSize{0, 65536});
    CHECK(*parse_reserve("2TiB") == ReserveSize{0, 2048 * kGiB});
    CHECK(*parse_reserve("4096") == ReserveSize{0, 4096});
    CHECK(*parse_reserve("0") == ReserveSize{0, 0});
    CHECK(*parse_reserve("10%") == ReserveSize{10, 0});
    CHECK(*parse_reserve("0%") == ReserveSize{0, 0});
    CHECK(*parse_reserve("90%") == ReserveSize{90, 0});
}

TEST_CASE("what is no reserve is refused, and the text says what would be one") {
    for (const char* text :
         {"", "%", "91%", "-1%", "5.5%", "5 %", "GiB", "-3GiB", "3GB", "3 GiB", "3gib", "x",
          "1.5GiB", "99999999999999999999", "9223372036854775808", "8388608TiB", "3GiBGiB"}) {
        const auto parsed = parse_reserve(text);
        REQUIRE_MESSAGE(!parsed, text);
        CHECK(parsed.error().code() == Code::invalid_argument);
        CHECK(parsed.error().message().find("2GiB") != std::string::npos);
    }
    CHECK(parse_reserve("8388607TiB"));
}

TEST_CASE(
    "what was taken since the last measure is not granted again, and a measure says what is") {
    Disk disk;
    CHECK(disk.reserve.take(1000 * kMiB));  // nothing is known yet
    disk.leave(3 * kMiB);
    CHECK(disk.reserve.take(2 * kMiB));
    CHECK_FALSE(disk.reserve.take(2 * kMiB));
    CHECK(disk.reserve.take(1 * kMiB));  // a refusal took nothing
    CHECK_FALSE(disk.reserve.take(1));
    CHECK(disk.reserve.take(0));
    disk.leave(1 * kMiB);
    CHECK(disk.reserve.take(1 * kMiB));
    disk.space.available = 1 * kMiB;  // below the reserve
    CHECK(disk.reserve.measure()->room() == 0);
    CHECK_FALSE(disk.reserve.take(1));
}

TEST_CASE("a measure that fails leaves the last figures in force") {
    bool fails = false;
    SpaceReserve reserve(
        [&]() -> Result<Space> {
            return fails ? Result<Space>(Error(Code::io_error, "statvfs")) : Space{5000, 10000};
        },
        {0, 4000});
    REQUIRE(reserve.measure());
    fails = true;
    CHECK_FALSE(reserve.measure());
    CHECK(reserve.take(1000));
    CHECK_FALSE(reserve.take(1));
}

TEST_CASE("the figures of a real file system are those of the kernel") {
    TempDir dir;
    const auto space = space_of(dir.path())();
    REQUIRE(space);
    CHECK(space->total > 0);
    CHECK(space->available <= space->total);
    CHECK(space_of(dir / "nowhere")().error().code() == Code::not_found);
}

TEST_CASE("SPC-2: without room new blocks are out_of_space, overwrites and zeroes go on") {
    Setup s;
    s.disk.leave(2 * kBlockBytes);
    REQUIRE(s.sync.write(*s.layer, {4, 2}, 1));
    const Status refused = s.sync.write(*s.layer, {6, 1}, 2);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::out_of_space);
    CHECK(s.sync.write(*s.layer, {4, 2}, 3));  // overwrites
    CHECK(s.sync.zero(*s.layer, {10, 20}));    // needs a record alone
    CHECK(s.sync.flush(*s.layer));
    CHECK(s.layer->presence(6, 1).state == BlockState::absent);
    CHECK_FALSE(s.sync.write(*s.layer, {10, 1}, 4));  // zeros have no block
}

TEST_CASE("SPC-2: a write that needs some new blocks is refused whole and changes nothing") {
    Setup s;
    s.disk.leave(2 * kBlockBytes);
    REQUIRE(s.sync.write(*s.layer, {4, 2}, 1));
    const Status refused = s.sync.write(*s.layer, {3, 4}, 2);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::out_of_space);
    CHECK(s.layer->presence(3, 4).state == BlockState::absent);
    CHECK(*s.sync.read(*s.layer, 4) == 1);
    CHECK(*s.sync.read(*s.layer, 5) == 1);
}

TEST_CASE("SPC-3: what was refused succeeds when it is asked again with room") {
    Setup s;
    REQUIRE_FALSE(s.sync.write(*s.layer, {0, 4}, 5));
    s.disk.leave(4 * kBlockBytes);
    REQUIRE(s.sync.write(*s.layer, {0, 4}, 5));
    CHECK(*s.sync.read(*s.layer, 3) == 5);
}

TEST_CASE("SPC-2: a layer is sealed without room") {
    Setup s;
    s.disk.leave(kBlockBytes);
    REQUIRE(s.sync.write(*s.layer, {0, 1}, 5));
    s.disk.leave(0);
    CHECK(s.sync.seal(*s.layer));
}
