// SPDX-License-Identifier: Apache-2.0
// What the simulated disk does beyond what a crash may: damage, names that are lost, a device that
// is full at the Nth allocation.
#include <set>

#include "io/tests/sim_support.h"

using namespace kiln;
using namespace kiln::io;
using namespace kiln::io::testing;

namespace {

FileId durable_file(Bench& bench, const std::string& path, const std::string& content) {
    const FileId file = bench.open(path, true);
    CHECK(bench.run(Op::write(file, 0, as_bytes(content))));
    CHECK(bench.run(Op::sync(file)));
    CHECK(bench.run(Op::sync_dir("/d")));
    return file;
}

}  // namespace

TEST_CASE("a byte that rots is wrong at once, and after a loss of power") {
    Bench bench(1);
    durable_file(bench, "/d/f", kOld);
    bench.machine.disk.rot({"/d/f", 100}, 4);
    std::string expected = kOld;
    expected[100] ^= 4;
    CHECK(bench.content("/d/f") == expected);
    bench.crash(Crash::power_loss);
    CHECK(bench.content("/d/f") == expected);
}

TEST_CASE("a spoilt sector cannot be read until all of it is written again") {
    Bench bench(1);
    const FileId file = durable_file(bench, "/d/f", kOld + kOld);
    bench.machine.disk.spoil({"/d/f", 1024}, 1);
    Bytes into(512);
    const auto read = [&](FileId from, std::uint64_t offset) {
        return bench.run(Op::read(from, offset, into));
    };
    CHECK(read(file, 1000).error().code() == Code::io_error);
    CHECK(read(file, 1024).error().code() == Code::io_error);
    CHECK(read(file, 512));
    CHECK(read(file, 1536));
    CHECK(bench.run(Op::write(file, 1024, as_bytes(std::string(511, 'b')))));
    CHECK(!read(file, 1024));
    bench.crash(Crash::power_loss);
    const FileId again = bench.open("/d/f", false);
    CHECK(!read(again, 1024));
    CHECK(bench.run(Op::write(again, 1024, as_bytes(std::string(512, 'b')))));
    CHECK(read(again, 1024));
    bench.machine.disk.spoil({"/d/f", 0}, 8192);
    CHECK(bench.run(Op::punch(again, 0, 4096)));
    CHECK(read(again, 0));
    CHECK(!read(again, 4096));
    CHECK(bench.run(Op::truncate(again, 4096)));
    CHECK(bench.run(Op::truncate(again, 8192)));
    CHECK(read(again, 4096));
}

TEST_CASE("a misdirected write is told as done, and changes the other place alone") {
    Bench bench(1);
    const FileId file = durable_file(bench, "/d/f", kOld);
    durable_file(bench, "/d/g", kOld);
    bench.machine.disk.set_misdirection(
        [](const std::string& path, std::uint64_t) -> std::optional<SimPlace> {
            return path == "/d/f" ? std::optional(SimPlace{"/d/g", 4000}) : std::nullopt;
        });
    CHECK(bench.run(Op::write(file, 0, as_bytes(kNew))) == kNew.size());
    CHECK(bench.run(Op::sync(file)));
    CHECK(bench.content("/d/f") == kOld);
    // As far as the other file reaches.
    CHECK(bench.content("/d/g") == kOld.substr(0, 4000) + std::string(96, 'b'));
}

TEST_CASE("files that changed places stay so") {
    Bench bench(1);
    durable_file(bench, "/d/f", kOld);
    durable_file(bench, "/d/g", kNew);
    bench.machine.disk.exchange("/d/f", "/d/g");
    bench.crash(Crash::power_loss);
    CHECK(bench.content("/d/f") == kNew);
    CHECK(bench.content("/d/g") == kOld);
}

TEST_CASE("a name made, changed or removed is what it was before, until its directory is synced") {
    std::set<std::tuple<bool, bool, bool>> seen;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
        Bench bench(seed);
        for (const char* path : {"/d/moves", "/d/goes"}) {
            durable_file(bench, path, kOld);
        }
        const FileId made = bench.open("/d/made", true);
        CHECK(bench.run(Op::sync(made)));
        CHECK(bench.run(Op::rename("/d/moves", "/d/moved")));
        CHECK(bench.run(Op::unlink("/d/goes")));
        const bool synced = seed % 2 == 0;
        if (synced) {
            CHECK(bench.run(Op::sync_dir("/d")));
        }
        bench.crash(Crash::power_loss);
        const bool moved = bench.content("/d/moved").has_value();
        CHECK(bench.content("/d/moves").has_value() == !moved);
        const std::tuple found(bench.content("/d/made").has_value(), moved,
                               bench.content("/d/goes").has_value());
        if (synced) {
            CHECK(found == std::tuple(true, true, false));
        } else {
            seen.insert(found);
        }
    }
    CHECK(seen.size() == 8);
}

TEST_CASE("each thing that needs space can be the one that finds none") {
    const auto play = [](std::uint64_t full_at) {
        Bench bench(1);
        bench.machine.disk.fill_at(full_at, 1);
        std::string refused;
        const auto run = [&](const char* name, Op op) {
            const auto result = bench.run(std::move(op));
            if (!result) {
                CHECK(result.error().code() == Code::out_of_space);
                refused = name;
            }
            return result ? FileId{static_cast<std::int64_t>(*result)} : FileId{};
        };
        const FileId file = run("create", Op::open("/d/f", {.write = true, .create = true}));
        if (file.valid()) {
            run("write", Op::write(file, 0, as_bytes(kOld)));
            run("overwrite", Op::write(file, 0, as_bytes(kNew)));
            run("allocate", Op::allocate(file, 8192, 4096));
            run("write what is allocated", Op::write(file, 8192, as_bytes(kNew)));
            run("rename", Op::rename("/d/f", "/d/g"));
        }
        return refused;
    };
    CHECK(play(1) == "create");
    CHECK(play(2) == "write");
    CHECK(play(3) == "allocate");
    CHECK(play(4) == "rename");
    CHECK(play(5).empty());
}

TEST_CASE("a process hears which file it could not sync") {
    Bench bench(1);
    const FileId file = bench.open("/d/f", true);
    CHECK(bench.run(Op::write(file, 0, as_bytes(kOld))));
    std::vector<std::string> failed;
    bench.machine.sync_failed = [&](const std::string& path) { failed.push_back(path); };
    CHECK(bench.run(Op::sync_data(file)));
    bench.machine.disk.set_faults({.sync_error = 1000});
    CHECK(!bench.run(Op::sync_data(file)));
    CHECK(failed == std::vector<std::string>{"/d/f"});
}
