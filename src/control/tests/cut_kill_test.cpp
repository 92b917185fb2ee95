// SPDX-License-Identifier: Apache-2.0
// A service that is killed anywhere in a cut: the next one settles it. The victim is a process of
// its own that stops before or after its n-th transaction, for each n until it gets through; the
// cut itself lies between two of them.
#include <unistd.h>

#include "control/tests/test_service.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::SnapshotState;

namespace {

constexpr int kKilled = 42;
constexpr int kThrough = 43;

struct Place {
    unsigned transaction = 0;
    bool before = false;
};

// Both volumes as they were made, the second one never opened.
struct Volumes {
    model::VolumeId first;
    model::VolumeId second;
};

// Cuts both volumes as one set, open or not, without any other writing transaction.
Status cut_both(TestService& service, const Volumes& volumes) {
    const auto begin = [&](catalog::Transaction& tx) -> Result<std::vector<model::Snapshot>> {
        std::vector<model::Snapshot> snapshots;
        for (const model::VolumeId& id : {volumes.first, volumes.second}) {
            TRY_ASSIGN(const model::Volume volume, tx.volumes().get(id));
            model::Snapshot& snapshot = snapshots.emplace_back();
            snapshot.id = model::make_id<model::SnapshotId>(*service.rng);
            snapshot.owner_id = kAlice.account;
            snapshot.region = kAlice.region;
            snapshot.volume_id = id;
            snapshot.volume_size_gib = volume.size_gib;
            snapshot.created = service.clock->now();
        }
        return snapshots;
    };
    TRY(service.cuts->cut({volumes.first, volumes.second}, begin));
    return ok();
}

[[noreturn]] void be_the_victim(const std::string& directory, const Volumes& volumes, Place place,
                                bool open) {
    TestService service(directory, {.inject_retry_percent = 0});
    service.recover();
    if (open) {
        service.open(volumes.first);
        service.open(volumes.second);
        service.write(volumes.first, 0, "first");
        service.write(volumes.second, 0, "second");
    }
    unsigned count = 0;
    const auto step = [&](bool before) {
        count += before ? 1 : 0;
        if (count == place.transaction && before == place.before) {
            ::_exit(kKilled);
        }
    };
    service.store->before = [&] { step(true); };
    service.store->after = [&] { step(false); };
    const Status cut = cut_both(service, volumes);
    ::_exit(cut ? kThrough : 1);
}

int run_victim(const std::string& directory, const Volumes& volumes, Place place, bool open) {
    return live_and_die([&] { be_the_victim(directory, volumes, place, open); });
}

std::vector<model::Snapshot> all_snapshots(TestService& service) {
    auto rows =
        service.store->read([](catalog::Transaction& tx) { return tx.snapshots().list({}); });
    REQUIRE(rows);
    return *rows;
}

// The next life: the set is whole or in error, the volumes have every byte, and can be cut again.
void check_settled(const std::string& directory, const Volumes& volumes, bool wrote) {
    TestService service(directory);
    service.recover();
    const auto snapshots = all_snapshots(service);
    CHECK((snapshots.empty() || snapshots.size() == 2));
    for (const model::Snapshot& snapshot : snapshots) {
        CHECK(snapshot.state == snapshots.front().state);
        CHECK(snapshot.state != SnapshotState::pending);
        if (snapshot.state == SnapshotState::completed) {
            const std::string word = snapshot.volume_id == volumes.first ? "first" : "second";
            CHECK(service.read(snapshot.content, 0) == (wrote ? word : ""));
        }
    }
    service.open(volumes.first);
    service.open(volumes.second);
    CHECK(service.read(volumes.first, 0) == (wrote ? "first" : ""));
    CHECK(service.read(volumes.second, 0) == (wrote ? "second" : ""));
    service.write(volumes.first, 1, "more");
    REQUIRE(cut_both(service, volumes));
    const auto later = all_snapshots(service);
    CHECK(later.size() == snapshots.size() + 2);
    const auto& last = later.back();
    CHECK(last.state == SnapshotState::completed);
    service.start_jobs();
    service.wait_until([&] { return service.jobs_of(kDestageJob) <= 2; }, "the rest is released");
    for (const auto& row : {service.row(volumes.first), service.row(volumes.second)}) {
        service.wait_rooted(row.base_content);
    }
    CHECK(service.read(volumes.first, 0) == (wrote ? "first" : ""));
    CHECK(service.read(volumes.first, 1) == "more");
}

// Kills at every place; how many there were.
unsigned kill_everywhere(bool open) {
    unsigned places = 0;
    for (unsigned n = 1; n < 50; ++n) {
        for (const bool before : {true, false}) {
            TempDir dir;
            Volumes volumes;
            {
                TestService service(dir.path());
                service.recover();
                volumes = {service.add_volume(), service.add_volume(2)};
            }
            CAPTURE(n);
            CAPTURE(before);
            const int status = run_victim(dir.path(), volumes, {n, before}, open);
            if (status == kThrough) {
                return places;
            }
            REQUIRE(status == kKilled);
            ++places;
            check_settled(dir.path(), volumes, open);
        }
    }
    return places;
}

}  // namespace

