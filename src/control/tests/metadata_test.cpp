// SPDX-License-Identifier: Apache-2.0
// Metadata over a catalog: tokens, options, where the facts come from.
#include "control/metadata.h"

#include "control/metadata_options.h"
#include "control/tests/metadata_world.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using std::chrono::seconds;

namespace {

std::string read(Metadata& metadata, std::string_view path) {
    const auto instance = metadata.instance(kInstance);
    REQUIRE(instance.has_value());
    const auto names = split_metadata_path(path);
    const auto found = metadata.find(*instance, *names);
    REQUIRE(found.has_value());
    return *found ? (*found)->text : "(absent)";
}

std::string code_of(const Status& status) {
    return status ? "" : status.error().api_code();
}

}  // namespace

TEST_CASE("IMDS-2: a token is good for its instance, its run and its time") {
    World world;
    const auto metadata = world.metadata();
    MetadataTokens& tokens = metadata->tokens();
    const model::Instance instance = full_instance();
    const std::string token = tokens.issue(instance, seconds(60));
    CHECK(token.size() == 64);
    CHECK(token != tokens.issue(instance, seconds(60)));
    CHECK(tokens.remaining(instance, token) == seconds(60));
    world.clock().advance(std::chrono::milliseconds(59'500));
    CHECK(tokens.remaining(instance, token) == seconds(1));
    world.clock().advance(std::chrono::milliseconds(500));
    CHECK_FALSE(tokens.remaining(instance, token).has_value());

    const std::string fresh = tokens.issue(instance, kMaxTokenTtl);
    model::Instance other = instance;
    other.id = model::InstanceId("i-0123456789abcdef1");
    CHECK_FALSE(tokens.remaining(other, fresh).has_value());
    model::Instance restarted = instance;
    restarted.launched.value += 1;
    CHECK_FALSE(tokens.remaining(restarted, fresh).has_value());
    CHECK(tokens.remaining(instance, fresh) == kMaxTokenTtl);
}

TEST_CASE("IMDS-2: a token outlives the daemon, and no other store takes it") {
    World world;
    const model::Instance instance = full_instance();
    const std::string token = world.metadata()->tokens().issue(instance, seconds(60));
    CHECK(world.metadata()->tokens().remaining(instance, token).has_value());
    World another;
    CHECK_FALSE(another.metadata()->tokens().remaining(instance, token).has_value());
}

TEST_CASE("IMDS-2: a token with any character changed is no token") {
    World world;
    const auto metadata = world.metadata();
    const model::Instance instance = full_instance();
    const std::string token = metadata->tokens().issue(instance, seconds(60));
    for (std::size_t at = 0; at < token.size(); ++at) {
        std::string damaged = token;
        damaged[at] = damaged[at] == 'A' ? 'B' : 'A';
        CHECK_FALSE(metadata->tokens().remaining(instance, damaged).has_value());
    }
    for (const std::string& text : {std::string(), token + "A", token.substr(1),
                                    std::string(64, '='), std::string(64, '+')}) {
        CHECK_FALSE(metadata->tokens().remaining(instance, text).has_value());
    }
}

TEST_CASE("IMDS-2: a time to live is a number from 1 to 21600") {
    CHECK(parse_token_ttl("1") == seconds(1));
    CHECK(parse_token_ttl("21600") == seconds(21'600));
    for (const char* text :
         {"", "0", "21601", "-1", "+1", "1.5", "60s", " 60", "0x10", "99999999999999999999"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_token_ttl(text).has_value());
    }
}

TEST_CASE("metadata say what the catalog says at that moment") {
    World world;
    model::Instance instance = full_instance();
    world.insert(instance);
    const auto metadata = world.metadata();
    CHECK(read(*metadata, "meta-data/placement/availability-zone-id") == "use1-az2");
    CHECK(read(*metadata, "meta-data/security-groups") == "default\nweb");
    CHECK(read(*metadata, "meta-data/tags/instance/Name") == "(absent)");
    world.tag(instance, {{"Name", "web"}});
    instance.metadata_options.instance_tags_enabled = true;
    world.update(instance);
    CHECK(read(*metadata, "meta-data/tags/instance/Name") == "web");

    model::Image image;
    image.id = instance.image_id;
    image.location = "bucket/image.manifest.xml";
    REQUIRE(world.store().run([&](catalog::Transaction& tx) { return tx.images().insert(image); }));
    CHECK(read(*metadata, "meta-data/ami-manifest-path") == "(unknown)");
    instance.root_device_type = model::RootDeviceType::instance_store;
    world.update(instance);
    CHECK(read(*metadata, "meta-data/ami-manifest-path") == "bucket/image.manifest.xml");
    CHECK(metadata->instance(model::InstanceId("i-1")).error().code() == Code::not_found);
}

TEST_CASE(
    "IMDS-4: options come from the request, then the account, then the image, then the defaults") {
    model::Image image;
    MetadataOptionsInput input;
    model::MetadataDefaults account;
    const auto options = [&] { return *launch_metadata_options(input, account, image); };
    CHECK(options() == model::MetadataOptions{});
    image.imds_v2 = true;
    CHECK(options() == model::MetadataOptions{true, 2, true, false, false});
    account.tokens_required = false;
    CHECK(options() == model::MetadataOptions{false, 2, true, false, false});
    account.hop_limit = 7;
    account.endpoint_enabled = false;
    account.instance_tags_enabled = true;
    CHECK(options() == model::MetadataOptions{false, 7, false, false, true});
    account.tokens_enforced = true;
    CHECK(launch_metadata_options(input, account, image).error().api_code() ==
          "UnsupportedOperation");
    input.tokens_required = true;
    CHECK(options() == model::MetadataOptions{true, 7, false, false, true});
    account = {};
    input.tokens_required = false;
    input.hop_limit = 5;
    input.endpoint_enabled = false;
    input.instance_tags_enabled = true;
    CHECK(options() == model::MetadataOptions{false, 5, false, false, true});
    CHECK(code_of(check_metadata_options(input)).empty());
    input.hop_limit = 0;
    CHECK(code_of(check_metadata_options(input)) == "InvalidParameterValue");
    input.hop_limit = 65;
    CHECK(code_of(check_metadata_options(input)) == "InvalidParameterValue");
    input.hop_limit = 64;
    CHECK(code_of(check_metadata_options(input)).empty());
    input.ipv6_enabled = true;
    CHECK(code_of(check_metadata_options(input)) == "UnsupportedOperation");
}

TEST_CASE("IMDS-4 IMDS-11: options change later, with the checks of a launch") {
    World world;
    model::Instance instance = full_instance();
    world.insert(instance);
    ModifyMetadataOptionsInput input;
    input.id = instance.id;
    const auto modify = [&](const Caller& who) {
        return modify_metadata_options(world.store(), who, input);
    };
    CHECK(modify(caller()).error().api_code() == "InvalidParameterCombination");  // nothing to do
    input.options.tokens_required = true;
    CHECK(modify(caller("222222222222")).error().api_code() == "InvalidInstanceID.NotFound");
    CHECK(modify(caller("111111111111", "eu-west-1")).error().api_code() ==
          "InvalidInstanceID.NotFound");
    input.dry_run = true;
    CHECK(modify(caller()).error().api_code() == "DryRunOperation");
    const auto metadata = world.metadata();
    CHECK_FALSE(metadata->instance(instance.id)->metadata_options.tokens_required);
    input.dry_run = false;
    REQUIRE(modify(caller()).has_value());
    input.options = {};
    input.options.hop_limit = 3;
    const auto changed = modify(caller());
    REQUIRE(changed.has_value());
    CHECK(*changed == model::MetadataOptions{true, 3, true, false, false});
    CHECK(metadata->instance(instance.id)->metadata_options == *changed);

    world.tag(instance, {{"a key", "x"}});
    input.options = {};
    input.options.instance_tags_enabled = true;
    CHECK(modify(caller()).error().message() ==
          "'a key' is not a valid tag key. Tag keys must match pattern "
          "([0-9a-zA-Z\\-_+=,.@:]{1,255}), and must not be a reserved name ('.', '..', '_index')");
    instance.state = model::InstanceState::terminated;
    world.update(instance);
    input.options = {};
    input.options.endpoint_enabled = false;
    CHECK(modify(caller()).error().api_code() == "IncorrectInstanceState");
}
