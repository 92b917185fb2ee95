// SPDX-License-Identifier: Apache-2.0
// Fast launch (FLN-1 .. FLN-7): snapshots that are prepared by scripted machines over the real
// engine, the launches that use them, and what ends it all.
#include "control/fast_launches.h"

#include "control/tests/fast_launch_world.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::FastLaunchState;
using model::InstanceState;
using Values = std::vector<std::string>;

TEST_CASE("FLN-1: fast launch is for Windows images that the caller may launch") {
    FastLaunchWorld world;
    FastLaunchLife& life = world.life;
    const auto linux_image = life.image("linux", false);
    const auto id = life.image("windows");
    CHECK(life.enable(linux_image, 1) == "InvalidRequest");
    CHECK(life.enable(id, 1, kBob) == "AuthFailure");
    CHECK(life.enable(model::ImageId("ami-0123456789abcdef0"), 1) == "InvalidAMIID.NotFound");
    CHECK(life.enable(id, 0) == "InvalidParameterValue");
    EnableFastLaunchInput input;
    input.image = id;
    input.parallel = 5;
    CHECK(refusal(life.fast.enable(kAlice, input)) == "InvalidParameterValue");
    input.parallel.reset();
    input.resource_type = "volume";
    CHECK(refusal(life.fast.enable(kAlice, input)) == "InvalidParameterValue");
    input.resource_type = "snapshot";
    input.launch_template = TemplateName{"lt-0123456789abcdef0", ""};
    input.template_version = "1";
    CHECK(refusal(life.fast.enable(kAlice, input)) == "InvalidLaunchTemplateId.NotFound");
    input.launch_template.reset();
    input.dry_run = true;
    CHECK(refusal(life.fast.enable(kAlice, input)) == "DryRunOperation");
    input.dry_run = false;
    life.type = "t9.nano";
    CHECK(refusal(life.fast.enable(kAlice, input)) == "InvalidParameterValue");
    CHECK(life.is_gone(id));
    CHECK(refusal(life.fast.disable(kAlice, {id})) == "InvalidRequest");
    CHECK(life.all(InstanceState::pending).empty());
}

TEST_CASE("FLN-3 FLN-4 FLN-5: snapshots are prepared, used by launches, and replaced") {
    FastLaunchWorld world;
    FastLaunchLife& life = world.life;
    const auto id = life.image("windows");
    life.protect = true;
    REQUIRE(life.enable(id, 2) == "");
    CHECK(life.record(id).state == FastLaunchState::enabling);
    CHECK(life.record(id).reason == "Client.UserInitiated");
    life.wait_running(2);
    for (const model::Instance& instance : life.all(InstanceState::running)) {
        CHECK(life.found_by(instance) == "image ");
        CHECK(life.record(id).machines.size() == 2);
        const auto tags = must(life.service.store->read([&](catalog::Transaction& tx) {
            return tx.tags().of(kAlice.account, {instance.id.str()});
        }));
        REQUIRE(tags.at(instance.id.str()).size() == 1);
        CHECK(tags.at(instance.id.str())[0].value == "EC2 Fast Launch");
    }
    // Nothing is ready yet: the launch is of the image.
    const model::Instance early = life.launch(id);
    CHECK(life.found_by(early) == "image ");
    life.power_off(early);
    life.guests_prepare("first");
    life.wait_state(id, FastLaunchState::enabled);
    CHECK(life.record(id).ready.size() == 2);
    // The machines end, protected or not, and leave nothing.
    life.service.wait_until([&] { return life.all(InstanceState::terminated).size() == 2; },
                            "the machines are ended");
    const auto snapshot = life.service.row(life.record(id).ready[0]);
    CHECK(snapshot.owner_id == kAlice.account);
    CHECK(snapshot.description.find("for " + id.str()) != std::string::npos);
    CHECK(life.snapshots() == 3);

    const model::Instance fast = life.launch(id);
    CHECK(life.found_by(fast) == "image first");
    CHECK(life.service.row(life.root_of(fast.id)).snapshot_id ==
          life.row(id).block_device_mappings[0].ebs->snapshot_id);
    life.wait_running(2);  // it, and the next that prepares
    CHECK(life.record(id).ready.size() == 1);
    CHECK(life.record(id).state == FastLaunchState::enabled);
    const model::Instance larger = life.launch(id, kAlice, 3);
    CHECK(life.found_by(larger) == "image first");
    CHECK(life.record(id).ready.empty());
    CHECK(life.snapshots() == 1);  // those that were used are deleted
    life.wait_running(4);

    REQUIRE(refusal(life.fast.disable(kAlice, {id})) == "");
    life.service.wait_until([&] { return life.is_gone(id); }, "it is disabled");
    life.wait_running(2);  // those that were launched for somebody
    CHECK(life.service.jobs_of(kFastLaunchJob) == 0);
    CHECK(life.found_by(fast) == "image first");
}

