// SPDX-License-Identifier: Apache-2.0
// Fast snapshot restores (FS-1 .. FS-3) over a clock that can be set, and the volumes that are made
// meanwhile.
#include "control/fast_restores.h"

#include "control/snapshot_sharing.h"
#include "control/tests/shifted_clock.h"
#include "control/tests/test_service.h"
#include "control/volumes.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using State = model::FastRestoreState;

namespace {

constexpr char kZone[] = "us-east-1a";
constexpr char kOtherZone[] = "us-east-1b";
constexpr std::chrono::minutes kCredit{6};  // of a snapshot of 1 GiB

struct World {
    World() { service.recover(); }
    model::SnapshotId snapshot() {
        const model::SnapshotId id = service.snapshot(service.add_volume());
        service.wait_until([&] { return service.row(id).state == model::SnapshotState::completed; },
                           "the snapshot to be completed");
        return id;
    }
    FastRestoreOutcome enable(const Caller& caller, std::vector<model::SnapshotId> snapshots,
                              std::vector<std::string> zones = {kZone}) {
        auto outcome = restores.enable(caller, {std::move(snapshots), std::move(zones)});
        REQUIRE(outcome);
        return std::move(*outcome);
    }
    FastRestoreOutcome disable(const Caller& caller, const model::SnapshotId& id) {
        auto outcome = restores.disable(caller, {{id}, {kZone}});
        REQUIRE(outcome);
        return std::move(*outcome);
    }
    std::vector<FastRestoreView> all(const Caller& caller, std::vector<Filter> filters = {}) {
        auto page = restores.describe(caller, {std::move(filters), {}});
        REQUIRE(page);
        return std::move(page->items);
    }
    // "enabled", "" when there is none.
    std::string state(const Caller& caller, const model::SnapshotId& id) {
        const auto found = all(caller, {{"snapshot-id", {id.str()}}});
        return found.empty() ? "" : std::string(model::to_string(found.front().progress.state));
    }
    void pass(std::chrono::milliseconds time) { clock.shift(passed += time); }
    bool is_fast(const Caller& caller, const model::SnapshotId& id, const char* zone = kZone) {
        CreateVolumeInput input;
        input.availability_zone = zone;
        input.ebs.snapshot_id = id;
        const auto made = volumes.create(caller, input);
        REQUIRE(made);
        return made->volume.fast_restored;
    }
    void share(const model::SnapshotId& id, bool with) {
        SnapshotSharingChange change;
        (with ? change.add : change.remove).push_back({kBob.account.str(), ""});
        REQUIRE(sharing.change(kAlice, id, change, false));
    }

    TempDir directory;
    TestService service{directory.path()};
    ShiftedClock clock{*service.clock};
    std::chrono::milliseconds passed{0};
    Parts parts{*service.store, *service.engine,  *service.hypervisor, clock,
                *service.rng,   service.topology, service.settings,    service.space};
    FastRestores restores{parts};
    SnapshotSharing sharing{parts};
    Volumes volumes{parts, *service.volumes, [] {}};
};

std::string code_of(const FastRestoreOutcome& outcome) {
    REQUIRE(outcome.done.empty());
    REQUIRE(outcome.refused.size() == 1);
    REQUIRE(outcome.refused[0].zones.size() == 1);
    return outcome.refused[0].zones[0].code;
}

}  // namespace

