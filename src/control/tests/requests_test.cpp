// SPDX-License-Identifier: Apache-2.0
// The small rules every request shares: names, tags, pages, zones, instance types.
#include <doctest/doctest.h>

#include "control/images.h"
#include "control/instance_types.h"
#include "control/pagination.h"
#include "control/tagging.h"
#include "control/topology.h"

using namespace kiln;
using namespace kiln::control;

namespace {
Caller caller(std::string account, std::string region = "us-east-1") {
    return {model::AccountId(std::move(account)), std::move(region), false, "test"};
}
}  // namespace

TEST_CASE("IMGN-1: image names have 3 to 128 of the allowed characters") {
    CHECK(is_valid_image_name("web (2025) [a]/b.c-d'e@f_g"));
    CHECK(is_valid_image_name(std::string(128, 'a')));
    CHECK_FALSE(is_valid_image_name("ab"));
    CHECK_FALSE(is_valid_image_name(std::string(129, 'a')));
    CHECK_FALSE(is_valid_image_name("caf\xC3\xA9"));
    CHECK_FALSE(is_valid_image_name("a*b"));
}

TEST_CASE("TAG-1 TAG-2 TAG-5 TAG-11: bad tag specifications are refused") {
    const auto code = [](std::vector<TagSpecification> list) {
        const Status status = check_tag_specifications(list, {"instance", "volume"});
        return status ? std::string() : status.error().api_code();
    };
    CHECK(code({{"instance", {{"Name", "web"}, {"Empty", ""}}}, {"volume", {{"Name", "web"}}}}) ==
          "");
    CHECK(code({{"image", {{"a", "b"}}}}) == "InvalidParameterValue");
    CHECK(code({{"", {{"a", "b"}}}}) == "MissingParameter");
    CHECK(code({{"instance", {}}}) == "InvalidParameterValue");
    CHECK(code({{"instance", {{"a", "1"}}}, {"instance", {{"b", "2"}}}}) ==
          "InvalidParameterValue");
    CHECK(code({{"instance", {{"a", "1"}, {"a", "2"}}}}) == "InvalidParameterValue");
    CHECK(code({{"instance", {{"AWS:x", "1"}}}}) == "InvalidParameterValue");
    CHECK(code({{"instance", {{"", "1"}}}}) == "InvalidParameterValue");
    CHECK(code({{"instance", {{std::string(129, 'k'), "1"}}}}) == "InvalidParameterValue");
    CHECK(code({{"instance", {{"k", std::string(257, 'v')}}}}) == "InvalidParameterValue");
    std::vector<model::Tag> many;
    for (int i = 0; i < 51; ++i) {
        many.push_back({std::to_string(i), ""});
    }
    CHECK(code({{"instance", many}}) == "TagLimitExceeded");
}

TEST_CASE("PAG-3 PAG-5: a token serves the request it was made for, and no other") {
    PageRequest request{5, "", "DescribeInstances"};
    request.next_token = make_token(caller("111111111111"), request, {UnixMillis{1234}, "i-1"});
    const auto start = open_page(caller("111111111111"), request, {5, 1000});
    REQUIRE(start);
    CHECK(start->after->created.value == 1234);
    CHECK(start->after->id == "i-1");
    CHECK(*start->limit == 5);
    CHECK(open_page(caller("222222222222"), request, {}).error().api_code() == "InvalidNextToken");
    CHECK(open_page(caller("111111111111", "eu-west-1"), request, {}).error().api_code() ==
          "InvalidNextToken");
    request.binding = "DescribeVolumes";
    CHECK(open_page(caller("111111111111"), request, {}).error().api_code() == "InvalidNextToken");
    for (const char* bad : {"x", "AAAA", "====", "MTIzIDQ1NiBpLTE="}) {
        CHECK_FALSE(open_page(caller("111111111111"), {5, bad, ""}, {}));
    }
    CHECK(open_page(caller("1"), {4, "", ""}, {5, 1000}).error().message() ==
          "Value ( 4 ) for parameter maxResults is invalid. Expecting a value greater than 5.");
    CHECK(*open_page(caller("1"), {5000, "", ""}, {5, 1000})->limit == 1000);
}

TEST_CASE("REG-2: a zone is found by name or id, in its own region only") {
    const Topology topology = Topology::built_in();
    CHECK(topology.zone("us-east-1", "us-east-1b")->id == "use1-az2");
    CHECK(topology.zone("us-east-1", "use1-az2")->name == "us-east-1b");
    CHECK(topology.zone("us-east-1", "eu-west-1a").error().api_code() == "InvalidZone.NotFound");
    CHECK(topology.find("mars-north-1") == nullptr);
}

TEST_CASE("the instance types are named once each, and the default is one of them") {
    std::set<std::string_view> names;
    for (const InstanceType& type : instance_types()) {
        CHECK_MESSAGE(names.insert(type.name).second, type.name);
        CHECK(type.vcpus > 0);
        CHECK(type.memory_mib >= 512);
    }
    CHECK(find_instance_type(kDefaultInstanceType) != nullptr);
    CHECK(find_instance_type("t9.huge") == nullptr);
}
