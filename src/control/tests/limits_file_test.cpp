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

Quotas quotas(const std::string& text) {
    const auto limits = parse_limits(R"({"quotas": )" + text + "}");
    REQUIRE_MESSAGE(limits.has_value(), (limits ? "" : limits.error().message()));
    return limits->quotas;
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

TEST_CASE("QT-1 QT-2: a limits file changes the quotas it names") {
    CHECK(parse_limits("{}")->quotas == kDefaultQuotas);
    CHECK(quotas("{}") == kDefaultQuotas);
    CHECK(quotas(R"("ec2")") == kEc2Quotas);
    CHECK(quotas(R"("off")") == kNoQuotas);
    CHECK(quotas(R"({"images": 7, "keyPairs": "off", "vcpus": 0, "volumes": 1000000000})") ==
          kDefaultQuotas.with(Quota::images, 7)
              .with(Quota::key_pairs, std::nullopt)
              .with(Quota::vcpus, 0)
              .with(Quota::volumes, 1'000'000'000));
    const auto both = parse_limits(R"({"quotas": {"images": 7}, "requests": "off"})");
    REQUIRE(both);
    CHECK(both->requests == kNoRates);
    CHECK(both->quotas.of(Quota::images) == 7);
    // Every one has a name of its own.
    for (std::size_t i = 0; i < kQuotaNames.size(); ++i) {
        const auto quota = static_cast<Quota>(i);
        CHECK(quotas("{\"" + std::string(kQuotaNames[i]) + "\": 3}") ==
              kDefaultQuotas.with(quota, 3));
    }
    CHECK(kDefaultQuotas.of(Quota::image_shares) == 1000);
    CHECK_FALSE(kDefaultQuotas.of(Quota::images).has_value());
    CHECK(kEc2Quotas.of(Quota::images) == 50'000);
    CHECK(kEc2Quotas.of(Quota::volume_type_gib) == 51'200);
}

TEST_CASE("QT-1: what is wrong with a quota is named") {
    CHECK(refusal(R"({"quotas": 5})") == R"(quotas: must be "off", "ec2" or an object)");
    CHECK(refusal(R"({"quotas": {"image": 5}})") == "quotas: has an unknown member 'image'");
    for (const char* bad :
         {"-1", "1.5", "5.0", "1000000001", "18446744073709551615", "\"ec2\"", "null", "{}"}) {
        CHECK(refusal(R"({"quotas": {"images": )" + std::string(bad) + "}}") ==
              R"(quotas.images: must be "off" or a whole number from 0 to 1000000000)");
    }
    CHECK(refusal(R"({"quotas": {"images": 1, "images": 2}})").find("twice") != std::string::npos);
}
