// SPDX-License-Identifier: Apache-2.0
// On which instance types an image runs.
#include "control/tests/image_support.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using model::InstanceTypeSpecification;

namespace {

std::string refusal(const InstanceTypeSpecification& specification, const char* type) {
    model::Image image;
    image.id = model::ImageId("ami-0123456789abcdef0");
    image.instance_types = specification;
    const Status status = check_runs_on(image, type);
    return status ? std::string() : status.error().api_code();
}

constexpr const char* kRefused = "InvalidParameterCombination";

}  // namespace

TEST_CASE("ITS-3: an image runs where it is supported and not unsupported") {
    CHECK(refusal({}, "t3.nano") == "");
    CHECK(refusal({{"t3.*", "m5.large"}, {}}, "t3.nano") == "");
    CHECK(refusal({{"t3.*", "m5.large"}, {}}, "m5.large") == "");
    CHECK(refusal({{"t3.*", "m5.large"}, {}}, "m5.xlarge") == kRefused);
    CHECK(refusal({{"t3.*"}, {}}, "t3a.nano") == kRefused);  // the point is a point
    CHECK(refusal({{}, {"*.nano"}}, "t3.nano") == kRefused);
    CHECK(refusal({{}, {"*.nano"}}, "t3.micro") == "");
    CHECK(refusal({{}, {"*"}}, "t3.micro") == kRefused);
    // The unsupported ones win, however much closer the supported ones say it.
    CHECK(refusal({{"t3.nano"}, {"t3.*"}}, "t3.nano") == kRefused);
    CHECK(refusal({{"t3.*"}, {"t3.nano"}}, "t3.micro") == "");
    CHECK(refusal({{"t3.*"}, {"t3.nano"}}, "m5.large") == kRefused);
}

TEST_CASE("ITS-1 ITS-2: a specification replaces the one before, and a bad one changes nothing") {
    ImageWorld world;
    const auto id = world.put("image");
    const auto replace = [&](const Caller& caller, const InstanceTypeSpecification& wanted) {
        return code_of(world.images.replace_instance_types(caller, {id}, wanted));
    };
    const InstanceTypeSpecification first{{"t3.*"}, {"t3.nano"}};
    const InstanceTypeSpecification second{{}, {"m5.*"}};
    CHECK(replace(kAlice, first) == "");
    CHECK(world.get(id).instance_types == first);
    CHECK(replace(kAlice, second) == "");
    CHECK(world.get(id).instance_types == second);

    const std::string longest(30, 'x');
    const std::vector<std::string> most(400, longest);
    for (const char* wrong :
         {"", "T3.nano", "t3 nano", "t3.?", "t3/nano", "t3\\.nano", "t3_nano"}) {
        CAPTURE(wrong);
        CHECK(replace(kAlice, {{"t3.*", wrong}, {}}) == "InvalidParameterValue");
        CHECK(replace(kAlice, {{}, {wrong}}) == "InvalidParameterValue");
    }
    CHECK(replace(kAlice, {{longest + "x"}, {}}) == "InvalidParameterValue");
    std::vector<std::string> more = most;
    more.push_back("t3.nano");
    CHECK(replace(kAlice, {more, {}}) == "InvalidParameterValue");
    CHECK(replace(kAlice, {{}, more}) == "InvalidParameterValue");
    CHECK(replace(kBob, first) == "AuthFailure");
    CHECK(code_of(world.images.replace_instance_types(kAlice, {id, true}, first)) ==
          "DryRunOperation");
    CHECK(world.get(id).instance_types == second);

    CHECK(replace(kAlice, {most, most}) == "");
    CHECK(replace(kAlice, {}) == "");
    CHECK(world.get(id).instance_types == InstanceTypeSpecification{});
    REQUIRE(world.images.disable(kAlice, {id}).has_value());
    CHECK(replace(kAlice, first) == "InvalidAMIID.Unavailable");  // IMS-3
}
