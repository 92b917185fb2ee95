// SPDX-License-Identifier: Apache-2.0
#include "net/sigv4.h"

#include <doctest/doctest.h>

#include "crypto/hash.h"
#include "net/tests/test_vectors.h"
#include "util/strings.h"

using namespace kiln;
using namespace kiln::net;
using namespace kiln::net::testing;

namespace {

constexpr const char* kSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";

UnixMillis at(const char* basic) {
    return *parse_basic(basic);
}
SigningRequest view(const TextRequest& request) {
    return {request.method, request.path, request.query, request.headers};
}
std::string payload_hash(const TextRequest& request) {
    return crypto::sha256_hex(as_bytes(request.body));
}

// test name -> file name -> content
std::map<std::string, std::map<std::string, std::string>> amazon_vectors() {
    std::map<std::string, std::map<std::string, std::string>> tests;
    for (Entry& entry : read_entries("aws4_testsuite/vectors.txt")) {
        tests[entry.words.at(0)][entry.words.at(1)] = std::move(entry.content);
    }
    return tests;
}

// A signed request to change in tests: POST / with a form body, at 2024-02-29T12:00:00Z.
struct Signed {
    TextRequest request;
    Authorization authorization;
};
constexpr const char* kNow = "20240229T120000Z";

Signed make_signed() {
    Signed out;
    out.request = {
        "POST", "/", "", {{"Host", "localhost:4566"}, {"X-Amz-Meta-A", "1"}}, "Action=X"};
    sign({"AKIDEXAMPLE", kSecret, ""}, "us-east-1", "ec2", at(kNow), "POST", "/", "",
         payload_hash(out.request), out.request.headers);
    out.authorization = *parse_authorization(view(out.request));
    return out;
}
Status verify_at(const Signed& it, const char* now, const char* secret = kSecret) {
    return verify(it.authorization, secret, view(it.request), payload_hash(it.request), at(now));
}
std::string parse_code(const Headers& headers, std::string_view query = "") {
    const Result<Authorization> parsed = parse_authorization({"GET", "/", query, headers});
    return parsed ? "" : parsed.error().api_code();
}
std::string code_of(const Status& status) {
    return status ? "" : status.error().api_code();
}

}  // namespace

TEST_CASE(
    "every published vector has the published canonical request, string to sign and signature") {
    const auto tests = amazon_vectors();
    REQUIRE(tests.size() >= 25);
    for (const auto& [test, files] : tests) {
        const std::string name = test;  // clang's lambdas (CAPTURE) cannot take a binding
        for (const std::string& form : {std::string("header"), std::string("query")}) {
            CAPTURE(name);
            CAPTURE(form);
            const TextRequest request = parse_text_request(files.at(form + "-signed-request.txt"));
            const Result<Authorization> parsed = parse_authorization(view(request));
            REQUIRE_MESSAGE(parsed.has_value(), parsed.error().message());
            CHECK(parsed->access_key_id == "AKIDEXAMPLE");
            CHECK(parsed->scope.to_string() == "20150830/us-east-1/service/aws4_request");
            // A token added behind the signature's back is the one thing we refuse and the suite
            // accepts.
            const bool token_unsigned = name == "post-sts-header-after";
            const std::string& expected = files.at(form + "-canonical-request.txt");
            const Result<std::string> canonical = canonical_request(
                view(request), parsed->signed_headers, payload_hash(request), "service");
            CHECK((token_unsigned || *canonical == expected));
            const std::string to_sign = string_to_sign(expected, parsed->amz_date, parsed->scope);
            CHECK(to_sign == files.at(form + "-string-to-sign.txt"));
            CHECK(compute_signature(kSecret, parsed->scope, to_sign) == parsed->signature);
            const Status verified = verify(*parsed, kSecret, view(request), payload_hash(request),
                                           at("20150830T123700Z"));
            CHECK(verified.has_value() == !token_unsigned);
        }
    }
}

TEST_CASE("sign() gives the published signatures for the published requests") {
    int signed_count = 0;
    for (const auto& [test, files] : amazon_vectors()) {
        const std::string name = test;
        CAPTURE(name);
        const TextRequest expected = parse_text_request(files.at("header-signed-request.txt"));
        if (expected.headers.has("x-amz-content-sha256") ||
            expected.headers.has("x-amz-security-token")) {
            continue;  // sign() sends the hash only where services need it; tokens have their own
                       // test
        }
        TextRequest request = parse_text_request(files.at("request.txt"));
        sign({"AKIDEXAMPLE", kSecret, ""}, "us-east-1", "service", at("20150830T123600Z"),
             request.method, request.path, request.query, payload_hash(request), request.headers);
        CHECK(*request.headers.get("Authorization") ==
              trim(*expected.headers.get("Authorization")));
        ++signed_count;
    }
    CHECK(signed_count >= 20);
}

