// SPDX-License-Identifier: Apache-2.0
// Policies: what is understood, what is refused, what a call comes to.
#include "control/policy.h"

#include "control/tests/policy_support.h"

using namespace kiln;
using namespace kiln::control;
using testing::call_of;

namespace {

std::string with(const std::string& statement) {
    return R"({"Version":"2012-10-17","Statement":[)" + statement + "]}";
}

Policy policy(const std::string& statements) {
    auto parsed = parse_identity_policy(with(statements));
    REQUIRE_MESSAGE(parsed.has_value(), (parsed ? "" : parsed.error().message()));
    return std::move(*parsed);
}

PolicyDecision ask(const std::vector<Policy>& policies, std::string_view action,
                   const std::string& region = "us-east-1") {
    return decide(policies, {action, call_of(region)});
}

std::string refusal(const std::string& document) {
    const auto parsed = parse_identity_policy(document);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().api_code() == "MalformedPolicyDocument");
    return parsed.error().message();
}

std::string trust_refusal(const std::string& statement) {
    const auto parsed = parse_trust_policy(with(statement));
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().api_code() == "MalformedPolicyDocument");
    return parsed.error().message();
}

bool trusted(const std::string& statements, const PolicyFacts& call = {}) {
    const auto parsed = parse_trust_policy(with(statements));
    REQUIRE_MESSAGE(parsed.has_value(), (parsed ? "" : parsed.error().message()));
    return trusts_service(*parsed, "ec2.amazonaws.com", call);
}

constexpr auto kAllowed = PolicyDecision::allowed;
constexpr auto kDenied = PolicyDecision::denied;
constexpr auto kNotAllowed = PolicyDecision::not_allowed;

}  // namespace

