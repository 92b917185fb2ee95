// SPDX-License-Identifier: Apache-2.0
// The contract of the repositories, for every store.
#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::model;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

namespace {

template <class T>
Repository<T> rows(Transaction& tx);
#define ROWS(type, accessor)                 \
    template <>                              \
    Repository<type> rows(Transaction& tx) { \
        return tx.accessor();                \
    }
ROWS(Account, accounts)
ROWS(AccessKey, access_keys)
ROWS(Image, images)
ROWS(Snapshot, snapshots)
ROWS(Volume, volumes)
ROWS(Instance, instances)
ROWS(ReplaceRootTask, replace_root_tasks)
ROWS(KeyPair, key_pairs)
ROWS(LaunchTemplate, launch_templates)
ROWS(LaunchTemplateVersion, launch_template_versions)
ROWS(Role, roles)
ROWS(InstanceProfile, instance_profiles)
ROWS(RegionSettings, region_settings)
ROWS(User, users)
ROWS(ImageUsageReport, usage_reports)
ROWS(StoredParameter, parameters)
ROWS(Vpc, vpcs)
ROWS(Subnet, subnets)
ROWS(SecurityGroup, security_groups)
ROWS(Content, contents)
ROWS(LayerRecord, layers)
ROWS(IdempotencyToken, tokens)
#undef ROWS

template <class T>
typename Entity<T>::Id id_of_value(const T& value) {
    if constexpr (requires { value.id(); }) {
        return value.id();
    } else {
        return value.id;
    }
}

template <class T>
Status insert(Store& store, const T& value) {
    return store.run([&](Transaction& tx) { return rows<T>(tx).insert(value); });
}

// Through insert, find, get, list, update and erase, for one value.
template <class T>
void check_life(Store& store, T value, auto change) {
    const auto id = id_of_value(value);
    REQUIRE(insert(store, value).has_value());
    CHECK(insert(store, value).error().code() == Code::already_exists);

    const auto read = [&] {
        return store.read([&](Transaction& tx) { return rows<T>(tx).get(id); });
    };
    REQUIRE(read().has_value());
    CHECK(*read() == value);
    auto all = store.read([](Transaction& tx) { return rows<T>(tx).list({}); });
    REQUIRE(all.has_value());
    REQUIRE(all->size() == 1);
    CHECK(all->front() == value);
    const auto count = [&] {
        return *store.read([](Transaction& tx) { return rows<T>(tx).count({}); });
    };
    CHECK(count() == 1);

    change(value);
    const auto update = [&] {
        return store.run([&](Transaction& tx) { return rows<T>(tx).update(value); });
    };
    CHECK(update().has_value());
    CHECK(*read() == value);

    const auto erase = [&] {
        return store.run([&](Transaction& tx) { return rows<T>(tx).erase(id); });
    };
    CHECK(erase().has_value());
    CHECK(count() == 0);
    CHECK(read().error().code() == Code::not_found);
    CHECK(erase().error().code() == Code::not_found);
    CHECK(update().error().code() == Code::not_found);
}

std::vector<std::string> ids(Store& store, const ImageQuery& query) {
    auto images = store.read([&](Transaction& tx) { return tx.images().list(query); });
    REQUIRE_MESSAGE(images.has_value(), (images ? "" : images.error().to_string()));
    std::vector<std::string> out;
    for (const Image& image : *images) {
        out.push_back(image.id.str());
    }
    return out;
}

using Ids = std::vector<std::string>;

}  // namespace

