// SPDX-License-Identifier: Apache-2.0
// Provided images and the public parameters that name them.
#include "control/provided_images.h"

#include <filesystem>
#include <set>

#include "control/accounts.h"
#include "control/public_parameters.h"
#include "control/tests/test_service.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

constexpr char kParameter[] = "/aws/service/kiln/tiny-linux/latest/x86_64";

std::string manifest(const std::string& version) {
    return R"({"name": "tiny-linux", "version": ")" + version +
           R"(", "description": "small", "disk": "tiny.raw", "architecture": "x86_64",
              "boot_mode": "uefi-preferred", "parameter": ")" +
           kParameter + "\"}";
}

struct ProvidedWorld {
    TempDir dir;
    TestService service{dir.path()};
    Imports imports{*service.parts, [] {}};
    ProvidedImages provided{*service.parts, imports};
    PublicParameters parameters{*service.store};
    std::atomic<bool> stop{false};
    std::string folder = dir.path() + "/provided";

    ProvidedWorld() {
        std::filesystem::create_directory(folder);
        disk.assign(3U << 20, '\0');
        disk.replace(0, 4, "boot");
        disk.replace((2U << 20) + 5000, 4, "data");
        put("tiny.raw", disk);
        put("tiny.json", manifest("1"));
    }
    void put(const std::string& name, const std::string& bytes) const {
        REQUIRE(write_file_atomic(folder + "/" + name, bytes));
    }
    std::vector<model::Image> images(const std::string& region) {
        auto found = service.store->read([&](catalog::Transaction& tx) {
            catalog::ImageQuery query;
            query.region = region;
            return tx.images().list(query);
        });
        REQUIRE(found);
        return *found;
    }

    std::string disk;
};

}  // namespace

TEST_CASE("PRV-1, PRV-2: a provided image is in every region, once, everybody's, under `amazon`") {
    ProvidedWorld world;
    for (int start = 0; start < 2; ++start) {  // the second finds everything there
        world.provided.provide(world.folder, world.stop);
        std::set<std::string> ids;
        std::set<std::string> contents;
        for (const Region& region : world.service.parts->topology.regions()) {
            const auto images = world.images(region.name);
            REQUIRE(images.size() == 1);
            const model::Image& image = images.front();
            CHECK(image.name == "tiny-linux-1");
            CHECK(image.owner_alias == "amazon");
            CHECK(image.location == "amazon/tiny-linux-1");
            CHECK(image.launch_permissions.everybody);
            CHECK(image.boot_mode == model::BootMode::uefi_preferred);
            CHECK(image.state == model::ImageState::available);
            ids.insert(image.id.str());
            const auto snapshot = world.service.store->read([&](catalog::Transaction& tx) {
                return tx.snapshots().get(image.block_device_mappings.front().ebs->snapshot_id);
            });
            REQUIRE(snapshot);
            CHECK(snapshot->region == region.name);
            contents.insert(snapshot->content.str());
        }
        CHECK(ids.size() == world.service.parts->topology.regions().size());
        CHECK(contents.size() == 1);
    }
}

TEST_CASE("PRV-3: a manifest that is wrong, and a disk that is missing, keep no other image away") {
    ProvidedWorld world;
    world.put("broken.json", "{");
    world.put(
        "lost.json",
        R"({"name": "lost", "version": "1", "disk": "lost.raw", "parameter": "/aws/service/l"})");
    world.provided.provide(world.folder, world.stop);
    CHECK(world.images("us-east-1").size() == 1);
    world.provided.provide(world.folder + "/nowhere", world.stop);
    world.stop = true;
    world.put("tiny.json", manifest("2"));
    world.provided.provide(world.folder, world.stop);
    CHECK_MESSAGE(world.images("us-east-1").size() == 1, "the service ends: nothing half made");
}

TEST_CASE("PRV-4: an account that has the provider's id already keeps it") {
    ProvidedWorld world;
    Accounts accounts(*world.service.store, *world.service.clock, *world.service.rng);
    REQUIRE(accounts.create({.id = kProviderAccount, .name = "mine"}));
    const Status refused = world.provided.provide_one(world.folder + "/tiny.json", world.stop);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code() == Code::already_exists);
    CHECK(world.images("us-east-1").empty());
}

