// SPDX-License-Identifier: Apache-2.0
// Variables in policies (IAM-33).
#include "control/resource_facts.h"
#include "control/tests/policy_support.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

std::string effect_on(const std::string& effect, const std::string& member,
                      const std::string& resource) {
    return R"({"Effect":")" + effect + R"(","Action":"ec2:*",")" + member + R"(":")" + resource +
           R"("})";
}

// Whether a statement about this resource is about that one.
bool names(const std::string& resource, const std::string& arn, const PolicyFacts& call,
           const std::string& version = "2012-10-17") {
    const PolicyResource on = resource_by_arn(arn);
    return allows(read_policy(policy_document(effect_on("Allow", "Resource", resource), version)),
                  call, &on);
}

std::string key_pair(const std::string& name) {
    return "arn:aws:ec2:us-east-1:111111111111:key-pair/" + name;
}

PolicyFacts bob() {
    PolicyFacts call = call_of();
    call.add("aws:username", "bob");
    call.add("aws:userid", "AIDA1");
    call.add("aws:PrincipalTag/team", "blue");
    call.add("aws:PrincipalTag/any", "*");
    call.add("aws:PrincipalTag/path", "x:y");
    return call;
}

std::string resource_refusal(const std::string& resource) {
    return policy_refusal(policy_document(effect_on("Allow", "Resource", resource)));
}

}  // namespace

TEST_CASE("IAM-33: variables in resources") {
    struct Case {
        const char* pattern;
        const char* name;
        bool match;
    };
    for (const Case& c : {
             Case{"${aws:username}", "bob", true},
             Case{"${AWS:UserName}", "bob", true},
             Case{"${aws:username}", "alice", false},
             Case{"${aws:username}", "${aws:username}", false},
             Case{"${aws:username}-*", "bob-1", true},
             Case{"*-${aws:PrincipalTag/Team}-${aws:username}", "x-blue-bob", true},
             // What a variable brings is no wildcard, and divides nothing.
             Case{"${aws:PrincipalTag/any}", "bob", false},
             Case{"${aws:PrincipalTag/any}", "*", true},
             Case{"${aws:PrincipalTag/path}", "x:y", true},
             // Absent: neither itself nor nothing.
             Case{"x${aws:PrincipalTag/stage}", "x", false},
             Case{"*${aws:PrincipalTag/stage}*", "x", false},
             Case{"${aws:TokenIssueTime}", "", false},
             Case{"${aws:PrincipalTag/stage, 'test'}", "test", true},
             Case{"${aws:PrincipalTag/team, 'test'}", "blue", true},
             Case{"${aws:PrincipalTag/team, 'test'}", "test", false},
             Case{"${aws:PrincipalTag/stage, '*'}", "x", false},
             Case{"${aws:PrincipalTag/stage,''}x", "x", true},
             Case{"${*}", "*", true},
             Case{"${*}", "x", false},
             Case{"a${?}c", "a?c", true},
             Case{"a${?}c", "abc", false},
             Case{"${$}{aws:username}", "${aws:username}", true},
             Case{"$x", "$x", true},
         }) {
        CAPTURE(c.pattern);
        CAPTURE(c.name);
        CHECK(names(key_pair(c.pattern), key_pair(c.name), bob()) == c.match);
    }
    // In the older version, and without any, they are what they look like.
    CHECK_FALSE(names(key_pair("${aws:username}"), key_pair("bob"), bob(), "2008-10-17"));
    CHECK(names(key_pair("${aws:username}"), key_pair("${aws:username}"), bob(), "2008-10-17"));
    const PolicyResource itself = resource_by_arn(key_pair("${aws:username}"));
    CHECK(allows(read_policy(R"({"Statement":)" +
                             effect_on("Allow", "Resource", key_pair("${aws:username}")) + "}"),
                 bob(), &itself));
}

TEST_CASE("IAM-33: an exception that is not known allows nothing and saves nothing") {
    const PolicyResource own = resource_by_arn(key_pair("bob"));
    const PolicyResource other = resource_by_arn(key_pair("alice"));
    const std::string but = key_pair("${aws:username}");
    const Policy allow = read_policy(policy_document(effect_on("Allow", "NotResource", but)));
    CHECK(allows(allow, bob(), &other));
    CHECK_FALSE(allows(allow, bob(), &own));
    CHECK_FALSE(allows(allow, call_of(), &other));
    const Policy deny = read_policy(policy_document(effect_on("Allow", "Resource", "*") + "," +
                                                    effect_on("Deny", "NotResource", but)));
    CHECK(allows(deny, bob(), &own));
    CHECK_FALSE(allows(deny, bob(), &other));
    CHECK_FALSE(allows(deny, call_of(), &own));
    // One that is about a name that is not known is about nothing.
    const Policy none = read_policy(policy_document(effect_on("Allow", "Resource", "*") + "," +
                                                    effect_on("Deny", "Resource", but)));
    CHECK(allows(none, call_of(), &own));
    CHECK_FALSE(allows(none, bob(), &own));
}