TEST_CASE("FS-1: fast restores are enabled by snapshot and zone, again in vain, and disabled") {
    World world;
    const auto id = world.snapshot();
    const auto made = world.enable(kAlice, {id, id}, {kZone, "use1-az2", kZone});
    REQUIRE(made.done.size() == 2);
    CHECK(made.refused.empty());
    CHECK(made.done[0].progress.state == State::enabling);
    CHECK(made.done[0].zone_id == "use1-az1");
    CHECK(made.done[1].restore.zone == kOtherZone);
    world.pass(std::chrono::seconds(3));
    CHECK(world.state(kAlice, id) == "optimizing");
    world.pass(std::chrono::seconds(3));
    CHECK(world.state(kAlice, id) == "enabled");
    const auto again = world.enable(kAlice, {id});
    CHECK(again.done.at(0).progress.state == State::enabled);
    CHECK(again.done[0].restore.begun == made.done[0].restore.begun);
    CHECK(world.all(kAlice, {{"availability-zone", {kOtherZone}}}).size() == 1);
    CHECK(world.all(kAlice, {{"availability-zone-id", {"use1-az1"}}}).size() == 1);
    CHECK(world.all(kAlice, {{"owner-id", {kAlice.account.str()}}}).size() == 2);
    CHECK(world.all(kAlice, {{"state", {"disabled"}}}).empty());
    CHECK(world.disable(kAlice, id).done.at(0).progress.state == State::disabling);
    CHECK(world.disable(kAlice, id).done.at(0).progress.state == State::disabling);
    world.pass(std::chrono::seconds(3));
    CHECK(world.all(kAlice, {{"state", {"disabled"}}}).size() == 1);
    CHECK(code_of(world.disable(kAlice, id)) == "IncorrectState");
    CHECK(world.enable(kAlice, {id}).done.at(0).progress.state == State::enabling);
    world.disable(kAlice, id);
    world.pass(std::chrono::hours(2));
    CHECK(world.all(kAlice).size() == 1);  // that of the other zone
}

TEST_CASE("FS-1: what keeps them from being enabled is told snapshot by snapshot") {
    World world;
    std::vector<model::SnapshotId> ids;
    for (std::size_t i = 0; i < kMaxFastRestored + 1; ++i) {
        ids.push_back(world.snapshot());
    }
    const model::SnapshotId unknown("snap-0123456789abcdef0");
    CHECK(code_of(world.enable(kAlice, {unknown})) == "InvalidSnapshot.NotFound");
    CHECK(code_of(world.enable(kBob, {ids[0]})) == "InvalidSnapshot.NotFound");
    CHECK(code_of(world.disable(kBob, ids[0])) == "InvalidSnapshot.NotFound");
    CHECK(code_of(world.disable(kAlice, ids[0])) == "IncorrectState");
    const auto outcome = world.enable(kAlice, ids);
    CHECK(outcome.done.size() == kMaxFastRestored);
    REQUIRE(outcome.refused.size() == 1);
    CHECK(outcome.refused[0].zones.at(0).code == "ResourceLimitExceeded");
    // Another zone of one of them is no further snapshot; one that was ended makes room.
    CHECK(world.enable(kAlice, {outcome.done[0].snapshot}, {kOtherZone}).refused.empty());
    world.disable(kAlice, outcome.done[1].snapshot);
    CHECK(world.enable(kAlice, {outcome.refused[0].snapshot}).refused.empty());

    auto large = world.service.row(outcome.done[2].snapshot);
    large.volume_size_gib = model::kMaxFastRestoreGib + 1;
    auto local = world.service.row(outcome.done[3].snapshot);
    local.local_zone = "us-east-1-bos-1a";
    REQUIRE(world.service.store->run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.snapshots().update(large));
        return tx.snapshots().update(local);
    }));
    CHECK(code_of(world.enable(kAlice, {large.id})) == "InvalidParameterValue");
    CHECK(code_of(world.enable(kAlice, {local.id})) == "InvalidParameterValue");
    CHECK(code_of(world.restores.enable(kAlice, {ids, {}})) == "MissingParameter");
    CHECK(code_of(world.restores.enable(kAlice, {{}, {kZone}})) == "MissingParameter");
    CHECK(code_of(world.restores.enable(kAlice, {{unknown}, {"us-east-1z"}})) ==
          "InvalidZone.NotFound");
    CHECK(code_of(world.restores.enable(kAlice, {std::vector(kMaxFastRestoreRequest + 1, unknown),
                                                 {kZone}})) == "InvalidRequest");
    CHECK(code_of(world.restores.enable(kAlice, {ids, {kZone}, true})) == "DryRunOperation");
}

