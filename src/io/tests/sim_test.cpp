// SPDX-License-Identifier: Apache-2.0
// What the simulated disk forgets and keeps. Each rule over many seeds, and both sides of it: what
// may happen does happen for some seed, what must not happens for none.
#include <set>

#include "io/tests/sim_support.h"

using namespace kiln;
using namespace kiln::io;
using namespace kiln::io::testing;
TEST_CASE("the end of a process loses nothing that completed") {
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        Bench bench(seed);
        const FileId file = bench.open("/d/f", true);
        CHECK(bench.run(Op::write(file, 0, as_bytes(kOld))));
        CHECK(bench.run(Op::rename("/d/f", "/d/g")));
        bench.crash(Crash::process_kill);
        CHECK(bench.content("/d/g") == kOld);
        CHECK(bench.machine.boots == 1);
    }
}

TEST_CASE("a loss of power takes any sectors of an unsynced write, and none of a synced one") {
    std::set<std::string> seen;
    bool torn = false;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        Bench bench(seed);
        const FileId file = bench.open("/d/f", true);
        CHECK(bench.run(Op::write(file, 0, as_bytes(kOld))));
        CHECK(bench.run(Op::sync_data(file)));
        CHECK(bench.run(Op::sync_dir("/d")));
        CHECK(bench.run(Op::write(file, 0, as_bytes(kNew))));
        bench.crash(Crash::power_loss);
        CHECK(bench.machine.boots == 2);
        const auto found = bench.content("/d/f");
        REQUIRE(found);
        CHECK(found->size() == kOld.size());
        for (std::size_t at = 0; at < found->size(); at += SimDisk::kSectorBytes) {
            const std::string sector = found->substr(at, SimDisk::kSectorBytes);
            CHECK((sector == kOld.substr(0, sector.size()) ||
                   sector == kNew.substr(0, sector.size())));
        }
        torn = torn || (*found != kOld && *found != kNew);
        seen.insert(*found);
    }
    CHECK(torn);
    CHECK(seen.contains(kOld));
    CHECK(seen.contains(kNew));
}

TEST_CASE("a name needs the sync of its directory, and names are lost in any order") {
    std::set<std::pair<bool, bool>> seen;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        Bench bench(seed);
        for (const char* path : {"/d/synced", "/d/first", "/d/second"}) {
            const FileId file = bench.open(path, true);
            CHECK(bench.run(Op::write(file, 0, as_bytes(kOld))));
            CHECK(bench.run(Op::sync(file)));
            if (path == std::string("/d/synced")) {
                CHECK(bench.run(Op::sync_dir("/d")));
            }
        }
        bench.crash(Crash::power_loss);
        CHECK(bench.content("/d/synced") == kOld);
        const auto first = bench.content("/d/first");
        CHECK((!first || *first == kOld));
        seen.insert({first.has_value(), bench.content("/d/second").has_value()});
    }
    CHECK(seen.size() == 4);
}

TEST_CASE("a sync covers what had completed when it was submitted, and not what came after") {
    std::set<std::string> seen;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        Bench bench(seed);
        const FileId file = bench.open("/d/f", true);
        CHECK(bench.run(Op::sync_dir("/d")));
        CHECK(bench.run(Op::write(file, 0, as_bytes(kOld))));
        bool synced = false;
        SimReactor reactor(bench.machine);
        reactor.submit(Op::sync_data(file),
                       [&](Result<std::uint64_t> done) { synced = done.has_value(); });
        reactor.submit(Op::write(file, 0, as_bytes(kNew)), [](Result<std::uint64_t>) {});
        REQUIRE(reactor.run_until([&] { return synced; }, Deadline::never()));
        reactor.crash(Crash::power_loss);
        while (reactor.step()) {
        }
        const auto found = bench.content("/d/f");
        REQUIRE(found);
        CHECK(found->find_first_not_of("ab") == std::string::npos);
        seen.insert(*found);
    }
    CHECK(seen.contains(kOld));
    CHECK(seen.contains(kNew));
}

TEST_CASE("after a failed sync the next one succeeds, and the bytes may be lost all the same") {
    bool lost = false;
    bool kept = false;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        Bench bench(seed);
        const FileId file = bench.open("/d/f", true);
        CHECK(bench.run(Op::sync_dir("/d")));
        CHECK(bench.run(Op::write(file, 0, as_bytes(kOld))));
        bench.machine.disk.set_faults({.sync_error = 1000});
        CHECK(bench.run(Op::sync_data(file)).error().code() == Code::io_error);
        bench.machine.disk.set_faults({});
        CHECK(bench.run(Op::sync_data(file)));
        CHECK(bench.content("/d/f") == kOld);
        bench.crash(Crash::power_loss);
        (bench.content("/d/f") == kOld ? kept : lost) = true;
    }
    CHECK(lost);
    CHECK(kept);
}

TEST_CASE("a write in flight when the process ends is there, not there, or there up to a sector") {
    std::set<std::size_t> lengths;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        Bench bench(seed);
        const FileId file = bench.open("/d/f", true);
        bench.start(Op::write(file, 0, as_bytes(kNew)));
        bench.crash(Crash::process_kill);
        const auto found = bench.content("/d/f");
        REQUIRE(found);
        CHECK(*found == kNew.substr(0, found->size()));
        CHECK(found->size() % SimDisk::kSectorBytes == 0);
        lengths.insert(found->size());
    }
    CHECK(lengths.contains(0));
    CHECK(lengths.contains(4096));
    CHECK(lengths.size() > 3);
}

TEST_CASE("a full disk refuses new blocks only, and leaves what was there") {
    Bench bench(1);
    const FileId file = bench.open("/d/f", true);
    CHECK(bench.run(Op::write(file, 0, as_bytes(kOld))));
    bench.machine.disk.set_faults({.no_space = 1000});
    CHECK(bench.run(Op::write(file, 0, as_bytes(kNew))));
    CHECK(bench.run(Op::write(file, 4096, as_bytes(kNew))).error().code() == Code::out_of_space);
    CHECK(bench.run(Op::allocate(file, 4096, 4096)).error().code() == Code::out_of_space);
    CHECK(bench.run(Op::open("/d/g", {.write = true, .create = true})).error().code() ==
          Code::out_of_space);
    CHECK(bench.content("/d/f")->substr(0, 4096) == kNew);
}

TEST_CASE("a reactor with nothing left to do says so instead of waiting") {
    Bench bench(1);
    SimReactor reactor(bench.machine);
    CHECK(!reactor.run_until([] { return false; }, Deadline::never()));
    CHECK(!reactor.step());
}