TEST_CASE("D7: killed anywhere in a cut of open volumes, all of the set is there or none") {
    // Before and after transaction 1, before (the cut is done) and after transaction 2.
    CHECK(kill_everywhere(true) == 4);
}

TEST_CASE("D7: the same for closed volumes, which are opened for the cut and closed again") {
    CHECK(kill_everywhere(false) >= 4);
}

TEST_CASE("D7: a cut that one layer never sealed ends in error as a whole, and loses no byte") {
    // What is on the disk when the machine stops after the instant, with one layer sealed: made by
    // cutting the first volume alone under the name of the set, after transaction 1 of both.
    TempDir dir;
    Volumes volumes;
    model::SnapshotSetId set;
    {
        TestService service(dir.path());
        service.recover();
        volumes = {service.add_volume(), service.add_volume()};
    }
    REQUIRE(run_victim(dir.path(), volumes, {1, false}, true) == kKilled);
    {
        TestService service(dir.path());
        const auto snapshots = all_snapshots(service);
        REQUIRE(snapshots.size() == 2);
        set = snapshots.front().set;
        const model::Volume volume = service.row(volumes.first);
        const model::Content content = service.row(volume.base_content);
        block::VolumeSpec spec;
        spec.id = block_id(volumes.first);
        spec.size_bytes = kGiB;
        spec.active = block_id(content.layer);
        REQUIRE(service.engine->open_volume(spec, soon()));
        REQUIRE(service.engine
                    ->cut_volumes({{spec.id, block_id(volume.active_layer), block_id(content.id)}},
                                  set.str(), soon())
                    .status);
        // A write after the instant lies in the successor.
        service.write(volumes.first, 2, "after");
        REQUIRE(service.engine->close_volume(spec.id, soon()));
    }
    TestService service(dir.path());
    service.recover();
    for (const model::Snapshot& snapshot : all_snapshots(service)) {
        CHECK(snapshot.state == SnapshotState::error);
        CHECK_FALSE(snapshot.state_message.empty());
        CHECK(snapshot.content.empty());
    }
    CHECK(service.row(service.row(volumes.first).active_layer).state == model::LayerState::open);
    CHECK(service.row(service.row(volumes.second).active_layer).state ==
          model::LayerState::planned);
    service.open(volumes.first);
    service.open(volumes.second);
    CHECK(service.read(volumes.first, 0) == "first");
    CHECK(service.read(volumes.first, 2) == "after");
    CHECK(service.read(volumes.second, 0) == "second");
    // An error is deleted like any snapshot.
    const auto broken = all_snapshots(service);
    for (const model::Snapshot& snapshot : broken) {
        REQUIRE(service.snapshots->remove(kAlice, snapshot.id, false));
    }
    const auto again = service.snapshot(volumes.second);
    service.start_jobs();
    service.wait_rooted(service.row(again).content);
    CHECK(service.read(service.row(again).content, 0) == "second");
}

TEST_CASE(
    "D7: a successor that was cut short while it was made is made when its volume is opened") {
    TempDir dir;
    Volumes volumes;
    {
        TestService service(dir.path());
        service.recover();
        volumes = {service.add_volume(), service.add_volume()};
    }
    REQUIRE(run_victim(dir.path(), volumes, {1, false}, true) == kKilled);
    // The journal comes first, and the map takes its name last: without one there is no layer.
    TestService service(dir.path());
    const std::string layer = service.row(volumes.second).active_layer.str();
    for (const char* ending : {".jnl", ".map.new"}) {
        REQUIRE(write_file_atomic(dir.path() + "/layers/d-" + layer + ending, "torn"));
    }
    service.recover();
    CHECK(service.row(service.row(volumes.second).active_layer).state ==
          model::LayerState::planned);
    service.open(volumes.second);
    CHECK(service.read(volumes.second, 0) == "second");
    service.write(volumes.second, 1, "more");
    REQUIRE(cut_both(service, volumes));
}