TEST_CASE("PAR-1, PAR-2: a parameter is the newest version that is not deregistered") {
    ProvidedWorld world;
    CHECK(world.parameters.get(kBob, kParameter).error().api_code() == "ParameterNotFound");
    world.provided.provide(world.folder, world.stop);
    world.put("tiny.json", manifest("2"));
    world.provided.provide(world.folder, world.stop);
    const auto images = world.images("us-east-1");
    REQUIRE(images.size() == 2);
    const std::string name = kParameter;

    auto newest = world.parameters.get(kBob, name);
    REQUIRE(newest);
    CHECK(newest->value == images[1].id.str());
    CHECK(newest->version == 2);
    CHECK(newest->arn == "arn:aws:ssm:us-east-1::parameter" + name);
    const auto first = world.parameters.get(kBob, name + ":1");
    REQUIRE(first);
    CHECK(first->value == images[0].id.str());
    CHECK(first->selector == ":1");
    for (const char* bad : {":0", ":3", ":latest", ":"}) {
        CHECK(world.parameters.get(kBob, name + bad).error().api_code() ==
              "ParameterVersionNotFound");
    }
    CHECK(*world.parameters.resolve(kBob, "resolve:ssm:" + name) == images[1].id.str());
    CHECK(*world.parameters.resolve(kBob, "ami-12345678") == "ami-12345678");
    const auto unknown = world.parameters.resolve(kBob, "resolve:ssm:/aws/service/no");
    REQUIRE_FALSE(unknown);
    CHECK(unknown.error().api_code() == "InvalidParameterValue");
    CHECK(unknown.error().message().find("/aws/service/no") != std::string::npos);

    REQUIRE(Images(*world.service.parts)
                .deregister(Caller{model::AccountId(kProviderAccount), "us-east-1", false, "test"},
                            {.id = images[1].id}));
    newest = world.parameters.get(kBob, name);
    REQUIRE(newest);
    CHECK(newest->value == images[0].id.str());
    CHECK(newest->version == 1);
    // What was taken away does not come back.
    world.provided.provide(world.folder, world.stop);
    CHECK(world.parameters.get(kBob, name)->version == 1);
}

TEST_CASE("PAR-4: a path lists what is right below it, or all that is") {
    ProvidedWorld world;
    world.provided.provide(world.folder, world.stop);
    const auto names = [&](const std::string& path, bool recursive) {
        std::vector<std::string> found;
        const auto page = world.parameters.by_path(kBob, {path, recursive, {}});
        REQUIRE_MESSAGE(page, path);
        for (const Parameter& parameter : page->items) {
            found.push_back(parameter.name);
        }
        return found;
    };
    const std::vector<std::string> all{kParameter};
    CHECK(names("/", true).empty());  // own ones alone
    CHECK(names("/aws", true) == all);
    CHECK(names("/aws/service", true) == all);
    CHECK(names("/aws/service/", true) == all);
    CHECK(names("/aws/service", false).empty());
    CHECK(names("/aws/service/kiln/tiny-linux/latest", false) == all);
    CHECK(names("/aws/service/kiln/tiny", true).empty());
    CHECK(names(kParameter, true).empty());
    CHECK(world.parameters.by_path(kBob, {"aws", true, {}}).error().api_code() ==
          "ValidationException");
}

TEST_CASE("PRV-3: a manifest says everything, once and right") {
    const auto error_of = [](const std::string& text) {
        const auto image = parse_provided_image(text);
        return image ? "accepted" : image.error().message();
    };
    const auto with = [](const std::string& member, const std::string& value) {
        std::string text = manifest("1");
        const auto at = text.find("\"" + member + "\": ");
        REQUIRE(at != std::string::npos);
        const auto begin = at + member.size() + 4;
        return text.replace(begin, text.find('"', begin + 1) + 1 - begin, value);
    };
    CHECK(parse_provided_image(manifest("1")));
    CHECK(error_of("[]") == "the manifest is no JSON object");
    CHECK(error_of(with("name", "7")).starts_with("name: "));
    CHECK(error_of(with("name", "\"\"")).starts_with("name, version: "));
    CHECK(error_of(with("name", "\"a b#\"")).starts_with("name, version: "));
    CHECK(error_of(with("disk", "\"../tiny.raw\"")).starts_with("disk: "));
    CHECK(error_of(with("disk", "\"..\"")).starts_with("disk: "));
    CHECK(error_of(with("parameter", "\"/elsewhere\"")).starts_with("parameter: "));
    CHECK(error_of(with("parameter", "\"/aws/service/a b\"")).starts_with("parameter: "));
    CHECK(error_of(with("architecture", "\"sparc\"")).starts_with("architecture: "));
    CHECK(error_of(with("boot_mode", "\"fast\"")).starts_with("boot_mode: "));
    CHECK(error_of(R"({"colour": "red"})") == "colour: is not known here");
}
