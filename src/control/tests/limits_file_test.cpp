// SPDX-License-Identifier: Apache-2.0
#include "control/limits_file.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::control;

namespace {

RequestRates rates(const std::string& requests) {
    const auto limits = parse_limits(R"({"requests": )" + requests + "}");
    REQUIRE_MESSAGE(limits.has_value(), (limits ? "" : limits.error().message()));
    return limits->requests;
}

std::string refusal(const std::string& text) {
    const auto limits = parse_limits(text);
    REQUIRE_FALSE(limits.has_value());
    return limits.error().message();
}

}  // namespace

TEST_CASE("THR-2: a limits file changes what it names") {
    CHECK(parse_limits("{}")->requests == kDefaultRates);
    CHECK(rates("{}") == kDefaultRates);
    CHECK(rates(R"("ec2")") == kEc2Rates);
    CHECK(rates(R"("off")") == kNoRates);
    const RequestRates some = rates(R"({"reads": {"burst": 7, "perSecond": 0.5}, "heavy": "off"})");
    CHECK(some.of(RequestClass::reads) == Rate{7, 0.5});
    CHECK_FALSE(some.of(RequestClass::heavy).has_value());
    CHECK(some.of(RequestClass::writes) == kDefaultRates.of(RequestClass::writes));
    CHECK(some.of(RequestClass::blocks) == kDefaultRates.of(RequestClass::blocks));
    // What the block workers of a client send at once, and more than all of them in a second.
    CHECK(kEc2Rates.of(RequestClass::blocks)->burst >= 64);
}

TEST_CASE("THR-2: what is wrong in a limits file is named") {
    CHECK(refusal("{") == "line 1, column 2: this is not JSON");
    CHECK(refusal("[]") == "the document: must be an object");
    CHECK(refusal(R"({"request": "off"})") == "the document: has an unknown member 'request'");
    CHECK(refusal(R"({"requests": "aws"})") == R"(requests: must be "off", "ec2" or an object)");
    CHECK(refusal(R"({"requests": {"read": "off"}})") == "requests: has an unknown member 'read'");
    CHECK(refusal(R"({"requests": {"reads": 5}})") ==
          R"(requests.reads: must be "off" or an object)");
    CHECK(refusal(R"({"requests": {"reads": {"burst": 5}}})") ==
          "requests.reads.perSecond: is missing");
    for (const char* bad : {"0", "0.5", "-1", "1e7", "\"5\"", "null"}) {
        CHECK(refusal(R"({"requests": {"reads": {"perSecond": 1, "burst": )" + std::string(bad) +
                      "}}}")
                  .starts_with("requests.reads.burst: must be a number from 1 to "));
    }
    CHECK(refusal(R"({"requests": {"reads": {"burst": 5, "perSecond": 0}}})")
              .starts_with("requests.reads.perSecond: must be a number from 0.001 to "));
    CHECK(refusal(R"({"requests": "off", "requests": "ec2"})").find("twice") != std::string::npos);
    CHECK(refusal("{\n  \"requests\": 1e999}") ==
          "line 2, column 19: the number 1e999 is too large");
    CHECK(refusal("[[[[[[[[1]]]]]]]]") == "the document: must be an object");
    CHECK(refusal("[[[[[[[[[1]]]]]]]]]") == "it is nested too deep");
}
