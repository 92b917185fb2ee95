// SPDX-License-Identifier: Apache-2.0
// DescribeImages: who sees what, by which filter, in which pages.
#include "control/tests/image_support.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::ImageState;
using Names = std::vector<std::string>;

namespace {

void make_public(model::Image& image) {
    image.launch_permissions.everybody = true;
}
void share_with_bob(model::Image& image) {
    image.launch_permissions.accounts = {kBob.account};
}
auto in_state(ImageState state) {
    return [state](model::Image& image) {
        image.state = state;
        make_public(image);
    };
}

}  // namespace

TEST_CASE("DI-1 DI-2 DI-3: own, shared and public images are seen, by owner and by permission") {
    ImageWorld world;
    world.put("private");
    world.put("shared", kAlice, share_with_bob);
    world.put("public", kAlice, make_public);
    world.put("bobs", kBob);
    world.put("abroad", caller_of("111111111111", "eu-west-1"), make_public);
    world.put("provided", kCarol, [](model::Image& image) {
        make_public(image);
        image.owner_alias = "amazon";
    });

    CHECK(world.names(kAlice) == Names{"private", "shared", "public", "provided"});
    CHECK(world.names(kBob) == Names{"shared", "public", "bobs", "provided"});
    CHECK(world.names(kCarol) == Names{"public", "provided"});

    CHECK(world.names(kBob, {.owners = {"self"}}) == Names{"bobs"});
    CHECK(world.names(kBob, {.owners = {"111111111111"}}) == Names{"shared", "public"});
    CHECK(world.names(kBob, {.owners = {"amazon"}}) == Names{"provided"});
    CHECK(world.names(kBob, {.owners = {"aws-marketplace"}}).empty());
    CHECK(world.names(kBob, {.owners = {"amazon", "self"}}) == Names{"bobs", "provided"});
    CHECK(world.names(kBob, {.owners = {"nobody"}}) == Names{"InvalidUserID.Malformed"});

    CHECK(world.names(kBob, {.executable_by = {"all"}}) == Names{"public", "provided"});
    CHECK(world.names(kBob, {.executable_by = {"self"}}) == Names{"shared"});
    CHECK(world.names(kBob, {.executable_by = {"222222222222"}}) == Names{"shared"});
    CHECK(world.names(kAlice, {.executable_by = {"222222222222"}}) == Names{"shared"});
    CHECK(world.names(kAlice, {.executable_by = {"self"}}).empty());
    CHECK(world.names(kAlice, {.owners = {"self"}, .executable_by = {"all", "222222222222"}}) ==
          Names{"shared", "public"});
    // To whom another's image is shared is not told to those who share it.
    CHECK(world.names(kBob, {.executable_by = {"333333333333"}}).empty());
    CHECK(world.names(kBob, {.executable_by = {"everyone"}}) == Names{"InvalidUserID.Malformed"});
}

TEST_CASE("DI-5 DR-4 IMS-3: which states are shown, and to whom") {
    ImageWorld world;
    for (const ImageState state : {ImageState::pending, ImageState::available, ImageState::failed,
                                   ImageState::disabled, ImageState::deregistered}) {
        world.put(std::string(model::to_string(state)), kAlice, in_state(state));
    }
    CHECK(world.names(kAlice) == Names{"pending", "available", "failed"});
    CHECK(world.names(kAlice, {.include_disabled = true}) ==
          Names{"pending", "available", "failed", "disabled"});
    CHECK(world.names(kBob, {.include_disabled = true}) == Names{"pending", "available", "failed"});
    CHECK(world.names(kAlice, {.filters = {{"state", {"failed", "p*"}}}}) ==
          Names{"pending", "failed"});
    CHECK(world.names(kAlice, {.filters = {{"state", {"deregistered"}}}}).empty());
    CHECK(world.names(kAlice, {.filters = {{"state", {"disabled"}}}, .include_disabled = true}) ==
          Names{"disabled"});
}

TEST_CASE("DI-4 IDL-1 IDL-2 IDL-3 ERR-2: images asked for by id") {
    ImageWorld world;
    const auto mine = world.put("mine");
    const auto bobs = world.put("bobs", kBob);
    const auto gone = world.put("gone", kAlice, in_state(ImageState::deregistered));
    const auto off = world.put("off", kAlice, in_state(ImageState::disabled));
    const auto secret = world.put(
        "secret", kBob, [](model::Image& image) { image.state = ImageState::deregistered; });
    CHECK(world.names(kAlice, {.ids = {mine, mine}}) == Names{"mine"});
    CHECK(world.names(kAlice, {.ids = {gone}}).empty());
    CHECK(world.names(kBob, {.ids = {gone}}).empty());
    CHECK(world.names(kAlice, {.ids = {off}}).empty());
    CHECK(world.names(kAlice, {.ids = {off, mine}, .include_disabled = true}) ==
          Names{"mine", "off"});
    CHECK(world.names(kAlice, {.ids = {mine}, .owners = {"222222222222"}}).empty());
    CHECK(world.names(kAlice, {.ids = {mine}, .filters = {{"name", {"x"}}}}).empty());
    CHECK(world.names(caller_of("111111111111", "eu-west-1"), {.ids = {mine}}) ==
          Names{"InvalidAMIID.NotFound"});
    const auto missing = world.images.describe(kAlice, {.ids = {bobs, mine, secret, bobs}});
    CHECK(missing.error().message() ==
          "The image ids '[" + bobs.str() + ", " + secret.str() + "]' do not exist");
}