TEST_CASE_TEMPLATE("every kind of value lives: inserted, read, listed, changed, erased", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    check_life(*store, full_account(), [](Account& x) { x.name.clear(); });
    check_life(*store, full_access_key(), [](AccessKey& x) { x.state = AccessKeyState::active; });
    check_life(*store, full_image(), [](Image& x) { x.block_device_mappings.clear(); });
    check_life(*store, full_snapshot(), [](Snapshot& x) { x.completed.reset(); });
    check_life(*store, full_volume(), [](Volume& x) { x.attachments.pop_back(); });
    check_life(*store, full_instance(), [](Instance& x) { x.state_reason.reset(); });
    check_life(*store, full_replace_root_task(),
               [](ReplaceRootTask& x) { x.state = ReplaceRootState::succeeded; });
    check_life(*store, full_key_pair(), [](KeyPair& x) { x.fingerprint.clear(); });
    check_life(*store, full_launch_template(), [](LaunchTemplate& x) { x.latest_version = 9; });
    check_life(*store, full_launch_template_version(),
               [](LaunchTemplateVersion& x) { x.description.clear(); });
    check_life(*store, full_role(), [](Role& x) { x.policies.clear(); });
    check_life(*store, full_instance_profile(), [](InstanceProfile& x) { x.tags.clear(); });
    check_life(*store, full_user(), [](User& x) { x.policies.clear(); });
    check_life(*store, full_usage_report(), [](ImageUsageReport& x) { x.entries.clear(); });
    check_life(*store, full_parameter(), [](StoredParameter& x) { x.versions.pop_back(); });
    check_life(*store, full_region_settings(), [](RegionSettings& x) { x.image_access = {}; });
    check_life(*store, full_vpc(), [](Vpc& x) { x.is_default = false; });
    check_life(*store, full_subnet(), [](Subnet& x) { x.map_public_ip = false; });
    check_life(*store, full_security_group(), [](SecurityGroup& x) { x.rules.clear(); });
    check_life(*store, full_content(), [](Content& x) { x.layer = LayerId(); });
    check_life(*store, full_layer(), [](LayerRecord& x) { x.key_record_id.clear(); });
    check_life(*store, full_token(), [](IdempotencyToken& x) { x.result = "r-1"; });
}

TEST_CASE_TEMPLATE("a value with nothing but defaults comes back as it was", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    check_life(*store, Image{}, [](Image&) {});
    check_life(*store, Snapshot{}, [](Snapshot&) {});
    check_life(*store, Volume{}, [](Volume&) {});
    check_life(*store, Instance{}, [](Instance&) {});
    check_life(*store, ReplaceRootTask{}, [](ReplaceRootTask&) {});
    check_life(*store, KeyPair{}, [](KeyPair&) {});
    check_life(*store, LaunchTemplate{}, [](LaunchTemplate&) {});
    check_life(*store, LaunchTemplateVersion{}, [](LaunchTemplateVersion&) {});
    check_life(*store, Vpc{}, [](Vpc&) {});
    check_life(*store, Subnet{}, [](Subnet&) {});
    check_life(*store, SecurityGroup{}, [](SecurityGroup&) {});
    check_life(*store, Content{}, [](Content&) {});
    check_life(*store, LayerRecord{}, [](LayerRecord&) {});
}

TEST_CASE_TEMPLATE("IMGN-2: a name is taken per owner and region until its image is gone", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    Image first = small_image(1);
    first.state = ImageState::pending;
    REQUIRE(insert(*store, first).has_value());

    Image second = small_image(2);
    second.name = first.name;
    CHECK(insert(*store, second).error().code() == Code::already_exists);

    Image elsewhere = second;
    elsewhere.region = "eu-west-1";
    CHECK(insert(*store, elsewhere).has_value());
    Image others = small_image(3, kBob);
    others.name = first.name;
    CHECK(insert(*store, others).has_value());
    Image other_case = small_image(4);
    other_case.name = "Image-1";
    CHECK(insert(*store, other_case).has_value());

    for (const ImageState freed : {ImageState::failed, ImageState::deregistered}) {
        first.state = freed;
        REQUIRE(store->run([&](Transaction& tx) { return tx.images().update(first); }).has_value());
        second.id = ImageId(id_of("ami", 10 + static_cast<unsigned>(freed)));
        CHECK(insert(*store, second).has_value());
        // And the other way round: a freed image cannot take its name back.
        Image back = first;
        back.state = ImageState::available;
        const auto update = store->run([&](Transaction& tx) { return tx.images().update(back); });
        CHECK(update.error().code() == Code::already_exists);
        REQUIRE(
            store->run([&](Transaction& tx) { return tx.images().erase(second.id); }).has_value());
    }
}