TEST_CASE("wildcards match runs and single characters") {
    CHECK(wildcard_match("*", "", false));
    CHECK(wildcard_match("ec2:Describe*", "ec2:DescribeImages", false));
    CHECK_FALSE(wildcard_match("ec2:Describe*", "ec2:CreateImage", false));
    CHECK(wildcard_match("a*b*c", "aXbXbc", false));
    CHECK_FALSE(wildcard_match("a*b*c", "aXcXb", false));
    CHECK(wildcard_match("us-?ast-1", "us-east-1", false));
    CHECK_FALSE(wildcard_match("us-?ast-1", "us-ast-1", false));
    CHECK_FALSE(wildcard_match("", "x", false));
    CHECK_FALSE(wildcard_match("EC2", "ec2", false));
    CHECK(wildcard_match("EC2", "ec2", true));
    // Many stars over a long text end in bounded time.
    std::string pattern;
    for (int i = 0; i < 200; ++i) {
        pattern += "*a";
    }
    CHECK_FALSE(wildcard_match(pattern + "b", std::string(5'000, 'a'), false));
}

TEST_CASE("IAM-5: nothing is allowed by default, and a Deny wins in whatever order") {
    const Policy describe =
        policy(R"({"Effect":"Allow","Action":["ec2:Describe*","ssm:*"],"Resource":"*"})");
    CHECK(ask({}, "ec2:DescribeImages") == kNotAllowed);
    CHECK(ask({describe}, "ec2:DescribeImages") == kAllowed);
    CHECK(ask({describe}, "ec2:RunInstances") == kNotAllowed);
    CHECK(ask({describe}, "ssm:GetParameter") == kAllowed);
    const Policy deny = policy(R"({"Effect":"Deny","Action":"EC2:describeimages","Resource":"*"})");
    CHECK(ask({describe, deny}, "ec2:DescribeImages") == kDenied);
    CHECK(ask({deny, describe}, "ec2:DescribeImages") == kDenied);
    CHECK(ask({deny, describe}, "ec2:DescribeInstances") == kAllowed);
    CHECK(ask({deny}, "ec2:DescribeInstances") == kNotAllowed);
}

TEST_CASE("IAM-6: NotAction is everything else") {
    const Policy all_but = policy(R"({"Effect":"Allow","NotAction":"iam:*","Resource":["*"]})");
    CHECK(ask({all_but}, "ec2:RunInstances") == kAllowed);
    CHECK(ask({all_but}, "iam:CreateRole") == kNotAllowed);
    const Policy deny = policy(R"({"Effect":"Deny","NotAction":"ec2:*","Resource":"*"})");
    CHECK(ask({all_but, deny}, "ssm:GetParameter") == kDenied);
}

TEST_CASE("IAM-8: conditions hold or not; those that are not understood are refused") {
    const Policy here =
        policy(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":)"
               R"({"StringEquals":{"aws:RequestedRegion":["us-east-1","eu-west-1"]}}})");
    CHECK(ask({here}, "ec2:RunInstances") == kAllowed);
    CHECK(ask({here}, "ec2:RunInstances", "eu-west-1") == kAllowed);
    CHECK(ask({here}, "ec2:RunInstances", "eu-west-2") == kNotAllowed);
    CHECK(ask({here}, "ec2:RunInstances", "US-EAST-1") == kNotAllowed);
    const Policy not_there =
        policy(R"({"Effect":"Deny","Action":"*","Resource":"*","Condition":)"
               R"({"stringnotlike":{"AWS:requestedregion":["us-*","eu-*"]}}})");
    CHECK(ask({here, not_there}, "ec2:RunInstances") == kAllowed);
    CHECK(ask({here, not_there}, "ec2:RunInstances", "ap-south-1") == kDenied);
    const Policy both = policy(
        R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":)"
        R"({"StringEqualsIgnoreCase":{"ec2:Region":"US-east-1","aws:PrincipalAccount":"1"}}})");
    CHECK(ask({both}, "ec2:RunInstances") == kNotAllowed);

    const auto refused = [](const std::string& condition) {
        return refusal(with(R"({"Effect":"Allow","Action":"ec2:*","Resource":"*","Condition":)" +
                            condition + "}"));
    };
    CHECK(refused(R"({"BinaryEquals":{"aws:RequestedRegion":"QUJD"}})") ==
          "The condition operator BinaryEquals is not supported by this server.");
    CHECK(refused(R"({"StringEquals":{"ec2:PlacementGroup":"x"}})") ==
          "The condition key ec2:PlacementGroup is not supported by this server.");
    CHECK(refused(R"({"StringLike":{"aws:RequestedRegion":[]}})") != "");
    CHECK(refused(R"({"StringLike":{"aws:RequestedRegion":true}})") != "");
    CHECK(refused("[]") != "");
}

TEST_CASE("what is no policy is refused") {
    for (
        const char* text : {
            "",
            "[]",
            "{",
            "\"x\"",
            "{}",
            R"({"Statement":[]})",
            R"({"Statement":[3]})",
            R"({"Version":"2020-01-01","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})",
            R"({"Statment":[]})",
            R"({"Statement":{"Effect":"Maybe","Action":"*","Resource":"*"}})",
            R"({"Statement":{"Effect":"Allow","Resource":"*"}})",
            R"({"Statement":{"Effect":"Allow","Action":[],"Resource":"*"}})",
            R"({"Statement":{"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"}})",
            R"({"Statement":{"Effect":"Allow","Action":"RunInstances","Resource":"*"}})",
            R"({"Statement":{"Effect":"Allow","Action":"*:*","Resource":"*"}})",
            R"({"Statement":{"Effect":"Allow","Action":"ec2:Run Instances","Resource":"*"}})",
            R"({"Statement":{"Effect":"Allow","Effect":"Deny","Action":"*","Resource":"*"}})",
            R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Principal":"*"}})",
            R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"*","Extra":1}})",
            R"({"Statement":{"Sid":1,"Effect":"Allow","Action":"*","Resource":"*"}})",
        }) {
        CAPTURE(text);
        CHECK(refusal(text) != "");
    }
    CHECK(refusal(std::string(100'000, '[')) != "");
    CHECK(refusal(std::string(kMaxPolicyBytes + 1, ' ')) != "");
    CHECK(parse_identity_policy(
              R"({"Id":"x","Statement":{"Sid":"y","Effect":"Allow","Action":"*","Resource":"*"}})")
              .has_value());
}

TEST_CASE("IAM-9: a trust policy names who may take the role") {
    const std::string ec2 = R"("Principal":{"Service":"ec2.amazonaws.com"}})";
    CHECK(trusted(R"({"Effect":"Allow","Action":"sts:AssumeRole",)" + ec2));
    CHECK(trusted(R"({"Effect":"Allow","Action":"sts:*","Principal":)"
                  R"({"Service":["x.amazonaws.com","ec2.amazonaws.com"],"AWS":"1"}})"));
    CHECK_FALSE(trusted(R"({"Effect":"Allow","Action":"sts:AssumeRole",)"
                        R"("Principal":{"Service":"lambda.amazonaws.com"}})"));
    CHECK_FALSE(trusted(R"({"Effect":"Allow","Action":"sts:TagSession",)" + ec2));
    CHECK_FALSE(trusted(R"({"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*"})"));
    CHECK_FALSE(trusted(R"({"Effect":"Deny","Action":"sts:AssumeRole","Principal":"*"},)"
                        R"({"Effect":"Allow","Action":"sts:AssumeRole",)" +
                        ec2));
    CHECK_FALSE(trusted(R"({"Effect":"Allow","Action":"sts:AssumeRole",)" + ec2 + "," +
                        R"({"Effect":"Deny","Action":"sts:AssumeRole",)" + ec2));

    CHECK(trust_refusal(R"({"Effect":"Allow","Action":"sts:AssumeRole"})") ==
          "Missing required field Principal.");
    CHECK(trust_refusal(R"({"Effect":"Allow","Action":"sts:AssumeRole","Resource":"*",)" + ec2) ==
          "Has prohibited field Resource.");
    CHECK(trust_refusal(R"({"Effect":"Allow","Action":"ec2:*",)" + ec2) ==
          "AssumeRole policy may only specify STS AssumeRole actions.");
    CHECK(trust_refusal(R"({"Effect":"Allow","Action":"sts:AssumeRole",)"
                        R"("Condition":{"StringEquals":{"sts:ExternalId":"x"}},)" +
                        ec2) ==
          "Condition is not supported by this server for services in trust policies.");
    // An instance brings no external id: what denies everybody without one denies it.
    CHECK_FALSE(trusted(R"({"Effect":"Allow","Action":"sts:AssumeRole",)" + ec2 + "," +
                        R"({"Effect":"Deny","Action":"sts:AssumeRole","Principal":"*",)"
                        R"("Condition":{"StringNotEquals":{"sts:ExternalId":"x"}}})"));
    CHECK(trusted(R"({"Effect":"Allow","Action":"sts:AssumeRole",)" + ec2 + "," +
                  R"({"Effect":"Deny","Action":"sts:AssumeRole","Principal":"*",)"
                  R"("Condition":{"StringEquals":{"sts:ExternalId":"x"}}})"));
    CHECK(trust_refusal(R"({"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"X":"y"}})") !=
          "");
    // The moment counts for a service as for anybody.
    const std::string until = R"({"Effect":"Allow","Action":"sts:AssumeRole",)" + ec2 + "," +
                              R"({"Effect":"Deny","Action":"sts:AssumeRole","Principal":"*",)"
                              R"("Condition":{"DateGreaterThan":{"aws:CurrentTime":"2030-01"}}})";
    PolicyFacts before;
    add_time(before, UnixMillis{1'800'000'000'000});
    PolicyFacts after;
    add_time(after, UnixMillis{1'900'000'000'000});
    CHECK(trusted(until, before));
    CHECK_FALSE(trusted(until, after));
}

namespace {

constexpr std::string_view kUser = "arn:aws:iam::111111111111:user/a/Baker";

}  // namespace

TEST_CASE("IAM-17 IAM-19: a trust policy names accounts, users, roles and sessions") {
    const auto ask = [&](const std::string& principal, const std::string& rest = "",
                         std::optional<std::string_view> external_id = {},
                         std::string_view caller = kUser, std::string_view session = kUser) {
        const auto parsed = parse_trust_policy(
            with(R"({"Effect":"Allow","Action":"sts:AssumeRole","Principal":)" + principal + rest));
        REQUIRE_MESSAGE(parsed.has_value(), (parsed ? "" : parsed.error().message()));
        PolicyRequest request{"sts:AssumeRole", call_of()};
        request.call.add("aws:PrincipalArn", std::string(caller));
        if (external_id) {
            request.call.add("sts:ExternalId", std::string(*external_id));
        }
        request.call.add("sts:RoleSessionName", "s");
        return trust_of(*parsed, request, session);
    };
    CHECK(ask(R"("*"})") == Trust::caller_account);
    CHECK(ask(R"({"AWS":"111111111111"}})") == Trust::caller_account);
    CHECK(ask(R"({"AWS":["222222222222","arn:aws:iam::111111111111:root"]}})") ==
          Trust::caller_account);
    CHECK(ask(R"({"AWS":"222222222222"}})") == Trust::none);
    CHECK(ask(R"({"Service":"ec2.amazonaws.com"}})") == Trust::none);
    CHECK(ask(R"({"AWS":"arn:aws:iam::111111111111:user/a/Baker"}})") == Trust::principal);
    CHECK(ask(R"({"AWS":"arn:aws:iam::111111111111:user/a/*"}})") == Trust::none);
    CHECK(ask(R"({"AWS":"arn:aws:iam::111111111111:user/Baker"}})") == Trust::none);
    // The account itself is meant by its number, and named by nothing.
    constexpr std::string_view kRoot = "arn:aws:iam::111111111111:root";
    CHECK(ask(R"({"AWS":"arn:aws:iam::111111111111:root"}})", "", {}, kRoot, kRoot) ==
          Trust::caller_account);
    CHECK(ask(R"({"AWS":"r/session"}})", "", {}, "r", "r/session") == Trust::principal);
    CHECK(ask(R"({"AWS":"r/another"}})", "", {}, "r", "r/session") == Trust::none);
    const std::string deny = R"(},{"Effect":"Deny","Action":"sts:*","Principal":)";
    CHECK(ask(R"("*")", deny + R"({"AWS":"111111111111"}})") == Trust::denied);
    CHECK(ask(R"("*")", deny + R"({"AWS":"222222222222"}})") == Trust::caller_account);
    const std::string unless =
        deny + R"("*","Condition":{"StringNotEquals":{"sts:ExternalId":"x"}}})";
    CHECK(ask(R"("*")", unless) == Trust::denied);
    CHECK(ask(R"("*")", unless, "y") == Trust::denied);
    CHECK(ask(R"("*")", unless, "x") == Trust::caller_account);
    const std::string only = R"(,"Condition":{"StringEquals":{"sts:ExternalId":""}}})";
    CHECK(ask(R"("*")", only) == Trust::none);  // absent is not empty
    CHECK(ask(R"("*")", R"(,"Condition":{"StringLike":{"sts:RoleSessionName":"s*"}}})") ==
          Trust::caller_account);
    CHECK(ask(R"("*")", R"(,"Condition":{"StringLike":{"aws:PrincipalArn":"*:user/b/*"}}})") ==
          Trust::none);
}
