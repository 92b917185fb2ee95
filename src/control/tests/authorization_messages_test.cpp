// SPDX-License-Identifier: Apache-2.0
// Why a call was refused: sealed, opened, and what it says (IAM-36).
#include "control/authorization_messages.h"

#include <nlohmann/json.hpp>

#include "control/refusal_document.h"
#include "control/resource_facts.h"
#include "control/tests/metadata_world.h"
#include "control/tests/policy_support.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using nlohmann::json;

namespace {

struct Scene : World {
    AuthorizationMessages messages = make();
    std::shared_ptr<Identity> identity = std::make_shared<Identity>();
    Caller who = caller();

    AuthorizationMessages make() {
        auto made = AuthorizationMessages::create(store(), clock(), rng());
        REQUIRE(made.has_value());
        return std::move(*made);
    }
    Scene() {
        identity->kind = Identity::Kind::user;
        identity->arn = identity->principal_arn = "arn:aws:iam::111111111111:user/bob";
        identity->user_id = "AIDA1";
        identity->user_name = "bob";
        who.identity = identity;
        who.arrival.messages = &messages;
    }
    void may(const std::string& statements) {
        identity->policies = {read_policy(policy_document(statements))};
    }
    // What a refusal of this carries.
    std::string sealed(const PolicyResource& resource) {
        const Status refused = authorize(who, "ec2:StopInstances", {resource});
        REQUIRE_FALSE(refused);
        constexpr std::string_view kBefore = ". Encoded authorization failure message: ";
        const std::string& text = refused.error().message();
        REQUIRE(text.find(kBefore) != text.npos);
        return text.substr(text.find(kBefore) + kBefore.size());
    }
    json told(const PolicyResource& resource) {
        const auto opened = messages.open(who.account, sealed(resource));
        REQUIRE(opened.has_value());
        return json::parse(*opened);
    }
};

PolicyResource instance() {
    PolicyResource one = resource_by_arn("arn:aws:ec2:us-east-1:111111111111:instance/i-1");
    one.facts.add("ec2:InstanceType", "t3.micro");
    add_tags(one.facts, {{"Team", "blue"}});
    return one;
}

// The values of a condition key in the context.
json values_of(const json& document, const std::string& key) {
    for (const json& item : document["context"]["conditions"]["items"]) {
        if (item["key"] == key) {
            return item["values"];
        }
    }
    return nullptr;
}

}  // namespace

