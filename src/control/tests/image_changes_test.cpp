// SPDX-License-Identifier: Apache-2.0
// What changes about an image, and its end.
#include "control/tests/image_support.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::ImageState;

namespace {

ImageChange add(std::vector<LaunchPermission> entries) {
    ImageChange change;
    change.add = std::move(entries);
    return change;
}
ImageChange remove(std::vector<LaunchPermission> entries) {
    ImageChange change;
    change.remove = std::move(entries);
    return change;
}
constexpr const char* kOrganization =
    "arn:aws:organizations::111111111111:organization/o-1234567890";
constexpr const char* kUnit =
    "arn:aws:organizations::111111111111:ou/o-1234567890/ou-1234-12345678";
constexpr const char* kInnerUnit =
    "arn:aws:organizations::111111111111:ou/o-1234567890/ou-1234-abcdefgh";
const LaunchPermission kAll{.group = "all"};
LaunchPermission user(const std::string& id) {
    return {.user_id = id};
}

std::string launch(ImageWorld& world, const Caller& caller, const model::ImageId& id) {
    const auto found = world.store->read(
        [&](catalog::Transaction& tx) { return Images::find_launchable(tx, caller, id); });
    return found ? std::string() : found.error().api_code();
}

std::string protection(ImageWorld& world, const model::ImageId& id) {
    return world.images.describe(kAlice, {.ids = {id}})->items.front().protection;
}

}  // namespace

TEST_CASE("LP-1 LP-3 LP-4 LP-11: permissions come and go, and launching obeys at once") {
    ImageWorld world;
    const auto id = world.put("image");
    CHECK(launch(world, kBob, id) == "AuthFailure");
    CHECK(code_of(world.images.modify(kAlice, {id}, add({user("222222222222")}))) == "");
    CHECK(code_of(world.images.modify(kAlice, {id}, add({user("222222222222")}))) == "");
    CHECK(launch(world, kBob, id) == "");
    CHECK(launch(world, kCarol, id) == "AuthFailure");
    CHECK(code_of(world.images.modify(kAlice, {id}, remove({user("333333333333")}))) == "");
    CHECK(code_of(world.images.modify(kAlice, {id}, remove({user("222222222222")}))) == "");
    CHECK(launch(world, kBob, id) == "AuthFailure");

    CHECK(code_of(world.images.modify(kAlice, {id}, add({kAll, user("111111111111")}))) == "");
    CHECK(launch(world, kCarol, id) == "");
    CHECK(world.get(id).launch_permissions.accounts.empty());
    ImageChange both = add({user("333333333333"), user("222222222222")});
    both.remove = {kAll, user("222222222222")};
    CHECK(code_of(world.images.modify(kAlice, {id}, both)) == "");
    CHECK(launch(world, kBob, id) == "AuthFailure");
    CHECK(launch(world, kCarol, id) == "");
    CHECK(code_of(world.images.reset_launch_permission(kAlice, {id})) == "");
    CHECK(world.get(id).launch_permissions == model::Sharing{});
}