TEST_CASE("FS-1: the list comes in pages, none of them with another account's") {
    World world;
    const auto one = world.snapshot();
    const auto two = world.snapshot();
    world.enable(kAlice, {one, two}, {kZone, kOtherZone});
    CHECK(world.all(kBob).empty());
    std::vector<std::string> seen;
    PageRequest page;
    page.max_results = 3;
    do {
        const auto found = world.restores.describe(kAlice, {{}, page});
        REQUIRE(found);
        for (const FastRestoreView& view : found->items) {
            seen.push_back(view.snapshot.str() + view.restore.zone);
        }
        page.next_token = found->next_token;
    } while (!page.next_token.empty());
    CHECK(seen.size() == 4);
    CHECK(std::set(seen.begin(), seen.end()).size() == 4);
    page.max_results = 0;
    CHECK(world.restores.describe(kAlice, {{}, page})->items.size() == 4);
    page.max_results = -1;
    CHECK(code_of(world.restores.describe(kAlice, {{}, page})) == "InvalidParameterValue");
    CHECK(code_of(world.restores.describe(kAlice, {{{"color", {"red"}}}, {}})) ==
          "InvalidParameterValue");
}

TEST_CASE(
    "FS-2: volumes are fast restored as long as there are credits, of this account and zone") {
    World world;
    const auto id = world.snapshot();
    world.share(id, true);
    CHECK_FALSE(world.is_fast(kAlice, id));
    world.enable(kAlice, {id});
    world.pass(std::chrono::minutes(1));
    CHECK_FALSE(world.is_fast(kAlice, id));
    world.pass(2 * kCredit);
    CHECK_FALSE(world.is_fast(kAlice, id, kOtherZone));
    CHECK_FALSE(world.is_fast(kBob, id));
    CHECK(world.is_fast(kAlice, id));
    CHECK(world.is_fast(kAlice, id));
    CHECK_FALSE(world.is_fast(kAlice, id));
    world.pass(kCredit);
    world.disable(kAlice, id);
    CHECK_FALSE(world.is_fast(kAlice, id));
}

TEST_CASE("FS-3: they end with the snapshot, and for others when it is not shared any more") {
    World world;
    const auto id = world.snapshot();
    world.share(id, true);
    world.enable(kAlice, {id});
    world.enable(kBob, {id});
    world.pass(std::chrono::seconds(5));
    CHECK(world.state(kBob, id) == "enabled");
    world.share(id, false);
    CHECK(world.state(kBob, id) == "disabling");
    CHECK(world.state(kAlice, id) == "enabled");
    world.pass(std::chrono::seconds(3));
    CHECK(world.state(kBob, id) == "disabled");
    CHECK(code_of(world.enable(kBob, {id})) == "InvalidSnapshot.NotFound");
    CHECK(code_of(world.disable(kBob, id)) == "IncorrectState");
    REQUIRE(world.service.snapshots->remove(kAlice, id, false));
    CHECK(world.all(kAlice).empty());
    CHECK(world.all(kBob).empty());
    CHECK(code_of(world.disable(kAlice, id)) == "InvalidSnapshot.NotFound");
}

TEST_CASE("VOL-19: an initialization rate is kept, within its limits, and only with a snapshot") {
    World world;
    const auto id = world.snapshot();
    CreateVolumeInput input;
    input.availability_zone = kZone;
    input.ebs.snapshot_id = id;
    for (const std::uint32_t rate : {100U, 300U}) {
        input.ebs.initialization_rate_mibps = rate;
        const auto made = world.volumes.create(kAlice, input);
        REQUIRE(made);
        CHECK(world.service.row(made->volume.id).initialization_rate_mibps == rate);
    }
    for (const std::uint32_t rate : {0U, 99U, 301U}) {
        input.ebs.initialization_rate_mibps = rate;
        CHECK(code_of(world.volumes.create(kAlice, input)) == "InvalidParameterValue");
    }
    input.ebs.initialization_rate_mibps = 100;
    input.ebs.snapshot_id = {};
    input.ebs.volume_size_gib = 1;
    CHECK(code_of(world.volumes.create(kAlice, input)) == "InvalidParameterCombination");
}
