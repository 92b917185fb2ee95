// SPDX-License-Identifier: Apache-2.0
// UEFI variables through images and instances, over scripted machines: what the firmware of a real
// one would have written is put into the instance's directory.
#include "control/uefi_variables.h"

#include <filesystem>

#include "compute/tests/uefi_samples.h"
#include "compute/tests/uefi_store_support.h"
#include "compute/uefi/aws_data.h"
#include "compute/uefi/variable_store.h"
#include "control/create_image.h"
#include "control/instance_settings.h"
#include "control/tests/fast_launch_world.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using compute::UefiVariables;
using compute::testing::empty_store;
using compute::testing::kGoldenData;
using compute::testing::sample;
using model::BootMode;

namespace {

const UefiVariables kOwn{sample("Boot0000", "its own"), sample("BootOrder", "x")};

UefiVariables golden() {
    return must(compute::decode_uefi_data(kGoldenData));
}

struct UefiWorld {
    // Of the first one's bytes, with other variables and boot mode.
    RegisterImageInput input(const std::string& name, std::optional<BootMode> mode,
                             std::string_view data) {
        if (snapshot.empty()) {
            const model::Image base = life.row(life.image("base", false));
            snapshot = base.block_device_mappings[0].ebs->snapshot_id;
        }
        RegisterImageInput input = FastLaunchLife::input(name, snapshot);
        input.boot_mode = mode;
        input.uefi_data = data;
        return input;
    }
    model::ImageId image(const std::string& name, BootMode mode = BootMode::uefi,
                         std::string_view data = kGoldenData) {
        return must(life.images.register_image(kAlice, input(name, mode, data)));
    }
    // As the instance is now.
    model::Instance row(const model::InstanceId& id) {
        return must(life.service.store->read(
            [&](catalog::Transaction& tx) { return tx.instances().get(id); }));
    }
    compute::MachineSpec spec(const model::Instance& instance) {
        return must(life.service.host.spec_of(machine_id(instance.id)));
    }
    // What the firmware of the instance's machine has written so far.
    void put_store(const model::Instance& instance, std::string_view bytes) {
        const std::string place = life.worker.instance_directory(instance.id);
        REQUIRE(make_directories(place, 0700));
        REQUIRE(write_file_atomic(place + "/" + compute::kUefiStoreFile, bytes, 0600));
    }
    void put_own(const model::Instance& instance) {
        put_store(instance, must(compute::make_variable_store(empty_store(4096), kOwn)));
    }
    Result<model::ImageId> create(const model::Instance& instance, const std::string& name,
                                  std::optional<BootMode> mode = {}) {
        CreateImageInput wanted;
        wanted.instance_id = instance.id;
        wanted.name = name;
        wanted.no_reboot = true;
        wanted.boot_mode = mode;
        return creates.create(kAlice, wanted);
    }
    std::string data_of(const Result<model::ImageId>& id) { return life.row(must(id)).uefi_data; }

    TempDir directory;
    FastLaunchLife life{directory.path()};
    CreateImages creates{*life.service.parts, *life.service.cuts, life.worker, life.poke};
    InstanceSettings settings{*life.service.parts, life.worker};
    model::SnapshotId snapshot;
};

}  // namespace