TEST_CASE("LP-5 LP-6: bad entries and too many of them change nothing") {
    ImageWorld world;
    const auto id = world.put("image");
    const auto refused = [&](std::vector<LaunchPermission> entries) {
        entries.push_back(user("222222222222"));
        const Status status = world.images.modify(kAlice, {id}, add(std::move(entries)));
        REQUIRE_FALSE(status.has_value());
        return status.error();
    };
    CHECK(refused({user("22222222222")}).api_code() == "InvalidAMIAttributeItemValue");
    CHECK(refused({user("bob")}).message() ==
          "Invalid attribute item value \"bob\" for userId item type.");
    CHECK(refused({{.group = "everyone"}}).api_code() == "InvalidAMIAttributeItemValue");
    CHECK(refused({{.organization_arn = "o-1234"}}).api_code() == "InvalidAMIAttributeItemValue");
    for (const char* arn :
         {"ou-1234-12345678", "arn:aws:organizations::1:organization/o-1234567890",
          "arn:aws:organizations::111111111111:organization/o-123456789",
          "arn:aws:organizations::111111111111:organization/o-1234567890/x",
          "arn:aws-cn:organizations::111111111111:organization/o-1234567890",
          "arn:aws:organizations::111111111111:ou/o-1234567890/ou-1234-1234567",
          "arn:aws:organizations::111111111111:ou/ou-1234-12345678", kUnit}) {
        CHECK(refused({{.organization_arn = arn}}).api_code() == "InvalidAMIAttributeItemValue");
    }
    CHECK(refused({{.organizational_unit_arn = kOrganization}}).message() ==
          std::string("Invalid attribute item value \"") + kOrganization +
              "\" for organizationalUnitArn item type.");
    CHECK(refused({{.organization_arn = kOrganization, .organizational_unit_arn = kUnit}})
              .api_code() == "InvalidParameterCombination");
    CHECK(refused({{}}).api_code() == "InvalidParameterCombination");
    CHECK(refused({{.user_id = "222222222222", .group = "all"}}).api_code() ==
          "InvalidParameterCombination");
    std::vector<LaunchPermission> many;
    for (int n = 0; n < 1000; ++n) {
        many.push_back(user(model::make_account_id(static_cast<std::uint64_t>(n)).str()));
    }
    CHECK(refused(many).api_code() == "ResourceLimitExceeded");
    CHECK(world.get(id).launch_permissions == model::Sharing{});
    CHECK(code_of(world.images.modify(kAlice, {id}, add(many))) == "");
    CHECK(world.get(id).launch_permissions.accounts.size() == 1000);
    // An organization counts once, and one that is there already not again.
    CHECK(code_of(world.images.modify(kAlice, {id}, add({{.organization_arn = kOrganization}}))) ==
          "ResourceLimitExceeded");
    ImageChange swap = add({{.organization_arn = kOrganization}});
    swap.remove = {many.front()};
    CHECK(code_of(world.images.modify(kAlice, {id}, swap)) == "");
    CHECK(code_of(world.images.modify(kAlice, {id}, add({{.organization_arn = kOrganization}}))) ==
          "");
    CHECK(world.get(id).launch_permissions.organizations ==
          std::vector<std::string>{kOrganization});
}

TEST_CASE("LP-2 LP-4 LP-10: an image is shared with organizations and the units in them") {
    ImageWorld world;
    const auto id = world.put("image");
    Caller inner = kBob;
    inner.organizations = {kOrganization, kUnit, kInnerUnit};
    Caller outer = kBob;
    outer.organizations = {kOrganization, kUnit};
    const auto listed = [&](const Caller& caller) {
        DescribeImagesInput input;
        input.executable_by = {"self"};
        const auto page = world.images.describe(caller, input);
        REQUIRE(page.has_value());
        const auto all = world.images.describe(caller, {});
        REQUIRE(all.has_value());
        CHECK(all->items.size() == page->items.size());
        return page->items.size();
    };
    const auto launch = [&](const Caller& caller) { return ::launch(world, caller, id); };
    CHECK(launch(inner) == "AuthFailure");
    REQUIRE(world.images.modify(kAlice, {id}, add({{.organizational_unit_arn = kInnerUnit}})));
    CHECK(launch(inner) == "");
    CHECK(launch(outer) == "AuthFailure");
    CHECK(listed(inner) == 1);
    CHECK(listed(outer) == 0);
    REQUIRE(world.images.modify(kAlice, {id}, add({{.organizational_unit_arn = kUnit}})));
    CHECK(listed(outer) == 1);
    // The account's own entry comes and goes, the access stays.
    REQUIRE(world.images.modify(kAlice, {id}, add({user("222222222222")})));
    CHECK(code_of(world.images.cancel_launch_permission(inner, {id})) == "");
    CHECK(code_of(world.images.cancel_launch_permission(inner, {id})) == "OperationNotPermitted");
    CHECK(launch(inner) == "");
    CHECK(launch(kBob) == "AuthFailure");
    // By the number of another account one finds what is shared with just that.
    DescribeImagesInput by_number;
    by_number.executable_by = {"222222222222"};
    const auto audit = world.images.describe(kAlice, by_number);
    REQUIRE(audit.has_value());
    CHECK(audit->items.empty());
    REQUIRE(world.images.reset_launch_permission(kAlice, {id}));
    CHECK(launch(inner) == "AuthFailure");
    CHECK(world.get(id).launch_permissions == model::Sharing{});
}

