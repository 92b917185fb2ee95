// SPDX-License-Identifier: Apache-2.0
#include "api/codec/json_codec.h"

#include <doctest/doctest.h>

#include "api/generated/ssm/get_parameter.h"
#include "api/generated/ssm/get_parameters.h"
#include "api/generated/ssm/get_parameters_by_path.h"

using namespace kiln;
using namespace kiln::api;

namespace {

using ssm::ops::GetParameter;
using ssm::ops::GetParameters;
using ssm::ops::GetParametersByPath;

template <class Op>
Result<typename Op::Request> parse(std::string_view body) {
    typename Op::Request request;
    TRY(parse_json_request(Op::info(), body, &request));
    return request;
}

// "Code: message" of the refusal.
template <class Op>
std::string refusal(std::string_view body) {
    const auto request = parse<Op>(body);
    return request ? "accepted" : request.error().api_code() + ": " + request.error().message();
}

}  // namespace

TEST_CASE("WIRE-11: members arrive under the names of the model; null is absent") {
    const auto request = parse<GetParametersByPath>(
        R"({"Path": "/aws/service", "Recursive": true, "MaxResults": 7, "NextToken": null,
            "ParameterFilters": [{"Key": "Type", "Values": ["String", "StringList"]}]})");
    REQUIRE(request);
    CHECK(request->path == "/aws/service");
    CHECK(request->recursive.value_or(false));
    CHECK(*request->max_results == 7);
    CHECK_FALSE(request->next_token);
    REQUIRE(request->parameter_filters.size() == 1);
    CHECK(request->parameter_filters[0].key == "Type");
    CHECK(request->parameter_filters[0].values.items() ==
          std::vector<std::string>{"String", "StringList"});
    CHECK(parse<GetParameters>(R"({"Names": []})")->names.given());
}

TEST_CASE(
    "WIRE-11: what is missing, unknown or null where it may not be is a ValidationException") {
    const std::string missing =
        "ValidationException: 1 validation error detected: Value null at 'Name' failed to satisfy "
        "constraint: Member must not be null";
    CHECK(refusal<GetParameter>("") == missing);
    CHECK(refusal<GetParameter>("{}") == missing);
    CHECK(refusal<GetParameter>(R"({"Name": null})") == missing);
    CHECK(refusal<GetParameter>(R"({"Name": "a", "Nmae": "b"})") ==
          "ValidationException: The parameter Nmae is not recognized");
    CHECK(refusal<GetParameters>(R"({"Names": [null]})").find("'Names.1.member'") !=
          std::string::npos);
    CHECK(refusal<GetParametersByPath>(R"({"Path": "/", "ParameterFilters": [{"Kye": "a"}]})") ==
          "ValidationException: The parameter ParameterFilters.1.member.Kye is not recognized");
    CHECK(refusal<GetParameter>("{\"Name\": \"a\\u0001\"}").find("control characters") !=
          std::string::npos);
}

TEST_CASE("WIRE-11: what is no JSON, or of another type, is a SerializationException") {
    for (const char* body : {"[]", "7", "{", "null", "{\"Name\": 7}", "{\"Name\": [\"a\"]}",
                             "{\"Name\": \"a\", \"WithDecryption\": \"true\"}", "\xff"}) {
        CHECK(refusal<GetParameter>(body).find("SerializationException") == 0);
    }
    for (const char* number :
         {"1.5", "2147483648", "-2147483649", "18446744073709551616", "\"7\""}) {
        const std::string body = std::string(R"({"Path": "/", "MaxResults": )") + number + "}";
        CHECK(refusal<GetParametersByPath>(body) ==
              "SerializationException: MaxResults must be an integer in range");
    }
    CHECK(refusal<GetParameters>(R"({"Names": "a"})") ==
          "SerializationException: Names must be an array");
}

TEST_CASE("WIRE-11: a response has what is set, times as seconds, empty lists as given") {
    ssm::GetParametersResult result;
    ssm::Parameter& parameter = result.parameters.emplace_back();
    parameter.name = "/a\"b";
    parameter.version = 3;
    parameter.last_modified_date = UnixMillis{1'700'000'000'250};
    result.invalid_parameters.give();
    CHECK(write_json_response(GetParameters::info(), &result) ==
          R"({"Parameters":[{"Name":"/a\"b","Version":3,"LastModifiedDate":1700000000.25}],)"
          R"("InvalidParameters":[]})");
    CHECK(write_json_error({"ParameterNotFound", "no\n", 400}) ==
          R"({"__type":"ParameterNotFound","message":"no\n"})");
}
