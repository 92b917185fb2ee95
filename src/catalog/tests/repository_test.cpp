// SPDX-License-Identifier: Apache-2.0
// The contract of the repositories, for every store.
#include "catalog/tests/backends.h"
#include "catalog/tests/repository_support.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::model;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

namespace {

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