TEST_CASE("LP-7 PC-5: what must not be public cannot be made so") {
    ImageWorld world;
    const auto encrypted = world.put("encrypted", kAlice, [](model::Image& image) {
        image.block_device_mappings[0].ebs->encrypted = true;
    });
    const auto coded = world.put("coded", kAlice, [](model::Image& image) {
        image.product_codes = {{"abc", "marketplace"}};
    });
    for (const auto& id : {encrypted, coded}) {
        CHECK(code_of(world.images.modify(kAlice, {id}, add({kAll}))) == "OperationNotPermitted");
        CHECK_FALSE(world.get(id).launch_permissions.everybody);
        CHECK(code_of(world.images.modify(kAlice, {id}, add({user("222222222222")}))) == "");
    }
}

TEST_CASE("LP-13 DR-10: a public image is deprecated after two years at the latest") {
    ImageWorld world;
    world.clock.set("2024-02-29T10:00:20.000Z");
    const auto id = world.put("image", kAlice, [](model::Image& image) {
        image.created = *parse_iso8601("2024-02-29T10:00:40.000Z");
    });
    const auto time = [&] {
        const auto when = world.get(id).deprecation_time;
        return when ? format_iso8601(*when) : std::string();
    };
    CHECK(code_of(world.images.deprecate(kAlice, {id}, *parse_iso8601("2030-01-01T00:00:00Z"))) ==
          "");
    CHECK(code_of(world.images.modify(kAlice, {id}, add({kAll}))) == "");
    CHECK(time() == "2026-02-28T10:01:00.000Z");
    CHECK(code_of(world.images.deprecate(kAlice, {id}, std::nullopt)) == "OperationNotPermitted");
    CHECK(code_of(world.images.deprecate(kAlice, {id}, *parse_iso8601("2026-02-28T10:02:00Z"))) ==
          "InvalidParameterValue");
    CHECK(code_of(world.images.deprecate(kAlice, {id}, *parse_iso8601("2025-01-01T00:00:00Z"))) ==
          "");
    CHECK(code_of(world.images.modify(kAlice, {id}, remove({kAll}))) == "");
    CHECK(time() == "2025-01-01T00:00:00.000Z");
    CHECK(code_of(world.images.modify(kAlice, {id}, add({kAll}))) == "");
    CHECK(time() == "2025-01-01T00:00:00.000Z");  // earlier than the limit: kept
    CHECK(code_of(world.images.reset_launch_permission(kAlice, {id})) == "");
    CHECK(code_of(world.images.deprecate(kAlice, {id}, std::nullopt)) == "");
    CHECK(time() == "");
}

TEST_CASE("TIME-2 DR-10: the time of deprecation is a minute, not past, within ten years") {
    ImageWorld world;
    const auto id = world.put("image");
    world.clock.set("2025-06-01T12:00:20.000Z");
    const auto set = [&](const char* time) {
        return code_of(world.images.deprecate(kAlice, {id}, *parse_iso8601(time)));
    };
    CHECK(set("2025-06-01T11:59:00Z") == "InvalidParameterValue");
    CHECK(set("2035-06-01T12:01:00Z") == "InvalidParameterValue");
    CHECK(set("2035-06-01T12:00:00Z") == "");
    CHECK(set("2025-06-01T12:05:29.999Z") == "");
    CHECK(format_iso8601(*world.get(id).deprecation_time) == "2025-06-01T12:05:00.000Z");
    CHECK(set("2025-06-01T12:05:30Z") == "");
    CHECK(format_iso8601(*world.get(id).deprecation_time) == "2025-06-01T12:06:00.000Z");
}

