// SPDX-License-Identifier: Apache-2.0
#include "control/backups.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "control/sparse_copy.h"
#include "control/tests/test_service.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

namespace fs = std::filesystem;

constexpr int kKilled = 42;
constexpr int kThrough = 43;

std::unique_ptr<Backup> begin(Backups& backups) {
    auto backup = backups.begin(kAlice);
    REQUIRE_MESSAGE(backup.has_value(), (backup ? "" : backup.error().to_string()));
    return std::move(*backup);
}

Backups backups_of(TestService& service) {
    return {*service.parts, *service.cuts, *service.snapshots, service.directory};
}

// What a restore makes of it.
void restore(const Backup& backup, const std::string& directory) {
    for (const char* folder : {"layers", "objects", "instances"}) {
        REQUIRE(make_directories(directory + "/" + folder));
    }
    CHECK(backup.files().back() == "catalog.sqlite");
    for (const std::string& path : backup.files()) {
        REQUIRE(copy_sparse(backup.directory() + "/" + path, directory + "/" + path));
    }
}

std::size_t snapshots_in(TestService& service) {
    const auto rows =
        service.store->read([](catalog::Transaction& tx) { return tx.snapshots().list({}); });
    REQUIRE(rows);
    return rows->size();
}

[[noreturn]] void be_the_victim(const std::string& directory, const model::VolumeId& volume,
                                unsigned transaction) {
    TestService service(directory, {.inject_retry_percent = 0});
    service.recover();
    service.open(volume);
    service.write(volume, 0, "before");
    unsigned count = 0;
    service.store->after = [&] {
        if (++count == transaction) {
            ::_exit(kKilled);
        }
    };
    Backups backups = backups_of(service);
    const bool begun = backups.begin(kAlice).has_value();
    ::_exit(begun ? kThrough : 1);
}

}  // namespace

TEST_CASE("BAK-1: a backup holds all volumes as they were at its cut, and the store goes on" *
          doctest::test_suite("slow")) {
    TempDir dir;
    TempDir other;
    TestService service(dir.path());
    service.recover();
    const auto first = service.add_volume();
    const auto second = service.add_volume();
    const auto unwritten = service.add_volume();
    for (const auto& volume : {first, second}) {
        service.open(volume);
        service.write(volume, 0, "before");
        service.write(volume, 5, "kept");
    }
    const auto kept = service.snapshot(second);
    Backups backups = backups_of(service);
    auto backup = begin(backups);
    for (const auto& volume : {first, second}) {
        service.write(volume, 0, "after");
    }
    CHECK(snapshots_in(service) == 1);
    restore(*backup, other.path());
    backup.reset();
    CHECK_FALSE(fs::exists(dir.path() + "/backup"));

    TestService copy(other.path());
    copy.recover();
    CHECK(copy.store->uuid() == service.store->uuid());
    for (const auto& volume : {first, second}) {
        copy.open(volume);
        CHECK(copy.read(volume, 0) == "before");
        CHECK(copy.read(volume, 5) == "kept");
        copy.write(volume, 0, "changed");
        CHECK(service.read(volume, 0) == "after");
    }
    copy.open(unwritten);
    CHECK(copy.read(unwritten, 0) == "");
    CHECK(copy.read(copy.row(kept).content, 0) == "before");
    CHECK(snapshots_in(copy) == 1);
}

TEST_CASE("BAK-1: a layer is in a backup as it was before its data got check sums, or with them" *
          doctest::test_suite("slow")) {
    TempDir dir;
    TempDir before;
    TempDir after;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    service.open(volume);
    service.write(volume, 0, "before");
    const auto kept = service.snapshot(volume);
    const auto content = service.row(kept).content;
    const auto count = [](const Backup& backup, const char* ending) {
        return std::ranges::count_if(
            backup.files(), [&](const std::string& path) { return path.ends_with(ending); });
    };
    Backups backups = backups_of(service);
    auto backup = begin(backups);
    CHECK(count(*backup, ".crc") == 0);
    // Now: the layer's map changes, and a file comes to it.
    REQUIRE(service.parts->engine.destage(block_id(content), 1, Deadline::never()));
    restore(*backup, before.path());
    backup.reset();
    backup = begin(backups);
    CHECK(count(*backup, ".crc") == 1);
    restore(*backup, after.path());
    backup.reset();
    for (const TempDir* place : {&before, &after}) {
        TestService copy(place->path());
        copy.recover();
        CHECK(copy.read(copy.row(kept).content, 0) == "before");
    }
}

