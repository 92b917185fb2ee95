// SPDX-License-Identifier: Apache-2.0
#include "control/gc.h"

#include <unistd.h>

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::PackState;

namespace {

// A rooted content with these words, named by a snapshot alone; the content and the snapshot.
struct Stored {
    model::SnapshotId snapshot;
    model::ContentId content;
};

Stored store(TestService& service, const std::vector<std::string>& words, bool wait = true) {
    const auto volume = service.add_volume();
    service.open(volume);
    for (std::uint64_t i = 0; i < words.size(); ++i) {
        service.write(volume, i, words[i]);
    }
    Stored made;
    made.snapshot = service.snapshot(volume);
    made.content = service.row(made.snapshot).content;
    service.remove_volume(volume);
    if (wait) {
        service.wait_rooted(made.content);
    }
    return made;
}

}  // namespace

TEST_CASE("what nothing names is taken back, what is named stays whole") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    service.start_jobs();
    const Stored kept = store(service, {"shared", "kept"});
    const Stored gone = store(service, {"shared", "gone", "more"});
    const std::size_t before = service.objects();
    CHECK(service.collect_garbage().packs_removed == 0);
    CHECK(service.objects() == before);

    REQUIRE(service.snapshots->remove(kAlice, gone.snapshot, false));
    const GcReport report = service.collect_garbage();
    CHECK(report.packs_removed > 0);
    CHECK(report.bytes_removed > 0);
    CHECK(service.objects() == before - report.packs_removed);
    CHECK(service.packs()[PackState::stored] == report.packs_kept);
    CHECK(service.read(kept.content, 0) == "shared");
    CHECK(service.read(kept.content, 1) == "kept");

    REQUIRE(service.snapshots->remove(kAlice, kept.snapshot, false));
    service.collect_garbage();
    CHECK(service.objects() == 0);
    CHECK(service.contents() == 0);
    for (const auto& [state, count] : service.packs()) {
        CHECK(count == 0);
    }
}

TEST_CASE("D3: a destage that hit a pack which is condemned meanwhile is done again") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    service.start_jobs();
    const Stored old = store(service, {"one", "two", "three"});
    REQUIRE(service.snapshots->remove(kAlice, old.snapshot, false));
    // The next destage has a later epoch than the packs it finds.
    REQUIRE(service.store->run(
        [](catalog::Transaction& tx) { return tx.meta().set(kGcEpochKey, "2"); }));

    service.close_gate();
    // The same bytes, and one block more, whose pack is held back at the gate.
    const Stored fresh = store(service, {"one", "two", "three", "four"}, false);
    service.wait_at_gate();
    const auto run = service.gc->request();
    REQUIRE(run);
    service.wait_until([&] { return service.packs()[PackState::condemned] > 0; },
                       "the old packs are condemned");
    // It does not go on while the job has its lease.
    const auto waits = service.gc->wait(*run, Deadline::after(std::chrono::milliseconds(200)));
    REQUIRE(waits);
    CHECK_FALSE(waits->over);
    CHECK(service.packs()[PackState::trash] == 0);
    CHECK(service.row(fresh.content).state == model::ContentState::layered);

    service.open_gate();
    const auto over = service.gc->wait(*run, soon());
    REQUIRE(over);
    CHECK(over->over);
    CHECK(over->packs_removed > 0);
    service.wait_rooted(fresh.content);
    CHECK(service.read(fresh.content, 0) == "one");
    CHECK(service.read(fresh.content, 2) == "three");
    CHECK(service.read(fresh.content, 3) == "four");
    // And once more without anything in between: nothing that is needed goes.
    service.collect_garbage();
    CHECK(service.read(fresh.content, 1) == "two");
}

TEST_CASE("D3: a root that was committed between mark and condemnation keeps its packs") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    service.start_jobs();
    const Stored made = store(service, {"late"});
    const auto stored = service.packs()[PackState::stored];
    // As if the first mark had not seen it.
    REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(const auto packs, tx.packs().list(PackState::stored, 0, 100));
        for (const auto& row : packs) {
            TRY(tx.packs().set_state({row.pack.id}, PackState::condemned));
        }
        return ok();
    }));
    CHECK(service.collect_garbage().packs_removed == 0);
    CHECK(service.packs()[PackState::stored] == stored);
    CHECK(service.read(made.content, 0) == "late");
}

TEST_CASE("packs whose writer died are taken back") {
    TempDir dir;
    REQUIRE(live_and_die([&] {
                TestService service(dir.path());
                service.recover();
                service.start_jobs();
                service.close_gate();
                store(service, {"unfinished"}, false);
                service.wait_at_gate();
                // Begun and not written yet.
                const Status begun = service.store->run([](catalog::Transaction& tx) -> Status {
                    model::PackRecord pack;
                    pack.id = Bytes(16, 7);
                    pack.domain = Bytes(16, 0);
                    pack.epoch = 1;
                    return tx.packs().begin(pack);
                });
                ::_exit(begun ? 3 : 1);
            }) == 3);
    TestService service(dir.path());
    service.recover();
    service.start_jobs();
    service.wait_until([&] { return service.jobs_of(kDestageJob) == 0; },
                       "the destage is done again");
    CHECK(service.packs()[PackState::writing] == 1);
    service.collect_garbage();
    CHECK(service.packs()[PackState::writing] == 0);
    CHECK(service.packs()[PackState::trash] == 0);
    CHECK(service.packs()[PackState::stored] == service.objects());
}

TEST_CASE("it runs by itself at its period") {
    TempDir dir;
    TestService service(dir.path());
    service.settings.gc_period = std::chrono::milliseconds(50);
    service.recover();
    service.start_jobs();
    const Stored made = store(service, {"word"});
    REQUIRE(service.snapshots->remove(kAlice, made.snapshot, false));
    service.wait_until([&] { return service.objects() == 0; }, "the packs are removed unasked");
}