TEST_CASE("IMG-1 IMS-3 DR-8: description and IMDS support change while the image is available") {
    ImageWorld world;
    const auto id = world.put("image");
    ImageChange description;
    description.description = std::string(255, 'x');
    CHECK(code_of(world.images.modify(kAlice, {id}, description)) == "");
    CHECK(world.get(id).description == std::string(255, 'x'));
    std::string umlauts;
    for (int n = 0; n < 255; ++n) {
        umlauts += "\xC3\xA4";
    }
    description.description = umlauts;
    CHECK(code_of(world.images.modify(kAlice, {id}, description)) == "");
    description.description = umlauts + "x";
    CHECK(code_of(world.images.modify(kAlice, {id}, description)) == "InvalidParameterValue");
    description.description = "";
    CHECK(code_of(world.images.modify(kAlice, {id}, description)) == "");
    CHECK(world.get(id).description.empty());

    ImageChange imds;
    imds.imds_support = "v1.0";
    CHECK(code_of(world.images.modify(kAlice, {id}, imds)) == "InvalidParameterValue");
    imds.imds_support = "v2.0";
    CHECK(code_of(world.images.modify(kAlice, {id}, imds)) == "");
    CHECK(world.get(id).imds_v2);

    for (const ImageState state : {ImageState::pending, ImageState::failed, ImageState::disabled,
                                   ImageState::deregistered}) {
        const auto other = world.put(std::string(model::to_string(state)), kAlice,
                                     [&](model::Image& image) { image.state = state; });
        for (const ImageChange& change : {description, imds, add({kAll})}) {
            CHECK(code_of(world.images.modify(kAlice, {other}, change)) ==
                  "InvalidAMIID.Unavailable");
        }
        CHECK(code_of(world.images.reset_launch_permission(kAlice, {other})) ==
              "InvalidAMIID.Unavailable");
    }
}

TEST_CASE("DR-1 DR-4 DR-5: a deregistered image is gone, and its record and its name's end") {
    ImageWorld world;
    const auto id = world.put("image", kAlice, [](model::Image& image) {
        image.launch_permissions.accounts = {kBob.account};
    });
    REQUIRE(
        world.store
            ->run([&](catalog::Transaction& tx) {
                return tx.tags().put({kBob.account, "us-east-1", "image", id.str()}, {{"k", "v"}});
            })
            .has_value());
    CHECK(code_of(world.images.deregister(kBob, {id})) == "AuthFailure");
    CHECK(code_of(world.images.deregister(kAlice, {id, true})) == "DryRunOperation");
    CHECK(world.get(id).state == ImageState::available);
    CHECK(code_of(world.images.deregister(kAlice, {id})) == "");
    CHECK(world.get(id).name == "image");
    CHECK(world.put("image") != id);  // the name is free
    for (const Caller& caller : {kAlice, kBob}) {
        CHECK(code_of(world.images.deregister(caller, {id})) == "InvalidAMIID.Unavailable");
        CHECK(launch(world, caller, id) == "InvalidAMIID.Unavailable");
    }
    CHECK(code_of(world.images.deregister(kCarol, {id})) == "InvalidAMIID.NotFound");
    CHECK(launch(world, kCarol, id) == "InvalidAMIID.NotFound");
    const auto tags = world.store->read(
        [&](catalog::Transaction& tx) { return tx.tags().of(kBob.account, {id.str()}); });
    CHECK(tags->empty());  // TAG-8
    for (const ImageState state : {ImageState::pending, ImageState::failed, ImageState::disabled}) {
        const auto other = world.put(std::string(model::to_string(state)), kAlice,
                                     [&](model::Image& image) { image.state = state; });
        CHECK(code_of(world.images.deregister(kAlice, {other})) == "");
    }
}