TEST_CASE("what botocore signs is verified, for each service's way of encoding") {
    const std::vector<Entry> entries = read_entries("botocore/signed.txt");
    REQUIRE(entries.size() >= 13);
    for (const Entry& entry : entries) {
        CAPTURE(entry.words.at(0));
        const TextRequest request = parse_text_request(entry.content);
        const Result<Authorization> parsed = parse_authorization(view(request));
        REQUIRE_MESSAGE(parsed.has_value(), parsed.error().message());
        CHECK(parsed->scope.service == entry.words.at(1));
        CHECK(parsed->scope.region == "eu-central-1");
        const std::string hash =
            parsed->unsigned_payload ? std::string(kUnsignedPayload) : payload_hash(request);
        CHECK(parsed->declared_payload_hash == (parsed->declared_payload_hash.empty() ? "" : hash));
        CHECK_MESSAGE(
            verify(*parsed, kSecret, view(request), hash, at("20240229T120400Z")).has_value(),
            entry.content);
        CHECK_FALSE(verify(*parsed, "another secret", view(request), hash, at("20240229T120400Z"))
                        .has_value());
    }
}

TEST_CASE("changing method, path, query, a signed header or the body breaks the signature") {
    const Signed good = make_signed();
    REQUIRE(verify_at(good, kNow).has_value());
    const auto broken = [&](auto change) {
        Signed changed = make_signed();
        change(changed.request);
        return code_of(verify_at(changed, kNow));
    };
    CHECK(broken([](TextRequest& r) { r.method = "GET"; }) == "SignatureDoesNotMatch");
    CHECK(broken([](TextRequest& r) { r.path = "/x"; }) == "SignatureDoesNotMatch");
    CHECK(broken([](TextRequest& r) { r.query = "a=b"; }) == "SignatureDoesNotMatch");
    CHECK(broken([](TextRequest& r) { r.body += " "; }) == "SignatureDoesNotMatch");
    CHECK(broken([](TextRequest& r) { r.headers.set("Host", "other"); }) ==
          "SignatureDoesNotMatch");
    CHECK(broken([](TextRequest& r) { r.headers.remove("X-Amz-Meta-A"); }) ==
          "SignatureDoesNotMatch");
    CHECK(broken([](TextRequest& r) { r.headers.add("X-Amz-Meta-A", "2"); }) ==
          "SignatureDoesNotMatch");
    CHECK(broken([](TextRequest& r) { r.headers.set("X-Amz-Unsigned", "2"); }) ==
          "SignatureDoesNotMatch");
    CHECK(broken([](TextRequest& r) { r.headers.set("User-Agent", "other"); }) == "");
    CHECK(code_of(verify_at(good, kNow, "wrong")) == "SignatureDoesNotMatch");
}

TEST_CASE("a clock may be five minutes off, either way") {
    const Signed it = make_signed();
    CHECK(code_of(verify_at(it, "20240229T120500Z")) == "");
    CHECK(code_of(verify_at(it, "20240229T115500Z")) == "");
    CHECK(code_of(verify_at(it, "20240229T120501Z")) == "RequestExpired");
    CHECK(code_of(verify_at(it, "20240229T115459Z")) == "RequestExpired");
}

TEST_CASE("a presigned request lives as long as it says, and at most seven days") {
    for (const Entry& entry : read_entries("botocore/signed.txt")) {
        if (entry.words.at(0) != "presigned-get") {  // 900 s
            continue;
        }
        const TextRequest request = parse_text_request(entry.content);
        const Authorization parsed = *parse_authorization(view(request));
        CHECK(parsed.form == AuthorizationForm::query);
        CHECK(parsed.expires_s == 900U);
        const auto code_at = [&](const char* now) {
            return code_of(verify(parsed, kSecret, view(request), payload_hash(request), at(now)));
        };
        CHECK(code_at("20240229T121500Z") == "");
        CHECK(code_at("20240229T121501Z") == "RequestExpired");
        CHECK(code_at("20240229T115400Z") == "RequestExpired");
        for (const char* expires : {"604801", "0", "-1", "abc", "99999999999", ""}) {
            std::string query = request.query;
            query.replace(query.find("Expires=900"), 11, std::string("Expires=") + expires);
            CHECK(parse_code(request.headers, query) == "IncompleteSignature");
        }
    }
}

