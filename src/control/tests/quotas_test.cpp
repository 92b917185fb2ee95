// SPDX-License-Identifier: Apache-2.0
// Quotas over the real catalog: what counts, and for whom.
#include "control/quotas.h"

#include <doctest/doctest.h>

#include <functional>

#include "control/public_parameters.h"
#include "control/snapshot_copies.h"
#include "control/snapshot_uploads.h"
#include "control/tests/quota_support.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::ImageState, model::InstanceState, model::SnapshotState, model::VolumeType;

namespace {

struct World : QuotaWorld {
    // The code with which `check` refuses, in a transaction of its own.
    std::string asked(const std::function<Status(catalog::Transaction&)>& check) {
        return code_of(service.store->read(check));
    }
    void add_image(ImageState state, bool everybody = false, const Caller& owner = kAlice) {
        model::Image image;
        image.id = model::make_id<model::ImageId>(*service.rng);
        image.name = image.id.str();
        image.owner_id = owner.account;
        image.region = owner.region;
        image.state = state;
        image.launch_permissions.everybody = everybody;
        REQUIRE(service.store->run(
            [&](catalog::Transaction& tx) { return tx.images().insert(image); }));
    }
    void add_instance(InstanceState state, const std::string& type) {
        model::Instance instance;
        instance.id = model::make_id<model::InstanceId>(*service.rng);
        instance.owner_id = kAlice.account;
        instance.region = kAlice.region;
        instance.instance_type = type;
        instance.state = state;
        instance.subnet_id = model::SubnetId(instance.id.str());  // addresses are unique in one
        REQUIRE(service.store->run(
            [&](catalog::Transaction& tx) { return tx.instances().insert(instance); }));
    }
    // How many fit, or the code.
    std::string room(const char* type, std::size_t least, std::size_t wanted,
                     const std::vector<VolumePlan>& plans = {}) {
        const auto found = service.store->read([&](catalog::Transaction& tx) {
            return find_room(tx, service.settings.quotas, kAlice, *find_instance_type(type), plans,
                             least, wanted);
        });
        return found ? std::to_string(*found) : found.error().api_code();
    }

    SnapshotUploads uploads{*service.parts, [] {}};
};

VolumePlan plan(std::uint32_t gib, VolumeType type) {
    VolumePlan made;
    made.ebs.volume_size_gib = gib;
    made.ebs.volume_type = type;
    return made;
}

}  // namespace

TEST_CASE("QT-3: images count from pending on until they failed or were deregistered") {
    World world;
    world.allow(Quota::images, 3);
    const auto asked = [&](const Caller& caller) {
        return world.asked([&](catalog::Transaction& tx) {
            return check_image_quota(tx, world.service.settings.quotas, caller);
        });
    };
    for (const ImageState state : {ImageState::failed, ImageState::deregistered,
                                   ImageState::deregistered, ImageState::pending}) {
        world.add_image(state);
    }
    world.add_image(ImageState::disabled);
    CHECK(asked(kAlice) == "");
    world.add_image(ImageState::available);
    CHECK(asked(kAlice) == "ResourceLimitExceeded");
    CHECK(asked(kBob) == "");
    Caller elsewhere = kAlice;
    elsewhere.region = "eu-west-1";
    CHECK(asked(elsewhere) == "");
    // What the service provides to everybody has no quota.
    Caller provider = kAlice;
    provider.account = model::AccountId(kProviderAccount);
    world.allow(Quota::images, 0);
    CHECK(asked(provider) == "");
    CHECK(asked(kBob) == "ResourceLimitExceeded");
}

TEST_CASE("QT-3: public images count among the images and by themselves") {
    World world;
    world.allow(Quota::public_images, 1);
    const auto asked = [&] {
        return world.asked([&](catalog::Transaction& tx) {
            return check_public_image_quota(tx, world.service.settings.quotas, kAlice);
        });
    };
    world.add_image(ImageState::available);
    world.add_image(ImageState::deregistered, true);
    world.add_image(ImageState::available, true, kBob);
    CHECK(asked() == "");
    world.add_image(ImageState::available, true);
    CHECK(asked() == "ResourceLimitExceeded");
}