TEST_CASE("IAM-33: variables in the values of conditions") {
    PolicyResource volume = resource_by_arn("arn:aws:ec2:us-east-1:111111111111:volume/vol-1");
    add_tags(volume.facts, {{"owner", "bob"}, {"team", "blue"}, {"star", "*"}});
    volume.facts.add("ec2:ParentVolume", "arn:aws:ec2:us-east-1:111111111111:volume/bob");
    struct Case {
        const char* condition;
        bool holds;       // for bob
        bool for_nobody;  // for who has neither name nor tags
    };
    for (
        const Case& c : {
            Case{R"("StringEquals":{"aws:ResourceTag/owner":"${aws:username}"})", true, false},
            Case{R"("StringEquals":{"aws:ResourceTag/team":"${aws:username}"})", false, false},
            Case{R"("StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"})", true,
                 false},
            Case{R"("StringNotEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"})", false,
                 true},
            Case{R"("StringLike":{"aws:ResourceTag/owner":"${aws:PrincipalTag/any}"})", false,
                 false},
            Case{R"("StringLike":{"aws:ResourceTag/star":"${*}"})", true, true},
            Case{R"("StringLike":{"aws:ResourceTag/owner":"${*}"})", false, false},
            Case{R"("StringEquals":{"aws:ResourceTag/star":"${*}"})", true, true},
            Case{R"("StringEquals":{"aws:ResourceTag/owner":["x","${aws:username, 'bob'}"]})", true,
                 true},
            Case{R"("StringEquals":{"aws:username":"${aws:ResourceTag/owner}"})", true, false},
            Case{
                R"("StringEqualsIgnoreCase":{"aws:ResourceTag/owner":"B${ec2:ResourceTag/none, 'o'}B"})",
                true, true},
            Case{
                R"("ArnLike":{"ec2:ParentVolume":"arn:aws:ec2:*:${aws:PrincipalAccount}:volume/${aws:username}"})",
                true, false},
            Case{R"("ForAnyValue:StringLike":{"ec2:ResourceTag/owner":"${aws:username}*"})", true,
                 false},
        }) {
        CAPTURE(c.condition);
        CHECK(holds_when(c.condition, bob(), &volume) == c.holds);
        CHECK(holds_when(c.condition, call_of(), &volume) == c.for_nobody);
    }
    // A tag whose key there is in two spellings has two values, and so is no variable.
    PolicyFacts twice = bob();
    twice.add("aws:PrincipalTag/TEAM", "red");
    CHECK_FALSE(holds_when(R"("StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"})",
                           twice, &volume));
    // Of what is touched: so it must be looked at.
    CHECK(looks_at_resources(read_policy(
        document_when(R"("StringEquals":{"aws:username":"${aws:ResourceTag/owner}"})"))));
    CHECK_FALSE(looks_at_resources(
        read_policy(document_when(R"("StringEquals":{"aws:userid":"${aws:username}"})"))));
}

TEST_CASE("IAM-33: variables that are not understood, or not there, are refused") {
    const auto npos = std::string::npos;
    CHECK(resource_refusal(key_pair("${aws:FederatedProvider}"))
              .find("The policy variable ${aws:federatedprovider} is not supported") != npos);
    CHECK(resource_refusal(key_pair("${aws:TagKeys}")).find("several values") != npos);
    CHECK(resource_refusal(key_pair("${ec2:Owner}")).find("several values") != npos);
    CHECK(resource_refusal("arn:aws:ec2:${aws:RequestedRegion}:*:volume/*").find("fifth colon") !=
          npos);
    CHECK(resource_refusal("${aws:username}") != "");
    for (const char* name :
         {"${aws:username", "${}", "${ aws:username }", "${aws:username, bob}",
          "${aws:username, 'bob}", "${aws:username 'bob'}", "${aws:username, 'it's'}",
          "${aws:${aws:username}}", "${**}", "${sts:ExternalId}", "${,'x'}"}) {
        CAPTURE(name);
        CHECK(resource_refusal(key_pair(name)) != "");
    }
    CHECK(policy_refusal(document_when(R"("StringEquals":{"ec2:Region":"${ec2:Nothing}"})")) != "");
    CHECK(policy_refusal(document_when(R"("NumericEquals":{"ec2:VolumeSize":"${aws:userid}"})")) !=
          "");
    CHECK(policy_refusal(document_when(R"("Bool":{"ec2:Public":"${aws:SecureTransport}"})")) != "");
    CHECK(policy_refusal(document_when(R"("IpAddress":{"aws:SourceIp":"${aws:SourceIp}"})")) != "");
    CHECK(policy_refusal(policy_document(
                             R"({"Effect":"Allow","Action":"ec2:${aws:username}","Resource":"*"})"))
              .find("must be prefaced by a vendor") != npos);
    // Of services that are not here: whatever it says, it matches no call.
    CHECK_FALSE(allows(read_policy(policy_document(
                           R"({"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::${x"})")),
                       bob()));
}