TEST_CASE("session tokens and unsigned payloads travel in signed headers") {
    TextRequest request{"POST", "/kiln/v1/import", "name=x", {{"Host", "h"}}, ""};
    sign({"AKIDEXAMPLE", kSecret, "tok/en="}, "us-east-1", "kiln", at(kNow), request.method,
         request.path, request.query, kUnsignedPayload, request.headers);
    const Authorization parsed = *parse_authorization(view(request));
    CHECK(parsed.security_token == "tok/en=");
    CHECK(parsed.unsigned_payload);
    CHECK(parsed.signed_headers == std::vector<std::string>{"host", "x-amz-content-sha256",
                                                            "x-amz-date", "x-amz-security-token"});
    CHECK(verify(parsed, kSecret, view(request), kUnsignedPayload, at(kNow)).has_value());
    request.headers.set("X-Amz-Security-Token", "other");
    CHECK_FALSE(verify(parsed, kSecret, view(request), kUnsignedPayload, at(kNow)).has_value());
}

TEST_CASE(
    "a request without any signature lacks a token; one with half a signature is incomplete") {
    CHECK(parse_code({{"Host", "h"}}) == "MissingAuthenticationToken");
    const Headers good = make_signed().request.headers;
    CHECK(parse_code(good) == "");
    const auto with = [&](std::string_view authorization) {
        Headers headers = good;
        headers.set("Authorization", authorization);
        return parse_code(headers);
    };
    const std::string scope = "Credential=AKID/20240229/us-east-1/ec2/aws4_request";
    CHECK(with("AWS4-HMAC-SHA256 " + scope + ",SignedHeaders=host;x-amz-date,Signature=00") == "");
    for (const std::string& text :
         {std::string(), std::string("Basic abc"), std::string("AWS AKID:signature"),
          std::string("AWS4-HMAC-SHA256"), std::string("AWS4-HMAC-SHA256 "),
          "AWS4-HMAC-SHA256x " + scope + ", SignedHeaders=host, Signature=00",
          "AWS4-HMAC-SHA256 " + scope + ", SignedHeaders=host",
          "AWS4-HMAC-SHA256 " + scope + ", Signature=00",
          std::string("AWS4-HMAC-SHA256 SignedHeaders=host, Signature=00"),
          "AWS4-HMAC-SHA256 " + scope + ", SignedHeaders=, Signature=00",
          "AWS4-HMAC-SHA256 " + scope + ", SignedHeaders=Host, Signature=00",
          "AWS4-HMAC-SHA256 " + scope + ", SignedHeaders=host;;x-amz-date, Signature=00",
          "AWS4-HMAC-SHA256 " + scope + ", SignedHeaders=host, Signature=00, Signature=01",
          "AWS4-HMAC-SHA256 " + scope + " nonsense, SignedHeaders, Signature=00",
          std::string("AWS4-HMAC-SHA256 Credential=AKID/20240229/us-east-1/ec2, "
                      "SignedHeaders=host, Signature=00"),
          std::string("AWS4-HMAC-SHA256 Credential=AKID/20240229/us-east-1//aws4_request, "
                      "SignedHeaders=host, "
                      "Signature=00"),
          std::string("AWS4-HMAC-SHA256 Credential=AKID/20240229/us-east-1/ec2/aws3_request, "
                      "SignedHeaders=host, "
                      "Signature=00")}) {
        CAPTURE(text);
        CHECK(with(text) == "IncompleteSignature");
    }
    for (const char* date : {"", "20240229", "2024-02-29T12:00:00Z", "20240230T120000Z"}) {
        Headers headers = good;
        headers.set("X-Amz-Date", date);
        CHECK(parse_code(headers) == "IncompleteSignature");
    }
    CHECK(parse_code(good, "X-Amz-Signature=00") == "IncompleteSignature");
    CHECK(parse_code({}, "X-Amz-Signature=00") == "IncompleteSignature");
    CHECK(parse_code({}, "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%zz") ==
          "IncompleteSignature");
    Headers twice = good;
    twice.add("Authorization", *good.get("Authorization"));
    CHECK(parse_code(twice) == "IncompleteSignature");
    Headers streaming = good;
    streaming.set("X-Amz-Content-Sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    CHECK(parse_code(streaming) == "IncompleteSignature");
}

TEST_CASE("the host must be signed, and the date in the scope must be the request's") {
    Signed it = make_signed();
    std::erase(it.authorization.signed_headers, "host");
    CHECK(code_of(verify_at(it, kNow)) == "SignatureDoesNotMatch");
    Signed other = make_signed();
    other.authorization.scope.date = "20240228";
    CHECK(code_of(verify_at(other, kNow)) == "SignatureDoesNotMatch");
}
