// SPDX-License-Identifier: Apache-2.0
#include "control/snapshots.h"

#include "control/launch.h"
#include "control/snapshot_access.h"
#include "control/tests/test_service.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::SnapshotState;

namespace {

std::vector<std::string> ids(const Result<Page<SnapshotView>>& page) {
    REQUIRE_MESSAGE(page, (page ? "" : page.error().to_string()));
    std::vector<std::string> out;
    for (const SnapshotView& view : page->items) {
        out.push_back(view.snapshot.id.str());
    }
    return out;
}

// An instance row with these volumes attached, the first as its root.
model::InstanceId add_instance(TestService& service, const std::vector<model::VolumeId>& volumes,
                               model::InstanceState state = model::InstanceState::stopped) {
    const auto id = model::make_id<model::InstanceId>(*service.rng);
    REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
        model::Instance instance;
        instance.id = id;
        instance.owner_id = kAlice.account;
        instance.region = kAlice.region;
        instance.state = state;
        instance.instance_type = "t2.nano";
        instance.root_device_name = "/dev/xvda";
        TRY(tx.instances().insert(instance));
        char device = 'a';
        for (const model::VolumeId& volume_id : volumes) {
            TRY_ASSIGN(model::Volume volume, tx.volumes().get(volume_id));
            TRY(model::add_attachment(
                volume, {id, std::string("/dev/xvd") + device++, model::AttachmentState::attached,
                         false, UnixMillis{1}}));
            TRY(tx.volumes().update(volume));
        }
        return ok();
    }));
    return id;
}

}  // namespace

TEST_CASE("SNP-2: a snapshot holds the bytes of its instant, whatever is written afterwards") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    service.open(volume);
    service.write(volume, 0, "before");
    service.write(volume, 100, "kept");
    const auto first = service.snapshot(volume);
    service.write(volume, 0, "after");
    const auto second = service.snapshot(volume);
    service.write(volume, 100, "later");

    for (int rooted = 0; rooted < 2; ++rooted) {
        const auto one = service.row(service.row(first).content);
        const auto two = service.row(service.row(second).content);
        CHECK(service.row(first).state == SnapshotState::completed);
        CHECK(service.read(one.id, 0) == "before");
        CHECK(service.read(one.id, 100) == "kept");
        CHECK(service.read(two.id, 0) == "after");
        CHECK(service.read(two.id, 100) == "kept");
        CHECK(service.read(two.id, 1) == "");
        CHECK(service.read(volume, 0) == "after");
        CHECK(service.read(volume, 100) == "later");
        if (rooted == 0) {
            CHECK(one.state == model::ContentState::layered);
            CHECK(two.parent == one.id);
            service.start_jobs();
            service.wait_rooted(one.id);
            service.wait_rooted(two.id);
        }
    }
    service.close(volume);
    service.open(volume);
    CHECK(service.read(volume, 100) == "later");
}

TEST_CASE("a closed volume is opened for its cut and closed again") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    service.open(volume);
    service.write(volume, 3, "old");
    service.close(volume);
    const auto snapshot = service.snapshot(volume);
    CHECK_FALSE(service.engine->is_open(block_id(volume)));
    CHECK(service.read(service.row(snapshot).content, 3) == "old");
    // One that nobody ever opened has no bytes, and gets files only now.
    const auto fresh = service.add_volume();
    const auto empty = service.snapshot(fresh);
    CHECK(service.row(empty).state == SnapshotState::completed);
    CHECK(service.read(service.row(empty).content, 0) == "");
}

TEST_CASE("files of a layer that was open are never made afresh: their loss is told") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    const auto layer = service.row(volume).active_layer;
    CHECK(service.row(layer).state == model::LayerState::planned);
    service.open(volume);
    CHECK(service.row(layer).state == model::LayerState::open);
    service.write(volume, 0, "precious");
    service.close(volume);
    REQUIRE(service.engine->drop_layer(block_id(layer), soon()));
    const Status opened = service.volumes->open_read_only(volume, soon());
    REQUIRE_FALSE(opened);
    CHECK((opened.error().code() == Code::not_found || opened.error().code() == Code::data_loss));
}

