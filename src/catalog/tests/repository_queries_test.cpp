// SPDX-License-Identifier: Apache-2.0
// What the queries of the repositories select, for every store.
#include "catalog/tests/backends.h"
#include "catalog/tests/repository_support.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::model;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

TEST_CASE_TEMPLATE("images are selected by owner, region, state, name, snapshot and permission",
                   Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    Image own = small_image(1);
    own.block_device_mappings = {{"/dev/sda1", EbsBlockDevice{SnapshotId("snap-1")}, "", false},
                                 {"/dev/sdb", EbsBlockDevice{SnapshotId("snap-1")}, "", false}};
    Image shared = small_image(2, kBob);
    shared.launch_permissions.accounts = {kAlice, kCarol};
    Image hidden = small_image(3, kBob);
    hidden.launch_permissions.organizations = {"arn:two", "arn:three"};
    Image everybodys = small_image(4, kCarol);
    everybodys.launch_permissions.everybody = true;
    everybodys.block_device_mappings = {
        {"/dev/sda1", EbsBlockDevice{SnapshotId("snap-2")}, "", false}};
    Image abroad = small_image(5);
    abroad.region = "eu-west-1";
    abroad.state = ImageState::pending;
    everybodys.owner_alias = "amazon";
    for (const Image& image : {own, shared, hidden, everybodys, abroad}) {
        REQUIRE(insert(*store, image).has_value());
    }
    const auto id = [](unsigned n) { return id_of("ami", n); };

    CHECK(ids(*store, {.owners = {kBob}}) == Ids{id(2), id(3)});
    CHECK(ids(*store, {.owners = {kBob, kCarol}}) == Ids{id(2), id(3), id(4)});
    CHECK(ids(*store, {.region = "eu-west-1"}) == Ids{id(5)});
    CHECK(ids(*store, {.states = {ImageState::pending}}) == Ids{id(5)});
    CHECK(ids(*store, {.names = {"image-3", "image-4", "none"}}) == Ids{id(3), id(4)});
    CHECK(ids(*store, {.names = {"image"}}).empty());
    CHECK(ids(*store, {.name_prefix = "image-"}).size() == 5);
    CHECK(ids(*store, {.name_prefix = "image-2"}) == Ids{id(2)});
    CHECK(ids(*store, {.ids = {own.id, hidden.id, own.id}}) == Ids{id(1), id(3)});
    CHECK(ids(*store, {.uses_snapshot = SnapshotId("snap-1")}) == Ids{id(1)});
    CHECK(ids(*store, {.everybody = true}) == Ids{id(4)});
    // DI-1, DI-3
    CHECK(ids(*store, {.region = "us-east-1", .visible_to = kAlice}) == Ids{id(1), id(2), id(4)});
    CHECK(ids(*store, {.visible_to = kBob}) == Ids{id(2), id(3), id(4)});
    CHECK(ids(*store, {.shared_with = {kCarol}}) == Ids{id(2)});
    CHECK(ids(*store, {.shared_with = {kBob}, .or_shared_with_all = true}) == Ids{id(4)});
    CHECK(ids(*store, {.shared_with = {kCarol, kAlice}, .or_shared_with_all = true}) ==
          Ids{id(2), id(4)});
    CHECK(ids(*store, {.visible_to = kAlice, .visible_through = {"arn:one", "arn:two"}}) ==
          Ids{id(1), id(2), id(3), id(4), id(5)});
    CHECK(ids(*store, {.visible_to = kAlice, .visible_through = {"arn:one"}}) ==
          Ids{id(1), id(2), id(4), id(5)});
    CHECK(ids(*store, {.shared_with = {kAlice}, .shared_with_organizations = {"arn:two"}}) ==
          Ids{id(2), id(3)});
    // DI-2
    CHECK(ids(*store, {.owner_aliases = {"amazon", "aws-marketplace"}}) == Ids{id(4)});
    CHECK(ids(*store, {.owners = {kBob}, .owner_aliases = {"amazon"}}) == Ids{id(2), id(3), id(4)});

    // What no longer names a snapshot or an account is not found by it any more.
    own.block_device_mappings.clear();
    shared.launch_permissions.accounts = {kCarol};
    REQUIRE(store
                ->run([&](Transaction& tx) -> Status {
                    TRY(tx.images().update(own));
                    return tx.images().update(shared);
                })
                .has_value());
    CHECK(ids(*store, {.uses_snapshot = SnapshotId("snap-1")}).empty());
    CHECK(ids(*store, {.shared_with = {kAlice}}).empty());
    REQUIRE(
        store->run([&](Transaction& tx) { return tx.images().erase(everybodys.id); }).has_value());
    CHECK(ids(*store, {.uses_snapshot = SnapshotId("snap-2")}).empty());
}

