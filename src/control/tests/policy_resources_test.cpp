// SPDX-License-Identifier: Apache-2.0
// Policies that name resources and ask conditions of them (IAM-7, IAM-8, IAM-26 .. IAM-28).
#include "control/resource_facts.h"
#include "control/tests/policy_support.h"

using namespace kiln;
using namespace kiln::control;
using testing::call_of;

namespace {

constexpr auto kAllowed = PolicyDecision::allowed;
constexpr auto kDenied = PolicyDecision::denied;
constexpr auto kNotAllowed = PolicyDecision::not_allowed;

Caller caller() {
    Caller who;
    who.account = model::AccountId("111111111111");
    who.region = "us-east-1";
    return who;
}

std::string document(const std::string& statements) {
    return R"({"Version":"2012-10-17","Statement":[)" + statements + "]}";
}

Policy policy(const std::string& statements) {
    auto parsed = parse_identity_policy(document(statements));
    REQUIRE_MESSAGE(parsed.has_value(), (parsed ? "" : parsed.error().message()));
    return std::move(*parsed);
}

std::string refusal(const std::string& statement) {
    const auto parsed = parse_identity_policy(document(statement));
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().api_code() == "MalformedPolicyDocument");
    return parsed.error().message();
}

// {"Effect":...,"Action":"ec2:*", and what follows.
Policy statement(const std::string& effect, const std::string& rest) {
    return policy(R"({"Effect":")" + effect + R"(","Action":"ec2:*",)" + rest + "}");
}

Policy when(const std::string& condition) {
    return statement("Allow", R"("Resource":"*","Condition":{)" + condition + "}");
}

PolicyDecision on(const Policy& policy, const PolicyResource* resource,
                  ResourceView view = ResourceView::exact) {
    return decide({&policy, 1}, {"ec2:StopInstances", call_of(), resource, view});
}

PolicyResource instance() {
    model::Instance row;
    row.id = model::InstanceId("i-1");
    row.instance_type = "t3.micro";
    row.availability_zone = "us-east-1a";
    PolicyResource resource = resource_of(caller(), row);
    add_tags(resource.facts, {{"Team", "blue"}});
    return resource;
}

PolicyResource image(const char* owner, const char* alias = "", bool everybody = false) {
    model::Image row;
    row.id = model::ImageId("ami-1");
    row.owner_id = model::AccountId(owner);
    row.owner_alias = alias;
    row.launch_permissions.everybody = everybody;
    return resource_of(caller(), row);
}

}  // namespace

TEST_CASE("ARNs match part by part") {
    struct Case {
        const char* pattern;
        const char* arn;
        bool match;
    };
    for (const Case& c : {
             Case{"arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:us-east-1:1:instance/i-1", true},
             Case{"arn:aws:ec2:us-east-1:1:instance/i-?", "arn:aws:ec2:us-east-1:1:instance/i-1",
                  true},
             Case{"arn:aws:ec2:us-east-1:1:*", "arn:aws:ec2:us-east-1:1:instance/i-1", true},
             Case{"arn:aws:ec2:*::image/*", "arn:aws:ec2:us-east-1::image/ami-1", true},
             Case{"arn:aws:ec2:*:*:image/*", "arn:aws:ec2:us-east-1::image/ami-1", true},
             Case{"arn:aws:ec2:*::image/*", "arn:aws:ec2:us-east-1:1:image/ami-1", false},
             Case{"arn:aws:ec2:*:instance/*", "arn:aws:ec2:us-east-1:1:instance/i-1", false},
             Case{"arn:aws:ec2:*:*:Instance/*", "arn:aws:ec2:us-east-1:1:instance/i-1", false},
             Case{"arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:us-east-1:1:volume/vol-1", false},
             Case{"arn:aws:ssm:*:*:parameter/a:*", "arn:aws:ssm:x:1:parameter/a:b:c", true},
             Case{"arn:aws:ec2:*:*:instance/*", "*", false},
             Case{"", "arn:aws:ec2:us-east-1:1:instance/i-1", false},
         }) {
        CAPTURE(c.pattern);
        CAPTURE(c.arn);
        CHECK(arn_match(pattern_of(c.pattern), c.arn) == c.match);
    }
}