TEST_CASE("SNP-8: the snapshots of an instance share set and start time, in the order asked for") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto root = service.add_volume();
    const auto data = service.add_volume(2);
    const auto other = service.add_volume(3);
    const auto instance = add_instance(service, {root, data, other});
    REQUIRE(service.store->run([&](catalog::Transaction& tx) {
        return tx.tags().put({kAlice.account, kAlice.region, "volume", data.str()},
                             {{"of", "volume"}, {"both", "volume"}});
    }));
    CreateSnapshotsInput input;
    input.instance_id = instance;
    input.copy_volume_tags = true;
    input.tags = {{"snapshot", {{"both", "request"}}}};
    const auto views = service.snapshots->create_set(kAlice, input);
    REQUIRE_MESSAGE(views, (views ? "" : views.error().to_string()));
    REQUIRE(views->size() == 3);
    CHECK((*views)[0].snapshot.volume_id == root);
    CHECK((*views)[1].snapshot.volume_id == data);
    CHECK((*views)[1].tags ==
          std::vector<model::Tag>{{"both", "request"}, {"of", "volume"}});  // TAG-7
    CHECK((*views)[2].snapshot.volume_size_gib == 3);
    CHECK((*views)[0].snapshot.set == (*views)[2].snapshot.set);
    CHECK((*views)[0].snapshot.created == (*views)[2].snapshot.created);
    CHECK((*views)[0].snapshot.state == SnapshotState::pending);
    CHECK(service.row((*views)[0].snapshot.id).state == SnapshotState::completed);

    input.exclude_boot_volume = true;
    input.exclude_data_volumes = {other};
    const auto less = service.snapshots->create_set(kAlice, input);
    REQUIRE(less);
    REQUIRE(less->size() == 1);
    CHECK((*less)[0].snapshot.volume_id == data);

    input.exclude_data_volumes = {other, data};
    CHECK(code_of(service.snapshots->create_set(kAlice, input)) == "InvalidParameterCombination");
    input.exclude_boot_volume = false;
    input.exclude_data_volumes = {root};
    CHECK(code_of(service.snapshots->create_set(kAlice, input)) == "InvalidParameterValue");
    input.exclude_data_volumes = {service.add_volume()};
    CHECK(code_of(service.snapshots->create_set(kAlice, input)) == "InvalidParameterValue");
    input.exclude_data_volumes = {model::VolumeId("vol-00000000000000001")};
    CHECK(code_of(service.snapshots->create_set(kAlice, input)) == "InvalidVolume.NotFound");
    input.exclude_data_volumes.assign(41, data);
    CHECK(code_of(service.snapshots->create_set(kAlice, input)) == "InvalidParameterValue");
    CHECK(code_of(service.snapshots->create_set(kBob, input)) == "InvalidInstanceID.NotFound");
    input.exclude_data_volumes.clear();
    input.instance_id = add_instance(service, {}, model::InstanceState::pending);
    CHECK(code_of(service.snapshots->create_set(kAlice, input)) == "IncorrectInstanceState");
}

TEST_CASE("SNP-10 ERR-3 TAG-5: bad requests change nothing") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    const model::Volume before = service.row(volume);
    CreateSnapshotInput input;
    input.volume_id = volume;
    input.dry_run = true;
    CHECK(code_of(service.snapshots->create(kAlice, input)) == "DryRunOperation");
    CHECK(code_of(service.snapshots->create(kBob, input)) == "InvalidVolume.NotFound");
    for (int i = 0; i < 255; ++i) {  // characters, not bytes
        input.description += "\xC3\xBC";
    }
    CHECK(code_of(service.snapshots->create(kAlice, input)) == "DryRunOperation");
    input.dry_run = false;
    input.description.assign(256, 'x');
    CHECK(code_of(service.snapshots->create(kAlice, input)) == "InvalidParameterValue");
    input.description.clear();
    input.tags = {{"volume", {{"a", "b"}}}};
    CHECK(code_of(service.snapshots->create(kAlice, input)) == "InvalidParameterValue");
    REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
        model::Volume changed = before;
        changed.state = model::VolumeState::creating;
        return tx.volumes().update(changed);
    }));
    input.tags.clear();
    CHECK(code_of(service.snapshots->create(kAlice, input)) == "IncorrectState");
    CHECK(service.row(volume).active_layer == before.active_layer);
    CHECK(service.contents() == 0);
    CHECK(ids(service.snapshots->describe(kAlice, {})).empty());
}