TEST_CASE("LP-6 QT-5: beyond the quota an image is shared no further, but shared less") {
    const Quotas quotas = kNoQuotas.with(Quota::image_shares, 2);
    CHECK(check_share_quota(quotas, 0, 2));
    CHECK(code_of(check_share_quota(quotas, 2, 3)) == "ResourceLimitExceeded");
    CHECK(check_share_quota(quotas, 9, 8));
    CHECK(check_share_quota(quotas, 9, 9));
    CHECK(code_of(check_share_quota(quotas, 9, 10)) == "ResourceLimitExceeded");
    CHECK(check_share_quota(kNoQuotas, 0, 100'000));
}

TEST_CASE("QT-3: snapshots count until they are deleted; copies and uploads count") {
    World world;
    TestService& service = world.service;
    world.allow(Quota::snapshots, 3);
    const auto volume = service.add_volume();
    const auto first = service.snapshot(volume);
    SnapshotCopies copies(*service.parts);
    CopySnapshotInput copy;
    copy.source_region = kAlice.region;
    copy.source_snapshot_id = first;
    CHECK(code_of(copies.copy(kAlice, copy)) == "");
    StartSnapshotInput upload;
    upload.volume_size_gib = 1;
    const auto started = world.uploads.start(kAlice, upload);
    REQUIRE(started);
    CHECK(code_of(copies.copy(kAlice, copy)) == "SnapshotLimitExceeded");
    copy.dry_run = true;
    CHECK(code_of(copies.copy(kAlice, copy)) == "SnapshotLimitExceeded");
    CHECK(code_of(world.uploads.start(kAlice, upload)) == "ServiceQuotaExceededException");
    CreateSnapshotInput more;
    more.volume_id = volume;
    CHECK(code_of(service.snapshots->create(kAlice, more)) == "SnapshotLimitExceeded");
    // The row of a pending one stays until its upload has ended; its place does not wait for that.
    REQUIRE(service.snapshots->remove(kAlice, started->snapshot.id, false));
    CHECK(service.row(started->snapshot.id).state == SnapshotState::deleted);
    CHECK(code_of(copies.copy(kAlice, copy)) == "DryRunOperation");
    CHECK(code_of(service.snapshots->create(kAlice, more)) == "");
}

TEST_CASE("QT-3: uploads of an account in a region, as long as they are pending") {
    World world;
    world.allow(Quota::pending_uploads, 2);
    StartSnapshotInput upload;
    upload.volume_size_gib = 1;
    const auto start = [&](const Caller& caller = kAlice) {
        return code_of(world.uploads.start(caller, upload));
    };
    const auto first = world.uploads.start(kAlice, upload);
    REQUIRE(first);
    CHECK(start() == "");
    CHECK(start() == "ServiceQuotaExceededException");
    Caller elsewhere = kAlice;
    elsewhere.region = "eu-west-1";
    CHECK(start(elsewhere) == "");
    CHECK(start(kBob) == "");
    REQUIRE(world.service.snapshots->remove(kAlice, first->snapshot.id, false));
    CHECK(start() == "");
}

TEST_CASE("SNP-9 QT-1: how many snapshots of a volume may be pending is a quota by its type") {
    World world;
    TestService& service = world.service;
    auto volume = service.row(service.add_volume());
    const auto add_pending = [&] {
        model::Snapshot snapshot;
        snapshot.id = model::make_id<model::SnapshotId>(*service.rng);
        snapshot.owner_id = kAlice.account;
        snapshot.region = kAlice.region;
        snapshot.volume_id = volume.id;
        REQUIRE(service.store->run(
            [&](catalog::Transaction& tx) { return tx.snapshots().insert(snapshot); }));
    };
    const auto asked = [&](const Quotas& quotas, VolumeType type) {
        volume.type = type;
        return world.asked(
            [&](catalog::Transaction& tx) { return check_pending_quota(tx, quotas, volume); });
    };
    add_pending();
    CHECK(asked(kDefaultQuotas, VolumeType::gp3) == "");
    CHECK(asked(kDefaultQuotas, VolumeType::st1) == "ConcurrentSnapshotLimitExceeded");
    for (int i = 0; i < 4; ++i) {
        add_pending();
    }
    CHECK(asked(kDefaultQuotas, VolumeType::gp3) == "ConcurrentSnapshotLimitExceeded");
    CHECK(asked(kDefaultQuotas.with(Quota::pending_snapshots, 6), VolumeType::gp3) == "");
    CHECK(asked(kDefaultQuotas.with(Quota::pending_cold_snapshots, 6), VolumeType::sc1) == "");
    CHECK(asked(kNoQuotas, VolumeType::sc1) == "");
}

TEST_CASE("QT-3 VOL-8: a type has the storage of its volumes, and of those that become of it") {
    World world;
    TestService& service = world.service;
    world.allow(Quota::volume_type_gib, 100);
    auto volume = service.row(service.add_volume(60));
    const auto asked = [&](std::uint32_t gib, VolumeType type) {
        model::VolumeShape target = model::shape_of(volume);
        target.size_gib = gib;
        target.type = type;
        return world.asked([&](catalog::Transaction& tx) {
            return check_change_quota(tx, service.settings.quotas, kAlice, volume, target);
        });
    };
    CHECK(world.create(30, VolumeType::gp3) == "");
    CHECK(asked(100, VolumeType::gp2) == "");
    CHECK(asked(101, VolumeType::gp2) == "VolumeLimitExceeded");
    CHECK(asked(70, VolumeType::gp3) == "");
    CHECK(asked(71, VolumeType::gp3) == "VolumeLimitExceeded");
    CHECK(asked(60, VolumeType::gp2) == "");
    // From the moment it was asked for; as it was when that has failed.
    model::VolumeModification change;
    change.original = model::shape_of(volume);
    change.target = change.original;
    change.target.type = VolumeType::gp3;
    change.target.size_gib = 70;
    volume.modification = change;
    const auto update = [&] {
        REQUIRE(service.store->run(
            [&](catalog::Transaction& tx) { return tx.volumes().update(volume); }));
    };
    update();
    CHECK(world.create(1, VolumeType::gp3) == "VolumeLimitExceeded");
    CHECK(world.create(100, VolumeType::gp2, true) == "DryRunOperation");
    volume.modification->state = model::ModificationState::failed;
    update();
    CHECK(world.create(70, VolumeType::gp3, true) == "DryRunOperation");
    CHECK(world.create(41, VolumeType::gp2, true) == "VolumeLimitExceeded");
    // Beyond a quota that was lowered nothing grows, and what does not grow is let be.
    world.allow(Quota::volume_type_gib, 10);
    CHECK(asked(60, VolumeType::gp2) == "");
    CHECK(asked(61, VolumeType::gp2) == "VolumeLimitExceeded");
}

TEST_CASE("RUN-1 QT-6: as many instances as there is room for, and none if fewer than MinCount") {
    World world;
    CHECK(world.room("t3.micro", 1, 50) == "50");
    world.add_instance(InstanceState::running, "t3.micro");  // 2 vCPUs
    world.add_instance(InstanceState::pending, "t3.micro");
    world.add_instance(InstanceState::stopped, "t3.micro");
    world.add_instance(InstanceState::stopping, "t3.micro");
    world.add_instance(InstanceState::terminated, "t3.micro");
    world.allow(Quota::vcpus, 9);
    CHECK(world.room("t3.micro", 1, 50) == "2");
    CHECK(world.room("t3.micro", 2, 2) == "2");
    CHECK(world.room("t3.micro", 3, 50) == "VcpuLimitExceeded");
    CHECK(world.room("m1.small", 5, 50) == "5");
    world.allow(Quota::instances, 3);
    CHECK(world.room("m1.small", 1, 50) == "1");
    CHECK(world.room("m1.small", 2, 50) == "InstanceLimitExceeded");
    world.allow(Quota::instances, 0);
    CHECK(world.room("m1.small", 1, 1) == "InstanceLimitExceeded");
}

TEST_CASE("QT-6: the volumes of all instances of a launch are counted") {
    World world;
    world.service.add_volume(10);
    world.allow(Quota::volumes, 8);
    const std::vector<VolumePlan> three{plan(8, VolumeType::gp2), plan(30, VolumeType::gp3),
                                        plan(30, VolumeType::gp3)};
    CHECK(world.room("t3.micro", 1, 50, three) == "2");
    CHECK(world.room("t3.micro", 3, 50, three) == "VolumeLimitExceeded");
    CHECK(world.room("t3.micro", 1, 50, {}) == "50");
    world.allow(Quota::volume_type_gib, 119);
    CHECK(world.room("t3.micro", 1, 50, three) == "1");
    world.allow(Quota::volume_type_gib, 120);
    CHECK(world.room("t3.micro", 1, 50, three) == "2");
    world.allow(Quota::volume_type_gib, 17);
    CHECK(world.room("t3.micro", 1, 50, {plan(8, VolumeType::gp2)}) == "VolumeLimitExceeded");
}

TEST_CASE("LT-11 KP-5 QT-1: templates, their versions and key pairs") {
    model::LaunchTemplate of;
    of.version_count = 10'000;
    CHECK(code_of(check_version_quota(kDefaultQuotas, of)) == "MaxTemplateVersionLimitExceeded");
    CHECK(check_version_quota(kNoQuotas, of));
    CHECK(check_version_quota(kDefaultQuotas.with(Quota::template_versions, 10'001), of));
    World world;
    const auto asked = [&](auto check, const Quotas& quotas) {
        return world.asked([&](catalog::Transaction& tx) { return check(tx, quotas, kAlice); });
    };
    CHECK(asked(check_template_quota, kDefaultQuotas) == "");
    CHECK(asked(check_template_quota, kNoQuotas.with(Quota::launch_templates, 0)) ==
          "MaxTemplateLimitExceeded");
    CHECK(asked(check_key_pair_quota, kNoQuotas.with(Quota::key_pairs, 0)) ==
          "KeyPairLimitExceeded");
}