TEST_CASE("FLN-2: what is enabled may be set anew; what is ready beyond the target goes") {
    FastLaunchWorld world;
    FastLaunchLife& life = world.life;
    const auto id = life.image("windows");
    REQUIRE(life.enable(id, 2) == "");
    life.wait_running(2);
    life.guests_prepare("first");
    life.wait_state(id, FastLaunchState::enabled);
    REQUIRE(life.enable(id, 1) == "");
    CHECK(life.record(id).state == FastLaunchState::enabled);
    life.service.wait_until([&] { return life.record(id).ready.size() == 1; }, "one goes");
    CHECK(life.snapshots() == 2);
    REQUIRE(life.enable(id, 2) == "");
    CHECK(life.record(id).state == FastLaunchState::enabling);
    life.wait_running(1);
    // One that somebody deleted is made again.
    REQUIRE(life.service.snapshots->remove(kAlice, life.record(id).ready.at(0), false));
    life.wait_running(2);
    life.guests_prepare("second");
    life.wait_state(id, FastLaunchState::enabled);
    CHECK(life.record(id).ready.size() == 2);
}

TEST_CASE(
    "FLN-5: a machine that does not prepare itself ends it, with the reason, until it is "
    "enabled again") {
    FastLaunchWorld world;
    FastLaunchLife& life = world.life;
    const auto id = life.image("windows");
    REQUIRE(life.enable(id, 2) == "");
    life.wait_running(2);
    const auto running = life.all(InstanceState::running);
    REQUIRE(life.service.host.crash(machine_id(running[0].id)));
    REQUIRE(life.worker.machine_ended(running[0].id, generation_of(running[0]),
                                      EndReason::machine_failed));
    life.wait_state(id, FastLaunchState::enabling_failed);
    CHECK(life.record(id).reason.starts_with("Server.InternalError: "));
    life.service.wait_until([&] { return life.all(InstanceState::terminated).size() == 2; },
                            "both machines are ended");
    CHECK(life.record(id).machines.empty());
    REQUIRE(life.enable(id, 1) == "");
    life.wait_running(1);
    life.guests_prepare("first");
    life.wait_state(id, FastLaunchState::enabled);
    // The next, for one that somebody deleted, does not start.
    life.service.host.fail_next_start(Error(Code::internal, "no machine today"));
    REQUIRE(life.service.snapshots->remove(kAlice, life.record(id).ready.at(0), false));
    REQUIRE(life.enable(id, 1) == "");
    life.wait_state(id, FastLaunchState::enabled_failed);
    CHECK(life.record(id).reason.starts_with("Server.InternalError: "));
    CHECK(life.record(id).ready.empty());
}