TEST_CASE("DR-10 DR-11 DI-4: a deprecated image is seen by its owner, by id, or when asked for") {
    ImageWorld world;
    const auto old = world.put("old", kAlice, [&](model::Image& image) {
        make_public(image);
        image.deprecation_time = world.clock.now();
    });
    world.put("soon", kAlice, [&](model::Image& image) {
        make_public(image);
        image.deprecation_time = UnixMillis{world.clock.now().value + 60'000};
    });
    CHECK(world.names(kAlice) == Names{"old", "soon"});
    CHECK(world.names(kBob) == Names{"soon"});
    CHECK(world.names(kBob, {.include_deprecated = true}) == Names{"old", "soon"});
    CHECK(world.names(kBob, {.ids = {old}}) == Names{"old"});
    world.clock.advance(std::chrono::minutes(1));
    CHECK(world.names(kBob).empty());
}

TEST_CASE("DI-6 FLT-3 FLT-5: filters the catalog narrows by and filters it does not, agree") {
    ImageWorld world;
    const auto one = world.put("web-1", kAlice, [](model::Image& image) {
        image.description = "a*b";
        image.architecture = model::Architecture::arm64;
        image.boot_mode = model::BootMode::uefi;
        image.ena_support = true;
    });
    const auto two = world.put("web-2", kAlice, make_public);
    world.put("db?", kAlice, [](model::Image& image) {
        image.state = ImageState::failed;
        image.state_reason = model::StateReason{"Client.InternalError", "no"};
        image.imds_v2 = true;
    });
    REQUIRE(world.store
                ->run([&](catalog::Transaction& tx) -> Status {
                    TRY(tx.tags().put({kAlice.account, "us-east-1", "image", one.str()},
                                      {{"env", "prod"}, {"app", ""}}));
                    TRY(tx.tags().put({kAlice.account, "us-east-1", "image", two.str()},
                                      {{"env", "test"}}));
                    return tx.tags().put({kBob.account, "us-east-1", "image", two.str()},
                                         {{"env", "prod"}});
                })
                .has_value());
    const auto with = [&](std::vector<Filter> filters, const Caller& caller = kAlice) {
        return world.names(caller, {.filters = std::move(filters)});
    };
    CHECK(with({{"name", {"web-1"}}}) == Names{"web-1"});
    CHECK(with({{"name", {"web-*"}}}) == Names{"web-1", "web-2"});
    CHECK(with({{"name", {"*-2"}}}) == Names{"web-2"});
    CHECK(with({{"name", {"web-1", "db\\?"}}}) == Names{"web-1", "db?"});
    CHECK(with({{"name", {"web-?"}}, {"name", {"web-2"}}}) == Names{"web-2"});
    CHECK(with({{"name", {"web-1"}}, {"name", {"web-2"}}}).empty());
    CHECK(with({{"name", {"Web-1"}}}).empty());
    CHECK(with({{"image-id", {one.str()}}}) == Names{"web-1"});
    CHECK(with({{"image-id", {"ami-*"}}}).size() == 3);
    CHECK(with({{"owner-id", {"111111111111"}}}).size() == 3);
    CHECK(with({{"owner-id", {"222222222222"}}}).empty());
    CHECK(with({{"owner-id", {"222222222222"}}}, kBob).empty());
    CHECK(with({{"is-public", {"true"}}}) == Names{"web-2"});
    CHECK(with({{"is-public", {"true", "false"}}}).size() == 3);
    CHECK(with({{"is-public", {"false"}}}).size() == 2);
    CHECK(with({{"is-public", {"yes"}}}).empty());
    CHECK(with({{"tag:env", {"prod"}}}) == Names{"web-1"});
    CHECK(with({{"tag:env", {"prod"}}}, kBob) == Names{"web-2"});
    CHECK(with({{"tag:env", {"*"}}}) == Names{"web-1", "web-2"});
    CHECK(with({{"tag:app", {""}}}) == Names{"web-1"});
    CHECK(with({{"tag-key", {"env"}}, {"tag-value", {"t*"}}}) == Names{"web-2"});
    CHECK(with({{"description", {"a\\*b"}}}) == Names{"web-1"});
    CHECK(with({{"architecture", {"arm64"}}, {"boot-mode", {"uefi"}}}) == Names{"web-1"});
    CHECK(with({{"ena-support", {"true"}}}) == Names{"web-1"});
    CHECK(with({{"imds-support", {"v2.0"}}}) == Names{"db?"});
    CHECK(with({{"state-reason-code", {"Client.*"}}}) == Names{"db?"});
    CHECK(with({{"block-device-mapping.volume-size", {"8"}}}).size() == 3);
    const auto snapshot = world.get(two).block_device_mappings[0].ebs->snapshot_id.str();
    CHECK(with({{"block-device-mapping.snapshot-id", {snapshot}}}) == Names{"web-2"});
    CHECK(with({{"creation-date", {"2025-06-01T12:34:4?.000Z"}}}).size() == 3);
    CHECK(with({{"colour", {"red"}}}) == Names{"InvalidParameterValue"});
    CHECK(with({{"name", {}}}) == Names{"InvalidParameterValue"});
}

TEST_CASE("every filter of the table can be asked for without and with a match") {
    ImageWorld world;
    world.put("one");
    for (const char* filter : {"architecture",
                               "block-device-mapping.delete-on-termination",
                               "block-device-mapping.device-name",
                               "block-device-mapping.snapshot-id",
                               "block-device-mapping.volume-size",
                               "block-device-mapping.volume-type",
                               "block-device-mapping.encrypted",
                               "creation-date",
                               "ena-support",
                               "free-tier-eligible",
                               "hypervisor",
                               "image-id",
                               "image-type",
                               "is-public",
                               "manifest-location",
                               "name",
                               "owner-id",
                               "root-device-name",
                               "root-device-type",
                               "state",
                               "virtualization-type"}) {
        CAPTURE(filter);
        CHECK(world.names(kAlice, {.filters = {{filter, {"*"}}}}) == Names{"one"});
        CHECK(world.names(kAlice, {.filters = {{filter, {"no such value"}}}}).empty());
    }
    for (const char* filter :
         {"boot-mode", "description", "image-allowed", "imds-support", "kernel-id", "owner-alias",
          "platform", "platform-details", "product-code", "product-code.type", "ramdisk-id",
          "source-image-id", "source-image-region", "source-instance-id", "sriov-net-support",
          "state-reason-code", "state-reason-message", "tpm-support", "usage-operation"}) {
        CAPTURE(filter);
        CHECK(world.names(kAlice, {.filters = {{filter, {"*"}}}}).empty());
    }
}

TEST_CASE("PAG-1 PAG-5 PAG-6 PAG-7: pages over filtered images, while others come and go") {
    ImageWorld world;
    std::vector<model::ImageId> ids;
    for (int n = 0; n < 30; ++n) {
        ids.push_back(world.put((n % 3 == 0 ? "take-" : "skip-") + std::to_string(n)));
    }
    CHECK(world.names(kAlice).size() == 30);
    for (const bool narrowed : {true, false}) {
        DescribeImagesInput input;
        input.filters = {{"name", {narrowed ? "take-*" : "*ake-*"}}};
        input.page.max_results = 3;
        input.page.binding = "x";
        Names seen;
        for (int pages = 0; pages < 20; ++pages) {
            const auto page = world.images.describe(kAlice, input);
            REQUIRE(page.has_value());
            CHECK(page->items.size() <= 3);
            for (const ImageView& view : page->items) {
                seen.push_back(view.image.name);
            }
            if (page->next_token.empty()) {
                break;
            }
            input.page.next_token = page->next_token;
            if (pages == 0 && narrowed) {
                REQUIRE(world.images.deregister(kAlice, {ids[27]}).has_value());
                REQUIRE(world.images.deregister(kAlice, {ids[9]}).has_value());
                world.put("take-newer");
            }
        }
        CHECK(seen == (narrowed ? Names{"take-27", "take-24", "take-21", "take-18", "take-15",
                                        "take-12", "take-6", "take-3", "take-0"}
                                : Names{"take-newer", "take-24", "take-21", "take-18", "take-15",
                                        "take-12", "take-6", "take-3", "take-0"}));
    }
    DescribeImagesInput named;
    named.ids = {ids[1], ids[3], ids[2]};
    named.page.max_results = 2;
    const auto first = world.images.describe(kAlice, named);
    REQUIRE(first.has_value());
    CHECK(first->items[1].image.id == ids[2]);
    named.page.next_token = first->next_token;
    CHECK(world.names(kAlice, named) == Names{"skip-1"});
    named.page.binding = "other";
    CHECK(world.names(kAlice, named) == Names{"InvalidNextToken"});
    CHECK(world.names(kAlice, {.page = {.max_results = 0}}) == Names{"InvalidParameterValue"});
}