TEST_CASE("SNP-13 IDL-2 PAG-5 PAG-7: what DescribeSnapshots shows") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    std::vector<std::string> made;
    for (int i = 0; i < 7; ++i) {
        made.push_back(service.snapshot(volume).str());
    }
    DescribeSnapshotsInput all;
    CHECK(ids(service.snapshots->describe(kAlice, all)).size() == 7);
    CHECK(ids(service.snapshots->describe(kBob, all)).empty());
    DescribeSnapshotsInput by_id;
    by_id.ids = {model::SnapshotId(made[1]), model::SnapshotId(made[0]),
                 model::SnapshotId(made[1])};
    CHECK(ids(service.snapshots->describe(kAlice, by_id)).size() == 2);
    CHECK(ids(service.snapshots->describe(kBob, by_id)).empty());  // there, and not Bob's
    by_id.ids.emplace_back("snap-00000000000000001");
    by_id.ids.emplace_back("snap-00000000000000002");
    const auto missing = service.snapshots->describe(kAlice, by_id);
    REQUIRE_FALSE(missing);
    CHECK(missing.error().api_code() == "InvalidSnapshot.NotFound");
    CHECK(missing.error().message().find("00002") != std::string::npos);

    const auto count = [&](std::vector<std::string> owners, std::vector<std::string> users) {
        DescribeSnapshotsInput input;
        input.owners = std::move(owners);
        input.restorable_by = std::move(users);
        return ids(service.snapshots->describe(kAlice, input)).size();
    };
    CHECK(count({"self"}, {}) == 7);
    CHECK(count({kAlice.account.str(), "amazon"}, {"self"}) == 7);
    CHECK(count({"amazon"}, {}) == 0);
    CHECK(count({kBob.account.str()}, {}) == 0);
    CHECK(count({}, {"all"}) == 0);
    CHECK(count({}, {kAlice.account.str()}) == 7);
    DescribeSnapshotsInput bad;
    bad.owners = {"me"};
    CHECK(code_of(service.snapshots->describe(kAlice, bad)) == "InvalidUserID.Malformed");

    DescribeSnapshotsInput paged;
    paged.page.max_results = 5;
    const auto first = service.snapshots->describe(kAlice, paged);
    std::vector<std::string> seen = ids(first);
    REQUIRE(seen.size() == 5);
    paged.page.next_token = first->next_token;
    const auto rest = ids(service.snapshots->describe(kAlice, paged));
    seen.insert(seen.end(), rest.begin(), rest.end());
    const auto whole = ids(service.snapshots->describe(kAlice, all));
    CHECK(seen == whole);
    const auto created = [&](const std::string& id) {
        return service.row(model::SnapshotId(id)).created.value;
    };
    CHECK(std::is_sorted(whole.begin(), whole.end(), [&](const auto& a, const auto& b) {
        return std::pair(created(b), b) < std::pair(created(a), a);
    }));
    paged.page.max_results = 4;
    CHECK(code_of(service.snapshots->describe(kAlice, paged)) == "InvalidParameterValue");
}

TEST_CASE("SNP-14: every filter selects by its attribute") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume(4);
    CreateSnapshotInput input;
    input.volume_id = volume;
    input.description = "nightly";
    input.tags = {{"snapshot", {{"kind", "db"}}}};
    const auto made = service.snapshots->create(kAlice, input);
    REQUIRE(made);
    service.snapshot(service.add_volume());
    const auto found = [&](const std::string& name, const std::string& value) {
        DescribeSnapshotsInput query;
        query.filters = {{name, {value}}};
        return ids(service.snapshots->describe(kAlice, query));
    };
    const std::vector<std::string> one{made->snapshot.id.str()};
    CHECK(found("description", "night*") == one);
    CHECK(found("snapshot-id", one[0]) == one);
    CHECK(found("volume-id", volume.str()) == one);
    CHECK(found("volume-size", "4") == one);
    CHECK(found("tag:kind", "db") == one);
    CHECK(found("tag-key", "kind") == one);
    CHECK(found("encrypted", "false").size() == 2);
    CHECK(found("owner-id", kAlice.account.str()).size() == 2);
    CHECK(found("owner-alias", "amazon").empty());
    CHECK(found("progress", "100%").size() == 2);
    CHECK(found("start-time", "20*").size() == 2);
    CHECK(found("status", "completed").size() == 2);
    CHECK(found("status", "error").empty());
    CHECK(found("storage-tier", "standard").size() == 2);
    CHECK(found("transfer-type", "standard").empty());
    DescribeSnapshotsInput unknown;
    unknown.filters = {{"colour", {"red"}}};
    CHECK(code_of(service.snapshots->describe(kAlice, unknown)) == "InvalidParameterValue");
}