TEST_CASE("FLN-6: an image that may not be launched any more has no fast launch") {
    FastLaunchWorld world;
    FastLaunchLife& life = world.life;
    const auto id = life.image("windows");
    model::Account bob;
    bob.id = kBob.account;
    REQUIRE(life.service.store->run(
        [&](catalog::Transaction& tx) { return tx.accounts().insert(bob); }));
    ImageChange share;
    share.add = {{.user_id = kBob.account.str()}};
    REQUIRE(life.images.modify(kAlice, {id}, share));
    REQUIRE(life.enable(id, 1, kBob) == "");
    REQUIRE(life.enable(id, 1) == "");
    life.wait_running(2);
    life.guests_prepare("first");
    life.wait_state(id, FastLaunchState::enabled);
    life.wait_state(id, FastLaunchState::enabled, kBob);
    // FLN-4: his own first, then the owner's.
    CHECK(life.found_by(life.launch(id, kBob)) == "image first");
    CHECK(life.record(id, kBob).ready.empty());
    CHECK(life.found_by(life.launch(id, kBob)) == "image first");
    CHECK(life.record(id).ready.empty());

    const auto describe = [&](const Caller& caller, std::vector<Filter> filters) {
        return must(life.fast.describe(caller, {{}, std::move(filters), {}})).items.size();
    };
    CHECK(describe(kBob, {{"owner-id", Values{kBob.account.str()}}}) == 1);
    CHECK(describe(kBob, {{"state", Values{"disabling*"}}}) == 0);
    REQUIRE(life.images.reset_launch_permission(kAlice, {id}));
    CHECK(life.record(id, kBob).state != FastLaunchState::enabled);
    life.service.wait_until([&] { return describe(kBob, {}) == 0; }, "his is gone");
    CHECK(describe(kAlice, {{"resource-type", Values{"snapshot"}}}) == 1);
    CHECK(life.record(id).account == kAlice.account);

    REQUIRE(life.images.deregister(kAlice, {id}).has_value());
    life.service.wait_until([&] { return life.is_gone(id); }, "the owner's is gone");
    life.wait_running(2);  // what he launched
    CHECK(life.snapshots() == 1);
    CHECK(life.service.jobs_of(kFastLaunchJob) == 0);
}

TEST_CASE("FLN-7: a snapshot that an image uses keeps it from being disabled, unless by force") {
    FastLaunchWorld world;
    FastLaunchLife& life = world.life;
    const auto id = life.image("windows");
    REQUIRE(life.enable(id, 1) == "");
    life.wait_running(1);
    life.guests_prepare("first");
    life.wait_state(id, FastLaunchState::enabled);
    const model::SnapshotId ready = life.record(id).ready.at(0);
    const auto user =
        must(life.images.register_image(kAlice, FastLaunchLife::input("other", ready)));
    REQUIRE(refusal(life.fast.disable(kAlice, {id})) == "");
    life.wait_state(id, FastLaunchState::disabling_failed);
    CHECK(life.record(id).reason.find(user.str()) != std::string::npos);
    CHECK(life.enable(id, 1) == "InvalidRequest");
    CHECK(life.found_by(life.launch(id)) == "image ");  // it is used no more
    REQUIRE(refusal(life.fast.disable(kAlice, {id, true})) == "");
    life.service.wait_until([&] { return life.is_gone(id); }, "it is disabled");
    CHECK(life.service.row(ready).state == model::SnapshotState::completed);
    CHECK(life.found_by(life.launch(user)) == "image first");
}

TEST_CASE("FLN-5: the work goes on where it was when the service ended") {
    const TempDir directory;
    TestService::Options options;
    options.max_undestaged_layers = 0;  // a snapshot is pending until its bytes are stored
    model::ImageId id;
    {
        FastLaunchLife life(directory.path(), options);
        id = life.image("windows");
        REQUIRE(life.enable(id, 1) == "");
        life.wait_running(1);
        const auto running = life.all(InstanceState::running);
        life.service.write(life.root_of(running.at(0).id), 1, "first");
        life.power_off(running[0]);
        life.service.wait_until(
            [&] {
                const auto machines = life.record(id).machines;
                return machines.empty() || !machines[0].snapshot_id.empty();
            },
            "the snapshot is begun");
    }
    FastLaunchLife life(directory.path(), options);
    life.wait_state(id, FastLaunchState::enabled);
    CHECK(life.record(id).machines.empty());
    CHECK(life.found_by(life.launch(id)) == "image first");
    life.wait_running(2);  // it, and the next that prepares
}