TEST_CASE("RI-11: UEFI data is of images that boot with UEFI, and is what it should be") {
    UefiWorld world;
    const auto refused = [&](std::optional<BootMode> mode, std::string_view data) {
        return code_of(world.life.images.register_image(kAlice, world.input("wrong", mode, data)));
    };
    CHECK(refused({}, kGoldenData) == "InvalidParameterCombination");
    CHECK(refused(BootMode::legacy_bios, kGoldenData) == "InvalidParameterCombination");
    CHECK(refused(BootMode::uefi, "AAAA") == "InvalidParameterValue");
    CHECK(refused(BootMode::uefi, std::string(kGoldenData) + "AAAA") == "InvalidParameterValue");
    const auto large = world.life.images.register_image(
        kAlice, world.input("wrong", BootMode::uefi, std::string(64'001, 'A')));
    CHECK(code_of(large) == "InvalidParameterValue");
    CHECK(large.error().message().find("64000") != std::string::npos);
    for (const BootMode mode : {BootMode::uefi, BootMode::uefi_preferred}) {
        const auto id = world.image(std::string(model::to_string(mode)), mode);
        CHECK(world.life.row(id).uefi_data == kGoldenData);
    }
    CHECK(world.life.row(world.image("without", BootMode::uefi, "")).uefi_data == "");
}

TEST_CASE("BM-2: a machine begins with the variables of its image, if it boots with UEFI") {
    UefiWorld world;
    const auto id = world.image("preferred", BootMode::uefi_preferred);
    const model::Instance modern = world.life.launch(id);
    CHECK(world.spec(modern).firmware == compute::Firmware::uefi);
    CHECK(world.spec(modern).uefi_variables == golden());
    world.life.type = "t2.nano";
    const model::Instance old = world.life.launch(id);
    CHECK(world.spec(old).firmware == compute::Firmware::bios);
    CHECK(world.spec(old).uefi_variables.empty());
}

TEST_CASE("BM-2: the first start has the variables though image and service went before it") {
    UefiWorld world;
    const auto id = world.image("gone");
    world.life.service.jobs->stop();
    RunInstancesInput input;
    input.image_id = id;
    input.instance_type = "t3.nano";
    input.min_count = input.max_count = 1;
    const auto made = must(world.life.instances.run(kAlice, input)).instances.front().instance;
    REQUIRE(world.life.images.deregister(kAlice, {id}));
    // What the next life's launch job asks.
    const auto variables = first_uefi_variables(*world.life.service.store, world.row(made.id),
                                                world.life.worker.instance_directory(made.id));
    CHECK(must(variables) == golden());
}

TEST_CASE("BM-2: variables that an instance has are not asked of its image again") {
    UefiWorld world;
    model::Instance instance = world.life.launch(world.image("image"));
    const auto first = [&] {
        return first_uefi_variables(*world.life.service.store, instance,
                                    world.life.worker.instance_directory(instance.id));
    };
    CHECK(must(first()) == golden());
    instance.image_id = model::ImageId("ami-0123456789abcdef0");  // nobody knows it
    CHECK(must(first()).empty());
    instance.image_id = world.image("without", BootMode::uefi, "");
    CHECK(must(first()).empty());
    instance.image_id = world.image("other");
    world.put_own(instance);
    CHECK(must(first()).empty());
}

TEST_CASE("BM-2: an instance's variables are told in EC2's form") {
    UefiWorld world;
    const model::Instance instance = world.life.launch(world.image("image"));
    const auto told = [&] { return world.settings.uefi_data(kAlice, instance.id, false); };
    CHECK(code_of(told()) == "IncorrectInstanceState");
    world.put_own(instance);
    CHECK(must(compute::decode_uefi_data(must(told()))) == kOwn);
    CHECK(code_of(world.settings.uefi_data(kAlice, instance.id, true)) == "DryRunOperation");
    world.put_store(instance, "its guest wrote this");
    CHECK(code_of(told()) == "IncorrectInstanceState");
    CHECK(told().error().message().find("cannot be read: the store of UEFI variables") !=
          std::string::npos);
    const model::Instance bios = world.life.launch(world.image("bios", BootMode::legacy_bios, ""));
    CHECK(code_of(world.settings.uefi_data(kAlice, bios.id, false)) == "UnsupportedOperation");
}

TEST_CASE("CI-10: an image has the variables of its instance") {
    UefiWorld world;
    const model::Instance instance = world.life.launch(world.image("image"));
    // Until there are any, those that it would begin with.
    CHECK(world.data_of(world.create(instance, "first")) == kGoldenData);
    world.put_own(instance);
    const auto made = world.create(instance, "second");
    CHECK(must(compute::decode_uefi_data(world.data_of(made))) == kOwn);
    CHECK(must(compute::decode_uefi_data(
              world.data_of(world.create(instance, "overridden", BootMode::uefi)))) == kOwn);
    world.put_store(instance, std::string(1024, '\0'));
    CHECK(code_of(world.create(instance, "damaged")) == "IncorrectInstanceState");
    catalog::ImageQuery query;
    query.names = {"damaged"};
    CHECK(must(world.life.service.store->read([&](catalog::Transaction& tx) {
              return tx.images().list(query);
          })).empty());
}

TEST_CASE("CI-10 CI-18: an image of an instance that boots with BIOS has no variables") {
    UefiWorld world;
    const auto preferred = world.image("preferred", BootMode::uefi_preferred);
    world.life.type = "t2.nano";
    const model::Instance instance = world.life.launch(preferred);
    // Left from when it booted otherwise.
    world.put_own(instance);
    CHECK(world.data_of(world.create(instance, "plain")).empty());
    CHECK(world.data_of(world.create(instance, "uefi", BootMode::uefi)).empty());
}