TEST_CASE("SNP-20 SNP-21: an image keeps its snapshot; what stands on a snapshot outlives it") {
    TempDir dir;
    TestService service(dir.path());
    service.recover();
    const auto volume = service.add_volume();
    service.open(volume);
    service.write(volume, 0, "base");
    const auto snapshot = service.snapshot(volume);
    const auto content = service.row(snapshot).content;
    RegisterImageInput image;
    image.name = "image";
    image.architecture = model::Architecture::x86_64;
    image.virtualization_type = model::VirtualizationType::hvm;
    image.root_device_name = "/dev/xvda";
    image.block_device_mappings.resize(1);
    image.block_device_mappings[0].device_name = "/dev/xvda";
    image.block_device_mappings[0].ebs.emplace().snapshot_id = snapshot;
    const auto image_id = Images(*service.parts).register_image(kAlice, image);
    REQUIRE_MESSAGE(image_id, (image_id ? "" : image_id.error().to_string()));
    const Status refused = service.snapshots->remove(kAlice, snapshot, false);
    CHECK(code_of(refused) == "InvalidSnapshot.InUse");
    CHECK(refused.error().message() ==
          "The snapshot " + snapshot.str() + " is currently in use by " + image_id->str());
    REQUIRE(service.store->run([&](catalog::Transaction& tx) -> Status {
        TRY_ASSIGN(model::Image row, tx.images().get(*image_id));
        row.state = model::ImageState::deregistered;
        return tx.images().update(row);
    }));
    const auto copy = service.add_volume(1, content);
    CHECK(code_of(service.snapshots->remove(kBob, snapshot, false)) == "InvalidSnapshot.NotFound");
    CHECK(code_of(service.snapshots->remove(kAlice, snapshot, true)) == "DryRunOperation");
    REQUIRE(service.snapshots->remove(kAlice, snapshot, false));
    CHECK(code_of(service.snapshots->remove(kAlice, snapshot, false)) ==
          "InvalidSnapshot.NotFound");

    service.start_jobs();
    service.open(copy);
    CHECK(service.read(copy, 0) == "base");
    service.remove_volume(volume);
    service.wait_rooted(content);
    CHECK(service.read(copy, 0) == "base");
    service.remove_volume(copy);
    CHECK(service.contents() == 0);
    service.wait_until([&] { return service.engine->list_layers()->empty(); },
                       "every layer is gone");
    service.wait_until([&] { return service.jobs_of(kDropLayerJob) == 0; }, "no job is left");
}

TEST_CASE("D8 SNP-9 SNP-12 SNP-22 RI-3: a long chain keeps snapshots pending until it is stored") {
    TempDir dir;
    TestService service(dir.path(), {.max_undestaged_layers = 2, .inject_retry_percent = 20});
    service.recover();
    const auto volume = service.add_volume();
    service.open(volume);
    std::vector<model::SnapshotId> made;
    for (int i = 0; i < 7; ++i) {
        service.write(volume, 0, "generation " + std::to_string(i));
        made.push_back(service.snapshot(volume));
    }
    CHECK(service.row(made[1]).state == SnapshotState::completed);
    CHECK(service.row(made[2]).state == SnapshotState::pending);
    CHECK(service.row(made[2]).progress_percent == 99);
    CreateSnapshotInput input;
    input.volume_id = volume;
    CHECK(code_of(service.snapshots->create(kAlice, input)) == "ConcurrentSnapshotLimitExceeded");

    const auto refusal = service.store->read(
        [&](catalog::Transaction& tx) { return find_readable_snapshot(tx, kAlice, made[6]); });
    CHECK(code_of(refusal) == "IncorrectState");
    CHECK(refusal.error().message() == "Snapshot is in invalid state - pending");
    RegisterImageInput image;
    image.name = "image";
    image.virtualization_type = model::VirtualizationType::hvm;
    image.root_device_name = "/dev/xvda";
    image.block_device_mappings.resize(1);
    image.block_device_mappings[0].device_name = "/dev/xvda";
    image.block_device_mappings[0].ebs.emplace().snapshot_id = made[6];
    CHECK(code_of(Images(*service.parts).register_image(kAlice, image)) == "IncorrectState");

    // SNP-22: a pending one may go; its bytes stay below those of the later ones.
    REQUIRE(service.snapshots->remove(kAlice, made[3], false));
    CHECK(ids(service.snapshots->describe(kAlice, {})).size() == 6);

    service.start_jobs();
    service.wait_until([&] { return service.row(made[6]).state == SnapshotState::completed; },
                       "the queue shrinks and the last one completes");
    CHECK(Images(*service.parts).register_image(kAlice, image));
    CHECK(service.read(service.row(made[6]).content, 0) == "generation 6");
    CHECK(service.read(service.row(made[2]).content, 0) == "generation 2");
    CHECK(service.row(made[6]).progress_percent == 100);
}
