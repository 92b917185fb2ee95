// SPDX-License-Identifier: Apache-2.0
// Contents on their way into the image tier, and what happens to their layers.
#include <unistd.h>

#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

TEST_CASE(
    "D1 D4: a content that nobody names is merged into the next, its layer stays while read") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    service.open(volume);
    service.write(volume, 0, "one");
    const auto first = service.snapshot(volume);
    service.write(volume, 1, "two");
    const auto second = service.snapshot(volume);
    REQUIRE(service.snapshots->remove(kAlice, first, false));
    CHECK(service.contents() == 2);  // the second stands on it
    service.start_jobs();
    const auto content = service.row(second).content;
    service.wait_rooted(content);
    CHECK(service.contents() == 1);
    CHECK(service.row(content).parent.empty());
    CHECK(service.read(content, 0) == "one");
    CHECK(service.read(content, 1) == "two");
    // The volume reads both layers as long as it is open.
    CHECK(service.row(content).spares.size() == 1);
    CHECK(service.engine->list_layers()->size() == 3);
    service.without_packs([&] {
        CHECK(service.read(volume, 0) == "one");
        CHECK(service.read(volume, 1) == "two");
    });
    service.close(volume);
    service.wait_until([&] { return service.engine->list_layers()->size() == 1; },
                       "they are dropped once no open volume reads them");
    CHECK(service.row(content).layer.empty());
    CHECK(service.row(content).spares.empty());
    service.open(volume);
    CHECK(service.read(volume, 0) == "one");
    CHECK(service.read(volume, 1) == "two");
    CHECK(service.engine->counters().chunk_reads > 0);
}

TEST_CASE("D1: contents are stored in the order of their parents") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    service.open(volume);
    std::vector<model::SnapshotId> made;
    for (int i = 0; i < 4; ++i) {
        service.write(volume, static_cast<std::uint64_t>(i), "word " + std::to_string(i));
        made.push_back(service.snapshot(volume));
    }
    // The newest job first: it has to wait for the others all the same.
    REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
        TRY(tx.jobs().wake(service.row(made[3]).content.str(), UnixMillis{1}));
        return ok();
    }));
    service.start_jobs();
    for (const model::SnapshotId& id : made) {
        service.wait_rooted(service.row(id).content);
    }
    for (std::uint64_t i = 0; i < 4; ++i) {
        const auto content = service.row(made[i]).content;
        CHECK(service.read(content, i) == "word " + std::to_string(i));
        CHECK(service.read(content, i + 1) == "");
        CHECK(service.row(content).parent.empty());
    }
}

TEST_CASE("a service that is killed in a destage begins it again, and finds what it had stored") {
    TempDir dir;
    REQUIRE(live_and_die([&] {
                TestService service(dir.path());
                service.recover();
                const auto volume = service.add_volume();
                service.open(volume);
                service.write(volume, 0, "word");
                service.snapshot(volume);
                service.close_gate();
                service.start_jobs();
                service.wait_at_gate();
                ::_exit(3);
            }) == 3);
    TestService service(dir.path());
    service.recover();
    const auto before = service.packs()[model::PackState::stored];
    CHECK(before > 0);
    service.start_jobs();
    service.wait_until([&] { return service.jobs_of(kDestageJob) == 0; }, "it is done again");
    const auto contents =
        service.store->read([](catalog::Transaction& tx) { return tx.contents().list({}); });
    REQUIRE(contents);
    REQUIRE(contents->size() == 1);
    CHECK((*contents)[0].state == model::ContentState::rooted);
    CHECK(service.read((*contents)[0].id, 0) == "word");
}

TEST_CASE("a service that stops ends a destage under way, and leaves it to the next one") {
    TempDir dir;
    model::ContentId content;
    {
        TestService service(dir.path());
        service.recover();
        const auto volume = service.add_volume();
        service.open(volume);
        for (std::uint64_t i = 0; i < 400; ++i) {
            service.write(volume, i, "word " + std::to_string(i));
        }
        content = service.row(service.snapshot(volume)).content;
        service.start_jobs();
    }
    TestService service(dir.path());
    service.recover();
    service.start_jobs();
    service.wait_rooted(content);
    CHECK(service.read(content, 399) == "word 399");
}

TEST_CASE("an import is stored like any other content") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    service.start_jobs();
    Imports imports(*service.parts, [&] { service.jobs->poke(); });
    ImportInput input;
    input.image.name = "imported";
    input.image.architecture = model::Architecture::x86_64;
    input.image.virtualization_type = model::VirtualizationType::hvm;
    input.image.root_device_name = "/dev/xvda";
    input.size_bytes = 1 << 20;
    auto import = imports.begin(kAlice, input);
    REQUIRE_MESSAGE(import, (import ? "" : import.error().to_string()));
    Bytes disk(1 << 20, 0);
    std::fill(disk.begin(), disk.begin() + 65536, std::uint8_t{'x'});
    REQUIRE((*import)->write(disk));
    const auto imported = (*import)->finish();
    REQUIRE_MESSAGE(imported, (imported ? "" : imported.error().to_string()));
    const auto content = service.row(imported->snapshot_id).content;
    service.wait_rooted(content);
    service.wait_until([&] { return service.engine->list_layers()->empty(); },
                       "its layer is dropped");
    REQUIRE(service.engine->open_content(block::VolumeId("look"), block_id(content), soon()));
    const auto bytes = service.engine->read(block::VolumeId("look"), 0, 1 << 20, soon());
    REQUIRE(bytes);
    CHECK(*bytes == disk);
}