TEST_CASE_TEMPLATE("snapshots are selected by whom they are shared with", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    const auto add = [&](unsigned number, const AccountId& owner, Sharing sharing) {
        Snapshot snapshot = full_snapshot();
        snapshot.id = SnapshotId(id_of("snap", number));
        snapshot.owner_id = owner;
        snapshot.volume_permissions = std::move(sharing);
        REQUIRE(insert(*store, snapshot).has_value());
        return snapshot;
    };
    add(1, kAlice, {});
    Snapshot shared = add(2, kBob, {false, {kAlice, kCarol}});
    add(3, kBob, {});
    add(4, kCarol, {true, {}});
    const auto found = [&](const SnapshotQuery& query) {
        const auto rows = store->read([&](Transaction& tx) { return tx.snapshots().list(query); });
        REQUIRE(rows.has_value());
        std::string numbers;
        for (const Snapshot& snapshot : *rows) {
            numbers += snapshot.id.str().back();
        }
        return numbers;
    };
    CHECK(found({.visible_to = kAlice}) == "124");
    CHECK(found({.visible_to = kBob}) == "234");
    CHECK(found({.owners = {kBob}, .visible_to = kAlice}) == "2");
    CHECK(found({.shared_with = {kCarol}}) == "2");
    CHECK(found({.shared_with = {kBob}, .or_shared_with_all = true}) == "4");
    shared.volume_permissions = {};
    REQUIRE(store->run([&](Transaction& tx) { return tx.snapshots().update(shared); }).has_value());
    CHECK(found({.visible_to = kAlice}) == "14");
    CHECK(found({.shared_with = {kCarol}}).empty());
}

TEST_CASE_TEMPLATE("PAG-5: pages neither repeat nor hide what was created or erased in between",
                   Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    for (const unsigned n : {5U, 1U, 3U, 4U, 2U}) {
        Image image = small_image(n);
        image.created = UnixMillis{n < 4 ? 100 : 200};  // ties are ordered by id
        REQUIRE(insert(*store, image).has_value());
    }
    const auto id = [](unsigned n) { return id_of("ami", n); };
    ImageQuery query;
    query.page.limit = 2;
    CHECK(ids(*store, query) == Ids{id(1), id(2)});

    REQUIRE(
        store->run([&](Transaction& tx) { return tx.images().erase(ImageId(id(2))); }).has_value());
    Image before = small_image(9);
    before.created = UnixMillis{50};
    REQUIRE(insert(*store, before).has_value());

    query.page.after = Cursor{UnixMillis{100}, id(2)};
    CHECK(ids(*store, query) == Ids{id(3), id(4)});
    query.page.after = Cursor{UnixMillis{200}, id(4)};
    CHECK(ids(*store, query) == Ids{id(5)});
    query.page.after = Cursor{UnixMillis{200}, id(5)};
    CHECK(ids(*store, query).empty());

    query.page = {.limit = 2, .newest_first = true};
    CHECK(ids(*store, query) == Ids{id(5), id(4)});
    query.page.after = Cursor{UnixMillis{200}, id(4)};
    CHECK(ids(*store, query) == Ids{id(3), id(1)});
    query.page.after = Cursor{UnixMillis{100}, id(1)};
    CHECK(ids(*store, query) == Ids{id(9)});
}