TEST_CASE("IAM-36: a message opens for its account, whole, and for a week") {
    Scene scene;
    const model::AccountId account = scene.who.account;
    const std::string message = scene.messages.seal(account, "{}");
    CHECK(scene.messages.seal(account, "{}") != message);
    const auto refusal = [&](const model::AccountId& of, const std::string& text) {
        const auto opened = scene.messages.open(of, text);
        REQUIRE_FALSE(opened.has_value());
        return opened.error().api_code();
    };
    CHECK(scene.messages.open(account, message) == std::string("{}"));
    CHECK(scene.make().open(account, message) == std::string("{}"));  // after a restart
    const std::string invalid = "InvalidAuthorizationMessageException";
    CHECK(refusal(model::AccountId("222222222222"), message) == invalid);
    for (const std::string& text : {std::string(), std::string("x"), message.substr(4),
                                    message + "\n", std::string(20'000, 'A')}) {
        CHECK(refusal(account, text) == invalid);
    }
    Scene other;
    CHECK_FALSE(other.messages.open(account, message).has_value());
    // Its length tells nothing.
    const std::string longest(kMaxRefusalDocument, 'x');
    CHECK(scene.messages.seal(account, longest).size() == message.size());
    CHECK(scene.messages.open(account, scene.messages.seal(account, longest)) == longest);
    CHECK(message.size() <= kMaxAuthorizationMessage);
    scene.clock().advance(kAuthorizationMessageTime - std::chrono::seconds(1));
    CHECK(scene.messages.open(account, message).has_value());
    scene.clock().advance(std::chrono::seconds(1));
    CHECK(refusal(account, message) == invalid);
}

TEST_CASE("IAM-36: a refusal tells who, what, on what, and the conditions") {
    Scene scene;
    scene.may(R"({"Effect":"Allow","Action":"ec2:*","Resource":"arn:aws:ec2:*:*:volume/*"})");
    const json none = scene.told(instance());
    CHECK(none["allowed"] == false);
    CHECK(none["explicitDeny"] == false);
    CHECK(none["matchedStatements"]["items"] == json::array());
    CHECK(none["failures"]["items"] == json::array());
    CHECK(none["context"]["principal"] ==
          json{{"id", "AIDA1"}, {"name", "bob"}, {"arn", "arn:aws:iam::111111111111:user/bob"}});
    CHECK(none["context"]["action"] == "ec2:StopInstances");
    CHECK(none["context"]["resource"] == "arn:aws:ec2:us-east-1:111111111111:instance/i-1");
    CHECK(values_of(none, "ec2:InstanceType")["items"].size() == 1);
    CHECK(values_of(none, "ec2:InstanceType")["items"][0]["value"] == "t3.micro");
    CHECK(values_of(none, "aws:ResourceTag/Team")["items"][0]["value"] == "blue");
    CHECK(values_of(none, "aws:username")["items"][0]["value"] == "bob");

    scene.may(R"({"Effect":"Allow","Action":"*","Resource":"*"},{"Sid":"NoBlue","Effect":"Deny",)"
              R"("Action":["ec2:Stop*","ec2:Start*"],"Resource":"*",)"
              R"("Condition":{"StringEquals":{"ec2:ResourceTag/team":"blue"}}})");
    const json denied = scene.told(instance());
    CHECK(denied["explicitDeny"] == true);
    const json statement = denied["matchedStatements"]["items"][0];
    CHECK(statement["statementId"] == "NoBlue");
    CHECK(statement["effect"] == "DENY");
    CHECK(statement["principals"]["items"][0]["value"] == "AIDA1");
    CHECK(statement["actions"]["items"][1]["value"] == "ec2:Start*");
    CHECK(statement["resources"]["items"][0]["value"] == "*");
    CHECK(statement["conditions"]["items"][0]["key"] == "ec2:resourcetag/team");
}

TEST_CASE("IAM-36: it says nothing that only Kiln knows, and nothing where nobody reads it") {
    Scene scene;
    scene.may(R"({"Effect":"Allow","Action":"ec2:*","Resource":"arn:aws:ec2:*:*:volume/*"})");
    PolicyResource one = instance();
    one.facts.set(kAskedAs, "arn:aws:ec2:us-east-1:111111111111:instance/by-name");
    CHECK(values_of(scene.told(one), std::string(kAskedAs)) == nullptr);
    scene.who.arrival.messages = nullptr;
    CHECK(authorize(scene.who, "ec2:StopInstances", {one}).error().message().find("Encoded") ==
          std::string::npos);
}

TEST_CASE("IAM-36: however much there is to say, it is not too long") {
    Scene scene;
    std::string actions = R"("ec2:Stop*")";
    for (int i = 0; i < 900; ++i) {
        actions += R"(,"ec2:)" + std::string(60, 'x') + std::to_string(i) + '"';
    }
    std::string control;
    for (int i = 0; i < 300; ++i) {
        control += "\\u0001";
    }
    scene.may(R"({"Sid":")" + control + R"(","Effect":"Deny","Action":[)" + actions +
              R"(],"Resource":"*","Condition":{"StringLike":{"ec2:ResourceTag/a":"*"}}})");
    scene.identity->arn = "arn:aws:iam::111111111111:user/" + std::string(512, '"');
    scene.identity->principal_arn = scene.identity->arn;
    PolicyResource one = resource_by_arn("arn:" + std::string(5'000, '\x80'));
    for (int i = 0; i < 50; ++i) {
        add_tags(one.facts, {{"a" + std::to_string(i), std::string(256, '\x01')}});
    }
    add_tags(one.facts, {{"a", "x"}});
    const json told = scene.told(one);
    CHECK(told["explicitDeny"] == true);
    CHECK(told["matchedStatements"]["items"][0]["actions"]["items"].size() > 10);
    CHECK(told["matchedStatements"]["items"][0]["actions"]["items"].size() < 900);
    CHECK(values_of(told, "aws:ResourceTag/a")["items"][0]["value"] == "x");
    CHECK(scene.sealed(one).size() <= kMaxAuthorizationMessage);
}
