// SPDX-License-Identifier: Apache-2.0
#include "api/codec/query_params.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::api;

namespace {
std::string code_of(std::string_view query, std::string_view body) {
    const auto params = QueryParams::parse(query, body);
    return params ? "" : params.error().api_code();
}
}  // namespace

TEST_CASE("WIRE-1: parameters come from the query string, the form body, or both") {
    const auto params =
        QueryParams::parse("Action=DescribeImages", "Version=2016-11-15&Owner.1=self");
    REQUIRE(params);
    CHECK(params->action() == "DescribeImages");
    CHECK(params->version() == "2016-11-15");
    CHECK(params->find("Owner.1") == "self");
    CHECK_FALSE(params->find("owner.1"));
    CHECK_FALSE(params->find("Owner"));
}

TEST_CASE("escapes and plus signs are decoded in names and values") {
    const auto params =
        QueryParams::parse("", "Descr%69ption=a+b%2Bc%3D%26&Name=gr%C3%BCn&Flag&Empty=");
    REQUIRE(params);
    CHECK(params->find("Description") == "a b+c=&");
    CHECK(params->find("Name") == "gr\xC3\xBCn");
    CHECK(params->find("Flag") == "");
    CHECK(params->find("Empty") == "");
}

TEST_CASE("what lies below one prefix stands together") {
    const auto params = QueryParams::parse("", "A-b=1&A.x=2&A=3&AB=4&A.a.b=5&A.a=6");
    REQUIRE(params);
    std::string order;
    for (const QueryParam& param : params->all()) {
        order += param.value;
    }
    CHECK(order == "365214");
}

TEST_CASE("broken query strings are refused with the code for syntax") {
    CHECK(code_of("", "A=%zz") == "MalformedQueryString");
    CHECK(code_of("", "A=%4") == "MalformedQueryString");
    CHECK(code_of("", "=1") == "MalformedQueryString");
    CHECK(code_of("", "A=1&A=1") == "MalformedQueryString");
    CHECK(code_of("A=1", "A=2") == "MalformedQueryString");
    CHECK(code_of("", std::string(kMaxParameterName + 1, 'a') + "=1") == "MalformedQueryString");
    CHECK(code_of("", std::string(kMaxQueryBytes + 1, '&')) == "MalformedQueryString");
    CHECK(code_of("", std::string(kMaxQueryBytes, '&')).empty());
}

TEST_CASE("text that no response could repeat is refused") {
    CHECK(code_of("", "Description=a%00b") == "InvalidParameterValue");
    CHECK(code_of("", "Description=%1b") == "InvalidParameterValue");
    CHECK(code_of("", "Description=%ff%fe") == "InvalidParameterValue");
    CHECK(code_of("", "Description=%ed%a0%80") == "InvalidParameterValue");  // a surrogate
    CHECK(code_of("", "Description=%c0%af") == "InvalidParameterValue");     // overlong
    CHECK(code_of("", "Description=%f4%90%80%80") == "InvalidParameterValue");
    CHECK(code_of("", "Description=a%0d%0a%09b%f0%9f%94%a5").empty());
}

TEST_CASE(
    "a request may have as many parameters as the largest filter request, and not many more") {
    std::string body;
    for (std::size_t i = 0; i < kMaxParameters; ++i) {
        body += "F." + std::to_string(i) + "=&";
    }
    CHECK(code_of("", body).empty());
    CHECK(code_of("", body + "One=1") == "MalformedQueryString");
}