TEST_CASE("IAM-7: a statement is about the resources that it names") {
    const PolicyResource one = instance();
    const Policy stop = statement("Allow", R"("Resource":"arn:aws:ec2:*:*:instance/i-1")");
    CHECK(on(stop, &one) == kAllowed);
    PolicyResource other = one;
    other.arns = {"arn:aws:ec2:us-east-1:111111111111:instance/i-2"};
    CHECK(on(stop, &other) == kNotAllowed);
    // What has no ARN is about "*", which no narrower resource names.
    CHECK(on(stop, nullptr) == kNotAllowed);
    CHECK(on(statement("Allow", R"("Resource":["arn:aws:ec2:*:*:volume/*","*"])"), nullptr) ==
          kAllowed);
    const Policy all_but = statement("Allow", R"("NotResource":"arn:aws:ec2:*:*:instance/i-1")");
    CHECK(on(all_but, &one) == kNotAllowed);
    CHECK(on(all_but, &other) == kAllowed);
    CHECK(on(all_but, nullptr) == kAllowed);
    CHECK(on(statement("Deny", R"("NotResource":"*")"), &one) == kNotAllowed);
    // Of services that are not here: it names nothing of what is.
    CHECK(on(statement("Allow", R"("Resource":"arn:aws:s3:::bucket/*")"), &one) == kNotAllowed);
    // Images and snapshots have no account in their ARN; their owner's is understood too.
    const PolicyResource mine = image("111111111111");
    const PolicyResource theirs = image("222222222222");
    const Policy any = statement("Allow", R"("Resource":"arn:aws:ec2:us-east-1::image/*")");
    const Policy own = statement("Allow", R"("Resource":"arn:aws:ec2:*:111111111111:image/*")");
    CHECK(on(any, &mine) == kAllowed);
    CHECK(on(any, &theirs) == kAllowed);
    CHECK(on(own, &mine) == kAllowed);
    CHECK(on(own, &theirs) == kNotAllowed);
}

TEST_CASE("IAM-7: resources that are no ARN are refused") {
    const auto refused = [](const std::string& resource) {
        return refusal(R"({"Effect":"Allow","Action":"ec2:*","Resource":")" + resource + R"("})");
    };
    CHECK(refused("ami-1") == R"(Resource ami-1 must be in ARN format or "*".)");
    CHECK(refused("arn:aws:ec2:instance/*") != "");
    CHECK(refused("arn:aws-cn:ec2:*:*:instance/*").find("Partition \"aws-cn\"") !=
          std::string::npos);
    CHECK(refused("arn:aws:ec?:*:*:instance/*").find("vendor") != std::string::npos);
    CHECK(refusal(R"({"Effect":"Deny","Action":"ec2:*"})") ==
          "Policy statement must contain resources.");
    CHECK(refusal(R"({"Effect":"Deny","Action":"ec2:*","Resource":"*","NotResource":"*"})") ==
          "Policy statement must contain resources.");
    CHECK(refusal(R"({"Effect":"Deny","Action":"ec2:*","Resource":[]})") != "");
    // A statement that is of no service here may name what it likes.
    CHECK(on(policy(R"({"Effect":"Allow","Action":"s3:GetObject","Resource":"bucket",)"
                    R"("Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}})"),
             nullptr) == kNotAllowed);
}

TEST_CASE("IAM-8: operators over what is there and what is not") {
    struct Case {
        const char* condition;
        bool with;     // where the key has a value
        bool without;  // where the call has no such key
    };
    PolicyResource with = resource_by_arn("arn:aws:ec2:us-east-1:1:volume/vol-1");
    with.facts.add("ec2:VolumeSize", "8");
    with.facts.add("ec2:VolumeType", "gp3");
    with.facts.add("ec2:Encrypted", "false");
    with.facts.add("ec2:ParentSnapshot", "arn:aws:ec2:us-east-1::snapshot/snap-1");
    add_request_tags(with.facts, {{"Team", "blue"}, {"stage", "test"}});
    const PolicyResource without = resource_by_arn("arn:aws:ec2:us-east-1:1:volume/vol-2");
    for (const Case& c : {
             Case{R"("StringEquals":{"ec2:VolumeType":"gp3"})", true, false},
             Case{R"("StringEquals":{"EC2:volumetype":["gp2","gp3"]})", true, false},
             Case{R"("StringNotEquals":{"ec2:VolumeType":["gp2","gp3"]})", false, true},
             Case{R"("StringNotEquals":{"ec2:VolumeType":"gp2"})", true, true},
             Case{R"("StringLike":{"ec2:VolumeType":"gp?"})", true, false},
             Case{R"("StringEqualsIfExists":{"ec2:VolumeType":"gp3"})", true, true},
             Case{R"("StringEqualsIfExists":{"ec2:VolumeType":"gp2"})", false, true},
             Case{R"("StringNotLikeIfExists":{"ec2:VolumeType":"gp*"})", false, true},
             Case{R"("NumericLessThanEquals":{"ec2:VolumeSize":"8"})", true, false},
             Case{R"("NumericLessThanEquals":{"ec2:VolumeSize":8})", true, false},
             Case{R"("NumericLessThan":{"ec2:VolumeSize":8})", false, false},
             Case{R"("NumericGreaterThan":{"ec2:VolumeSize":"7.5"})", true, false},
             Case{R"("NumericGreaterThanEquals":{"ec2:VolumeSize":"9"})", false, false},
             Case{R"("NumericEquals":{"ec2:VolumeSize":"08"})", true, false},
             Case{R"("NumericNotEquals":{"ec2:VolumeSize":"8"})", false, true},
             Case{R"("Bool":{"ec2:Encrypted":"False"})", true, false},
             Case{R"("Bool":{"ec2:Encrypted":true})", false, false},
             Case{R"("BoolIfExists":{"ec2:Encrypted":"true"})", false, true},
             Case{R"("Null":{"ec2:VolumeType":"true"})", false, true},
             Case{R"("Null":{"ec2:VolumeType":false})", true, false},
             Case{R"("ArnLike":{"ec2:ParentSnapshot":"arn:aws:ec2:*::snapshot/snap-*"})", true,
                  false},
             Case{R"("ArnEquals":{"ec2:ParentSnapshot":"arn:aws:ec2:*:snapshot/snap-*:"})", false,
                  false},
             Case{R"("ArnNotEquals":{"ec2:ParentSnapshot":"arn:aws:ec2:*::snapshot/snap-2"})", true,
                  true},
             Case{R"("StringEquals":{"aws:RequestTag/team":"blue"})", true, false},
             Case{R"("StringEquals":{"aws:RequestTag/Team":"Blue"})", false, false},
             Case{R"("StringEqualsIgnoreCase":{"aws:RequestTag/Team":"Blue"})", true, false},
             Case{R"("Null":{"aws:RequestTag/owner":"true"})", true, true},
             Case{R"("ForAllValues:StringEquals":{"aws:TagKeys":["Team","stage","x"]})", true,
                  true},
             Case{R"("ForAllValues:StringEquals":{"aws:TagKeys":["Team"]})", false, true},
             Case{R"("ForAnyValue:StringEquals":{"aws:TagKeys":["Team"]})", true, false},
             Case{R"("ForAnyValue:StringEquals":{"aws:TagKeys":["x"]})", false, false},
             Case{R"("ForAnyValue:StringNotEquals":{"aws:TagKeys":["Team"]})", true, false},
             Case{R"("ForAnyValue:StringEqualsIfExists":{"aws:TagKeys":["x"]})", false, true},
             Case{R"("ForAllValues:StringNotLike":{"aws:TagKeys":"cost*"})", true, true},
             Case{R"("StringEquals":{"aws:TagKeys":"stage"})", true, false},
             Case{R"("StringNotEquals":{"aws:TagKeys":"stage"})", false, true},
         }) {
        CAPTURE(c.condition);
        CHECK(on(when(c.condition), &with) == (c.with ? kAllowed : kNotAllowed));
        CHECK(on(when(c.condition), &without) == (c.without ? kAllowed : kNotAllowed));
        CHECK(on(when(c.condition), nullptr) == (c.without ? kAllowed : kNotAllowed));
    }
}

TEST_CASE("IAM-8: what is asked of the wrong key or compared with the wrong value is refused") {
    const auto refused = [](const std::string& condition) {
        return refusal(R"({"Effect":"Allow","Action":"ec2:*","Resource":"*","Condition":{)" +
                       condition + "}}");
    };
    CHECK(refused(R"("NumericEquals":{"ec2:VolumeType":"8"})") ==
          "The condition operator NumericEquals cannot be asked of the key ec2:VolumeType.");
    CHECK(refused(R"("Bool":{"ec2:VolumeSize":"true"})") != "");
    CHECK(refused(R"("ArnLike":{"ec2:Owner":"arn:aws:iam::1:user/x"})") != "");
    CHECK(refused(R"("NumericEquals":{"ec2:VolumeSize":"eight"})").find("no number") !=
          std::string::npos);
    CHECK(refused(R"("Bool":{"ec2:Encrypted":"yes"})").find("no boolean") != std::string::npos);
    CHECK(refused(R"("Null":{"ec2:Encrypted":"maybe"})") != "");
    CHECK(refused(R"("ArnLike":{"ec2:Vpc":"vpc-1"})").find("no ARN") != std::string::npos);
    CHECK(refused(R"("StringEquals":{"aws:RequestTag/":"x"})") ==
          "The condition key aws:RequestTag/ is not supported by this server.");
    CHECK(refused(R"("StringEquals":{"aws:PrincipalTag/":"x"})") != "");
    CHECK(refused(R"("NullIfExists":{"ec2:Encrypted":"true"})") != "");
    CHECK(refused(R"("DateLessThan":{"ec2:VolumeType":"2030-01-01T00:00:00Z"})") ==
          "The condition operator DateLessThan cannot be asked of the key ec2:VolumeType.");
    CHECK(refused(R"("ForSomeValues:StringEquals":{"aws:TagKeys":"x"})") != "");
    CHECK(refused(R"("StringEquals":{"ec2:VolumeSize":8})") != "");  // a text is wanted
    // Trust policies know nothing of what a call touches.
    CHECK_FALSE(parse_trust_policy(
                    document(R"({"Effect":"Allow","Action":"sts:AssumeRole","Principal":"*",)"
                             R"("Condition":{"StringEquals":{"aws:ResourceTag/a":"b"}}})"))
                    .has_value());
}

TEST_CASE("IAM-26: where it is not known what a call touches, what is narrower only denies") {
    const PolicyResource one = instance();
    const std::string narrow = R"("Resource":"arn:aws:ec2:*:*:instance/*")";
    const std::string tagged =
        R"("Resource":"*","Condition":{"StringNotEquals":{"aws:ResourceTag/team":"red"}})";
    for (const std::string& rest : {narrow, tagged}) {
        CAPTURE(rest);
        const Policy allow = statement("Allow", rest);
        Policy deny = statement("Deny", rest);
        deny.push_back(policy(R"({"Effect":"Allow","Action":"*","Resource":"*"})").front());
        CHECK(on(allow, &one) == kAllowed);
        CHECK(on(deny, &one) == kDenied);
        CHECK(on(allow, nullptr, ResourceView::unknown) == kNotAllowed);
        CHECK(on(deny, nullptr, ResourceView::unknown) == kDenied);
        // Before it is known: refused is what is refused whatever it touches.
        CHECK(on(allow, nullptr, ResourceView::later) == kAllowed);
        CHECK(on(deny, nullptr, ResourceView::later) == kAllowed);
        CHECK(looks_at_resources(allow));
        CHECK(looks_at_resources(deny));
    }
    CHECK_FALSE(looks_at_resources(when(R"("StringEquals":{"ec2:Region":"us-east-1"})")));
    CHECK_FALSE(looks_at_resources(
        policy(R"({"Effect":"Allow","Action":"s3:*","Resource":"arn:aws:s3:::a"})")));
}

TEST_CASE("IAM-27: what images, volumes and instances are known by") {
    const auto holds_for = [](const char* condition, const PolicyResource& resource) {
        return on(when(condition), &resource) == kAllowed;
    };
    const char* mine = R"("StringEquals":{"ec2:Owner":"self"})";
    const char* amazons = R"("StringEquals":{"ec2:Owner":"amazon"})";
    CHECK(holds_for(mine, image("111111111111")));
    CHECK_FALSE(holds_for(mine, image("222222222222")));
    CHECK(holds_for(R"("StringEquals":{"ec2:Owner":"222222222222"})", image("222222222222")));
    CHECK(holds_for(amazons, image("222222222222", "amazon")));
    CHECK_FALSE(
        holds_for(R"("StringNotEquals":{"ec2:Owner":"amazon"})", image("222222222222", "amazon")));
    CHECK(holds_for(R"("Bool":{"ec2:Public":"true"})", image("222222222222", "", true)));
    CHECK(holds_for(R"("Bool":{"ec2:Public":"false"})", image("222222222222")));
    CHECK(holds_for(R"("StringLike":{"ec2:InstanceType":"t3.*"})", instance()));
    CHECK(holds_for(R"("StringEquals":{"aws:ResourceTag/Team":"blue"})", instance()));
    CHECK(holds_for(R"("StringEquals":{"ec2:ResourceTag/team":"blue"})", instance()));
    // What is not there, and what the caller may not know of, has its name and nothing else.
    const PolicyResource bare = bare_resource(caller(), "instance", "i-1");
    CHECK(bare.arns == instance().arns);
    CHECK_FALSE(holds_for(R"("StringLike":{"ec2:InstanceType":"*"})", bare));
    // A copy is asked whose image it is made of, and has the tags of the request alone.
    PolicyResource source = image("222222222222", "amazon");
    add_tags(source.facts, {{"Team", "blue"}});
    const PolicyResource copy = copied_resource(caller(), "image", source, {{"Team", "red"}});
    CHECK(copy.arns.front() == "arn:aws:ec2:us-east-1::image/*");
    CHECK(holds_for(amazons, copy));
    CHECK(holds_for(R"("StringEquals":{"aws:RequestTag/Team":"red"})", copy));
    CHECK(holds_for(R"("Null":{"aws:ResourceTag/Team":"true"})", copy));
    // A snapshot that is cut from a volume: whose it is, and of which volume.
    model::Volume row;
    row.id = model::VolumeId("vol-1");
    row.size_gib = 7;
    const PolicyResource cut =
        copied_resource(caller(), "snapshot", resource_of(caller(), row), {});
    CHECK(holds_for(R"("NumericEquals":{"ec2:VolumeSize":"7"})", cut));
    CHECK(holds_for(R"("ArnLike":{"ec2:ParentVolume":"arn:aws:ec2:*:*:volume/vol-1"})", cut));
    CHECK(holds_for(mine, cut));
}

TEST_CASE("IAM-26: every resource of a call must be allowed, by the policies and by a limit") {
    auto identity = std::make_shared<Identity>();
    identity->arn = "arn:aws:iam::111111111111:user/Baker";
    identity->principal_arn = identity->arn;
    identity->policies = {
        policy(R"({"Effect":"Allow","Action":"ec2:*","Resource":"arn:aws:ec2:*:*:instance/*"})")};
    Caller who = caller();
    who.identity = identity;
    const PolicyResource one = instance();
    const PolicyResource volume = bare_resource(who, "volume", "vol-1");
    CHECK(authorize(who, "ec2:AttachVolume", {one}));
    const Status refused = authorize(who, "ec2:AttachVolume", {one, volume});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().api_code() == "AccessDenied");
    CHECK(refused.error().message() ==
          "User: arn:aws:iam::111111111111:user/Baker is not authorized to perform: "
          "ec2:AttachVolume on resource: arn:aws:ec2:us-east-1:111111111111:volume/vol-1 because "
          "no identity-based policy allows the ec2:AttachVolume action");
    CHECK_FALSE(authorize(who, "ec2:DescribeInstances"));
    identity->limit = statement("Allow", R"("Resource":"arn:aws:ec2:*:*:instance/i-2")");
    CHECK_FALSE(authorize(who, "ec2:AttachVolume", {one}));
    identity->policies = {};
    CHECK(looks_at_resources(who));
    // The account itself is asked nothing.
    CHECK(authorize(caller(), "ec2:AttachVolume", {one, volume}));
}