TEST_CASE("DR-7: protection, with and without a cooldown") {
    ImageWorld world;
    const auto id = world.put("image");
    CHECK(protection(world, id) == "disabled");
    CHECK(code_of(world.images.protect(kAlice, {id}, false)) == "");
    CHECK(protection(world, id) == "enabled-without-cooldown");
    CHECK(code_of(world.images.deregister(kAlice, {id})) == "OperationNotPermitted");
    CHECK(code_of(world.images.deregister(kAlice, {id, true})) == "OperationNotPermitted");
    CHECK(code_of(world.images.unprotect(kAlice, {id})) == "");
    CHECK(protection(world, id) == "disabled");

    world.clock.set("2025-06-02T08:00:00.700Z");
    CHECK(code_of(world.images.protect(kAlice, {id}, true)) == "");
    CHECK(protection(world, id) == "enabled-with-cooldown");
    CHECK(code_of(world.images.unprotect(kAlice, {id})) == "");
    CHECK(protection(world, id) == "disabled after 2025-06-03T08:00:00.000Z");
    CHECK(code_of(world.images.deregister(kAlice, {id})) == "OperationNotPermitted");
    // Disabling again does not begin it anew; protecting again ends it.
    world.clock.set("2025-06-03T07:00:00.000Z");
    CHECK(code_of(world.images.unprotect(kAlice, {id})) == "");
    CHECK(protection(world, id) == "disabled after 2025-06-03T08:00:00.000Z");
    CHECK(code_of(world.images.protect(kAlice, {id}, false)) == "");
    CHECK(protection(world, id) == "enabled-without-cooldown");
    CHECK(code_of(world.images.protect(kAlice, {id}, true)) == "");
    CHECK(code_of(world.images.unprotect(kAlice, {id})) == "");
    world.clock.set("2025-06-04T06:59:59.999Z");
    CHECK(code_of(world.images.deregister(kAlice, {id})) == "OperationNotPermitted");
    world.clock.set("2025-06-04T07:00:00.000Z");
    CHECK(protection(world, id) == "disabled");
    CHECK(code_of(world.images.deregister(kAlice, {id})) == "");
}

TEST_CASE("DR-8 DR-9: a disabled image loses its permissions and comes back without them") {
    ImageWorld world;
    const auto id = world.put("image", kAlice, [](model::Image& image) {
        image.launch_permissions = {true, {kBob.account}};
    });
    CHECK(code_of(world.images.disable(kBob, {id})) == "AuthFailure");
    CHECK(code_of(world.images.disable(kAlice, {id})) == "");
    CHECK(code_of(world.images.disable(kAlice, {id})) == "");
    CHECK(launch(world, kAlice, id) == "InvalidAMIID.Unavailable");
    CHECK(launch(world, kBob, id) == "AuthFailure");
    CHECK(code_of(world.images.enable(kAlice, {id})) == "");
    CHECK(code_of(world.images.enable(kAlice, {id})) == "");
    CHECK(launch(world, kAlice, id) == "");
    CHECK(launch(world, kBob, id) == "AuthFailure");
    const auto pending = world.put("pending", kAlice,
                                   [](model::Image& image) { image.state = ImageState::pending; });
    CHECK(code_of(world.images.disable(kAlice, {pending})) == "InvalidAMIID.Unavailable");
}

TEST_CASE("LP-9 LP-14 ERR-2: who reads which attribute") {
    ImageWorld world;
    const auto id = world.put("image", kAlice, [](model::Image& image) {
        image.launch_permissions.accounts = {kBob.account};
    });
    const auto read = [&](const Caller& caller, ImageAttribute attribute) {
        const auto view = world.images.describe_attribute(caller, {id}, attribute);
        return view ? std::string() : view.error().message();
    };
    const std::string refused = "Not authorized for image:" + id.str();
    for (const auto& entry : enum_names(ImageAttribute{})) {
        const ImageAttribute attribute = entry.value;
        CAPTURE(entry.name);
        if (attribute == ImageAttribute::block_device_mapping) {
            CHECK(read(kAlice, attribute) == "Unauthorized attempt to access restricted resource");
            continue;
        }
        const bool for_owner = attribute == ImageAttribute::launch_permission ||
                               attribute == ImageAttribute::uefi_data ||
                               attribute == ImageAttribute::last_launched_time ||
                               attribute == ImageAttribute::deregistration_protection;
        CHECK(read(kAlice, attribute) == "");
        CHECK(read(kBob, attribute) == (for_owner ? refused : ""));
        CHECK(read(kCarol, attribute) == refused);
    }
    CHECK(code_of(world.images.deregister(kAlice, {id})) == "");
    CHECK(read(kAlice, ImageAttribute::description) ==
          "The image ID '" + id.str() + "' is no longer available");
}