TEST_CASE_TEMPLATE("a private address is given out once per subnet", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    Instance first = full_instance();
    REQUIRE(insert(*store, first).has_value());
    Instance second = first;
    second.id = InstanceId(id_of("i", 2));
    CHECK(insert(*store, second).error().code() == Code::already_exists);
    first.private_ip.clear();
    REQUIRE(store->run([&](Transaction& tx) { return tx.instances().update(first); }).has_value());
    CHECK(insert(*store, second).has_value());
    Instance third = first;
    third.id = InstanceId(id_of("i", 3));
    CHECK(insert(*store, third).has_value());
}

TEST_CASE_TEMPLATE("NET-1: an account has one default VPC per region, a VPC a group name once",
                   Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    Vpc vpc = full_vpc();
    REQUIRE(insert(*store, vpc).has_value());
    vpc.id = VpcId(id_of("vpc", 2));
    CHECK(insert(*store, vpc).error().code() == Code::already_exists);
    vpc.is_default = false;
    CHECK(insert(*store, vpc).has_value());
    vpc.id = VpcId(id_of("vpc", 3));
    vpc.is_default = true;
    vpc.region = "eu-west-1";
    CHECK(insert(*store, vpc).has_value());

    SecurityGroup group = full_security_group();
    REQUIRE(insert(*store, group).has_value());
    group.id = SecurityGroupId(id_of("sg", 2));
    CHECK(insert(*store, group).error().code() == Code::already_exists);
    group.name = "Web";
    CHECK(insert(*store, group).has_value());
}

TEST_CASE_TEMPLATE("an insert that finds its key taken does not cost the transaction", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    REQUIRE(insert(*store, small_image(1)).has_value());
    const auto done = store->run([&](Transaction& tx) -> Status {
        CHECK(tx.images().insert(small_image(1)).error().code() == Code::already_exists);
        return tx.images().insert(small_image(2));
    });
    CHECK(done.has_value());
    CHECK(ids(*store, {}).size() == 2);
}

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

TEST_CASE_TEMPLATE("a text that no database can keep is refused and nothing is written", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    Image bytes = small_image(1);
    bytes.description = "\xff\xfe";
    CHECK(insert(*store, bytes).error().code() == Code::invalid_argument);
    Image nul = small_image(2);
    nul.name = std::string("a\0b", 3);
    CHECK(insert(*store, nul).error().code() == Code::invalid_argument);
    CHECK(ids(*store, {}).empty());
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

TEST_CASE_TEMPLATE(
    "QT-4: what a query selects is counted, whatever its page, also what the same "
    "transaction has just added",
    Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    const auto count = [](Transaction& tx, const ImageQuery& query) {
        const auto number = tx.images().count(query);
        REQUIRE(number.has_value());
        return *number;
    };
    REQUIRE(store
                ->run([&](Transaction& tx) -> Status {
                    for (unsigned n = 0; n < 7; ++n) {
                        Image image = small_image(n, n < 5 ? kAlice : kBob);
                        image.state = n % 2 == 0 ? ImageState::available : ImageState::failed;
                        image.region = n == 4 ? "eu-west-1" : "us-east-1";
                        TRY(tx.images().insert(image));
                        CHECK(count(tx, {}) == n + 1);
                    }
                    return ok();
                })
                .has_value());
    const auto counted = [&](const ImageQuery& query) {
        return *store->read(
            [&](Transaction& tx) -> Result<std::uint64_t> { return count(tx, query); });
    };
    CHECK(counted({.owners = {kAlice}}) == 5);
    CHECK(counted({.region = "us-east-1", .owners = {kAlice}}) == 4);
    CHECK(counted({.region = "us-east-1",
                   .owners = {kAlice},
                   .states = {ImageState::available, ImageState::pending}}) == 2);
    CHECK(counted({.owners = {kBob}, .everybody = true}) == 0);
    ImageQuery paged{.owners = {kAlice}};
    paged.page = {Cursor{UnixMillis{2000}, id_of("ami", 2)}, 1, true};
    CHECK(counted(paged) == 5);
}
