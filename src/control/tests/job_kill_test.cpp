// SPDX-License-Identifier: Apache-2.0
// A service that is killed before or after any transaction of a job that stores, drops or collects:
// the next one ends the work, and no byte that is named is lost.
#include <unistd.h>

#include <atomic>

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::PackState;

namespace {

constexpr int kKilled = 42;

// Ends the process at the n-th transaction from now on, of whatever thread.
void arm(TestService& service, unsigned place) {
    auto left = std::make_shared<std::atomic<int>>(static_cast<int>(place));
    const auto step = [left] {
        if (--*left == 0) {
            ::_exit(kKilled);
        }
    };
    service.store->before = step;
    service.store->after = step;
}

// `life` runs on `directory` until its n-th transaction, for n = 1, 2, ... until it gets through;
// each time on what `prepare` made, and `check` follows.
template <class Prepare, class Life, class Check>
void kill_everywhere(Prepare prepare, Life life, Check check) {
    for (unsigned place = 1; place < 200; ++place) {
        TempDir dir;
        prepare(dir.path());
        const int status = live_and_die([&] {
            TestService service(dir.path(), {.inject_retry_percent = 0});
            service.recover();
            arm(service, place);
            service.start_jobs();
            life(service);
        });
        CAPTURE(place);
        check(dir.path());
        if (status == 0) {
            return;
        }
        REQUIRE(status == kKilled);
    }
    FAIL("it never gets through");
}

model::SnapshotId only_snapshot(TestService& service) {
    const auto rows =
        service.store->read([](catalog::Transaction& tx) { return tx.snapshots().list({}); });
    REQUIRE(rows);
    REQUIRE(rows->size() == 1);
    return rows->front().id;
}

}  // namespace

TEST_CASE("killed anywhere while contents are stored and merged, the next service ends it" *
          doctest::test_suite("slow")) {
    kill_everywhere(
        [](const std::string& directory) {
            TestService service(directory);
            service.recover();
            const auto volume = service.add_volume();
            service.open(volume);
            service.write(volume, 0, "one");
            const auto first = service.snapshot(volume);
            service.write(volume, 1, "two");
            service.snapshot(volume);
            REQUIRE(service.snapshots->remove(kAlice, first, false));
            service.remove_volume(volume);
        },
        [](TestService& service) {
            service.wait_until(
                [&] { return service.jobs_of(kDestageJob) + service.jobs_of(kDropLayerJob) == 0; },
                "all is done");
        },
        [](const std::string& directory) {
            TestService service(directory);
            service.recover();
            service.start_jobs();
            const auto content = service.row(only_snapshot(service)).content;
            service.wait_rooted(content);
            service.wait_until([&] { return service.engine->list_layers()->empty(); },
                               "every layer is gone");
            CHECK(service.contents() == 1);
            CHECK(service.read(content, 0) == "one");
            CHECK(service.read(content, 1) == "two");
        });
}

TEST_CASE("killed anywhere in a run of garbage collection, the next run ends it" *
          doctest::test_suite("slow")) {
    kill_everywhere(
        [](const std::string& directory) {
            TestService service(directory);
            service.recover();
            service.start_jobs();
            const auto volume = service.add_volume();
            service.open(volume);
            service.write(volume, 0, "kept");
            const auto kept = service.snapshot(volume);
            service.write(volume, 1, "gone");
            const auto gone = service.snapshot(volume);
            service.remove_volume(volume);
            service.wait_rooted(service.row(kept).content);
            service.wait_rooted(service.row(gone).content);
            REQUIRE(service.snapshots->remove(kAlice, gone, false));
        },
        [](TestService& service) { service.collect_garbage(); },
        [](const std::string& directory) {
            TestService service(directory);
            service.recover();
            service.start_jobs();
            const GcReport report = service.collect_garbage();
            CHECK(report.packs_kept == service.objects());
            auto packs = service.packs();
            CHECK(packs[PackState::stored] == service.objects());
            CHECK(packs[PackState::condemned] == 0);
            CHECK(packs[PackState::trash] == 0);
            const auto content = service.row(only_snapshot(service)).content;
            CHECK(service.read(content, 0) == "kept");
            CHECK(service.read(content, 1) == "");
        });
}

TEST_CASE("killed anywhere while a pack that is mostly garbage is emptied, the next run ends it" *
          doctest::test_suite("slow")) {
    kill_everywhere(
        [](const std::string& directory) {
            TestService service(directory);
            service.recover();
            service.start_jobs();
            const auto volume = service.add_volume();
            service.open(volume);
            for (std::uint64_t block = 0; block < 30; ++block) {
                service.write(volume, block, "word " + std::to_string(block));
            }
            const auto gone = service.snapshot(volume);
            service.wait_rooted(service.row(gone).content);
            REQUIRE(service.engine->zero(block_id(volume), 65536, 29 * 65536, soon()));
            const auto kept = service.snapshot(volume);
            service.wait_rooted(service.row(kept).content);
            service.remove_volume(volume);
            REQUIRE(service.snapshots->remove(kAlice, gone, false));
        },
        [](TestService& service) { CHECK(service.collect_garbage().packs_compacted == 1); },
        [](const std::string& directory) {
            TestService service(directory);
            service.recover();
            service.start_jobs();
            const auto content = service.row(only_snapshot(service)).content;
            CHECK(service.read(content, 0) == "word 0");
            service.collect_garbage();
            const GcReport report = service.collect_garbage();
            CHECK(report.packs_compacted == 0);
            CHECK(report.packs_kept == service.objects());
            // A data pack with the one chunk, and one with the nodes above it.
            CHECK(report.packs_kept == 2);
            CHECK(service.packs()[PackState::writing] == 0);
            CHECK(service.packs()[PackState::condemned] == 0);
            CHECK(service.packs()[PackState::trash] == 0);
            CHECK(service.read(content, 0) == "word 0");
            CHECK(service.read(content, 1) == "");
        });
}