TEST_CASE("BAK-4: garbage collection and deletions do not touch what a backup holds") {
    TempDir dir;
    TempDir other;
    TestService service(dir.path());
    service.recover();
    service.start_jobs();
    const auto volume = service.add_volume();
    service.open(volume);
    service.write(volume, 0, "stored");
    const auto snapshot = service.snapshot(volume);
    const auto content = service.row(snapshot).content;
    service.wait_rooted(content);
    REQUIRE(service.objects() > 0);
    Backups backups = backups_of(service);
    const auto backup = begin(backups);
    REQUIRE(service.snapshots->remove(kAlice, snapshot, false));
    service.remove_volume(volume);
    service.wait_until([&] { return service.contents() == 0; }, "the contents go");
    // A job under way keeps what it may have written.
    service.wait_until([&] { return service.jobs_of(kDestageJob) == 0; }, "nothing is stored now");
    service.collect_garbage();
    service.wait_until([&] { return service.objects() == 0; }, "the packs go");

    restore(*backup, other.path());
    TestService copy(other.path());
    copy.recover();
    copy.open(volume);
    CHECK(copy.read(volume, 0) == "stored");
    CHECK(copy.read(content, 0) == "stored");
}

TEST_CASE(
    "BAK-1: a volume that is first written while the others are cut is cut with them in the end" *
    doctest::test_suite("slow")) {
    TempDir dir;
    TempDir other;
    TestService service(dir.path(), {.inject_retry_percent = 0});
    service.recover();
    const auto first = service.add_volume();
    const auto late = service.add_volume();
    service.open(first);
    service.write(first, 0, "first");
    bool done = false;
    service.store->before = [&] {  // before the transaction that begins the cut
        if (!std::exchange(done, true)) {
            service.open(late);
            service.write(late, 0, "late");
        }
    };
    Backups backups = backups_of(service);
    const auto backup = begin(backups);
    REQUIRE(done);
    restore(*backup, other.path());
    TestService copy(other.path());
    copy.recover();
    copy.open(late);
    CHECK(copy.read(late, 0) == "late");
}

TEST_CASE(
    "BAK-4: backups are for administrators, one at a time, and not for the reserve of space") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    Backups backups = backups_of(service);
    CHECK(backups.begin(kBob).error().api_code() == "UnauthorizedOperation");
    auto backup = begin(backups);
    CHECK(backups.begin(kAlice).error().api_code() == "IncorrectState");
    backup.reset();
    begin(backups);
    service.available = 0;
    REQUIRE(service.space.measure());
    CHECK(backups.begin(kAlice).error().api_code() == "InsufficientVolumeCapacity");
    CHECK_FALSE(fs::exists(dir.path() + "/backup"));
}

TEST_CASE("BAK-5: a service killed anywhere in a backup leaves nothing of it to the next") {
    for (unsigned transaction = 1;; ++transaction) {
        CAPTURE(transaction);
        TempDir dir;
        model::VolumeId volume;
        {
            TestService service(dir.path());
            volume = service.add_volume();
        }
        const int ended = live_and_die([&] { be_the_victim(dir.path(), volume, transaction); });
        REQUIRE((ended == kKilled || ended == kThrough));
        TestService service(dir.path());
        service.recover();
        Backups backups = backups_of(service);
        REQUIRE(backups.clean_up());
        CHECK(snapshots_in(service) == 0);
        CHECK_FALSE(fs::exists(dir.path() + "/backup"));
        service.open(volume);
        CHECK(service.read(volume, 0) == "before");
        if (ended == kThrough) {
            CHECK(transaction > 4);
            return;
        }
    }
}
