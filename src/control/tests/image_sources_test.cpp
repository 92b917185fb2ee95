// SPDX-License-Identifier: Apache-2.0
// What a registered image is said to come from.
#include "control/tests/image_support.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

// A snapshot of Alice that everybody may read, made of a volume of this image.
model::SnapshotId cut(ImageWorld& world, std::optional<model::SourceImage> source) {
    model::Snapshot snapshot;
    snapshot.id = model::make_id<model::SnapshotId>(*world.rng);
    snapshot.owner_id = kAlice.account;
    snapshot.region = kAlice.region;
    snapshot.state = model::SnapshotState::completed;
    snapshot.volume_size_gib = 8;
    snapshot.volume_permissions.everybody = true;
    snapshot.source_image = std::move(source);
    snapshot.created = world.clock.now();
    REQUIRE(
        world.store->run([&](catalog::Transaction& tx) { return tx.snapshots().insert(snapshot); })
            .has_value());
    return snapshot.id;
}

model::BlockDeviceMapping device(const std::string& name, const model::SnapshotId& snapshot) {
    model::EbsBlockDevice ebs;
    ebs.snapshot_id = snapshot;
    return {name, ebs, "", false};
}

// "ID REGION" of the source of an image that the caller registers of these; empty without one.
std::string source(ImageWorld& world, const Caller& caller, model::BlockDeviceMappings mappings) {
    static int number = 0;
    RegisterImageInput input;
    input.name = "registered-" + std::to_string(++number);
    input.architecture = model::Architecture::x86_64;
    input.virtualization_type = model::VirtualizationType::hvm;
    input.root_device_name = "/dev/xvda";
    input.block_device_mappings = std::move(mappings);
    const auto id = world.images.register_image(caller, input);
    REQUIRE(id.has_value());
    const model::Image image = world.get(*id);
    return image.source_image_id.empty()
               ? image.source_image_region
               : image.source_image_id.str() + " " + image.source_image_region;
}

std::string source_of_root(ImageWorld& world, const Caller& caller,
                           const model::SnapshotId& snapshot) {
    return source(world, caller, {device("/dev/xvda", snapshot)});
}

}  // namespace

TEST_CASE("RI-16: an image has the source that its root's snapshot knows") {
    ImageWorld world;
    const auto launched = world.put("launched");
    const auto known = cut(world, model::SourceImage{launched, "eu-west-1"});
    const auto unknown = cut(world, {});
    CHECK(source_of_root(world, kAlice, known) == launched.str() + " eu-west-1");
    CHECK(source_of_root(world, kAlice, unknown) == "");
    // Other devices say nothing of it, whatever their place in the list.
    CHECK(source(world, kAlice, {device("/dev/sdf", known), device("/dev/xvda", unknown)}) == "");
    CHECK(source(world, kAlice, {device("/dev/sdf", unknown), device("/dev/xvda", known)}) ==
          launched.str() + " eu-west-1");
}

TEST_CASE("RI-16: who may not use the source is not told of it") {
    ImageWorld world;
    const auto secret = world.put("private");
    const auto shared = world.put("shared", kAlice, [](model::Image& image) {
        image.launch_permissions.accounts = {kBob.account};
    });
    const auto everybodys = world.put(
        "public", kAlice, [](model::Image& image) { image.launch_permissions.everybody = true; });
    const auto gone = world.put(
        "gone", kAlice, [](model::Image& image) { image.state = model::ImageState::deregistered; });
    const auto never = model::make_id<model::ImageId>(*world.rng);
    const auto seen = [&](const model::ImageId& image, const Caller& caller) {
        const auto snapshot = cut(world, model::SourceImage{image, "us-east-1"});
        return source_of_root(world, caller, snapshot);
    };
    const auto is = [](const model::ImageId& image) { return image.str() + " us-east-1"; };
    CHECK(seen(secret, kAlice) == is(secret));
    CHECK(seen(secret, kBob) == "");
    CHECK(seen(shared, kBob) == is(shared));
    CHECK(seen(shared, kCarol) == "");
    CHECK(seen(everybodys, kCarol) == is(everybodys));
    CHECK(seen(gone, kAlice) == is(gone));
    CHECK(seen(gone, kBob) == "");
    CHECK(seen(never, kAlice) == "");
}