TEST_CASE_TEMPLATE("snapshots, volumes and instances are selected by what they belong to", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    Volume attached = full_volume();
    Volume loose = full_volume();
    loose.id = VolumeId(id_of("vol", 2));
    loose.attachments.clear();
    loose.state = VolumeState::available;
    Instance instance = full_instance();
    REQUIRE(store
                ->run([&](Transaction& tx) -> Status {
                    TRY(tx.volumes().insert(attached));
                    TRY(tx.volumes().insert(loose));
                    TRY(tx.instances().insert(instance));
                    TRY(tx.snapshots().insert(full_snapshot()));
                    TRY(tx.contents().insert(full_content()));
                    return tx.layers().insert(full_layer());
                })
                .has_value());
    const auto count = [&](auto accessor, const auto& query) {
        auto found = store->read([&](Transaction& tx) { return (tx.*accessor)().list(query); });
        REQUIRE(found.has_value());
        return found->size();
    };
    CHECK(count(&Transaction::volumes, VolumeQuery{.attached_to = {instance.id}}) == 1);
    const model::InstanceId other(id_of("i", 2));
    CHECK(count(&Transaction::volumes, VolumeQuery{.attached_to = {other}}) == 1);
    CHECK(count(&Transaction::volumes, VolumeQuery{.attached_to = {instance.id, other}}) == 1);
    CHECK(count(&Transaction::volumes, VolumeQuery{.attached_to = {model::InstanceId("i-x")}}) ==
          0);
    CHECK(count(&Transaction::volumes, VolumeQuery{.states = {VolumeState::available}}) == 1);
    CHECK(count(&Transaction::volumes, VolumeQuery{.snapshots = {attached.snapshot_id}}) == 2);
    CHECK(count(&Transaction::volumes, VolumeQuery{.base_content = attached.base_content}) == 2);
    CHECK(count(&Transaction::volumes, VolumeQuery{.active_layer = LayerId("layer-x")}) == 0);
    CHECK(count(&Transaction::snapshots, SnapshotQuery{.volumes = {attached.id}}) == 1);
    CHECK(count(&Transaction::snapshots, SnapshotQuery{.content = full_snapshot().content}) == 1);
    CHECK(count(&Transaction::snapshots, SnapshotQuery{.set = SnapshotSetId("set-x")}) == 0);
    CHECK(count(&Transaction::instances,
                InstanceQuery{.reservations = {instance.reservation_id}}) == 1);
    CHECK(count(&Transaction::instances,
                InstanceQuery{.subnet = instance.subnet_id, .private_ip = "172.31.0.4"}) == 1);
    CHECK(count(&Transaction::instances, InstanceQuery{.terminated_before = UnixMillis{22}}) == 0);
    CHECK(count(&Transaction::instances, InstanceQuery{.terminated_before = UnixMillis{23}}) == 1);
    CHECK(count(&Transaction::contents, ContentQuery{.parent = full_content().parent}) == 1);
    CHECK(count(&Transaction::contents, ContentQuery{.layer = LayerId("layer-x")}) == 0);
    CHECK(count(&Transaction::layers, LayerQuery{.states = {LayerState::open}}) == 0);
}

TEST_CASE_TEMPLATE("a query with too many values is refused", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    ImageQuery query;
    query.names.assign(kMaxQueryValues + 1, "x");
    const auto listed = store->read([&](Transaction& tx) { return tx.images().list(query); });
    CHECK(listed.error().code() == Code::invalid_argument);
    const auto counted = store->read([&](Transaction& tx) { return tx.images().count(query); });
    CHECK(counted.error().code() == Code::invalid_argument);
}
