// SPDX-License-Identifier: Apache-2.0
// Keys of roles: issued, renewed, refused; what the metadata service says of them.
#include "control/sessions.h"

#include "control/instance_profiles.h"
#include "control/profile_associations.h"
#include "control/roles.h"
#include "control/tests/metadata_world.h"
#include "util/encoding.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

constexpr char kTrust[] =
    R"({"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"Service":"ec2.amazonaws.com"}}})";
constexpr char kDescribe[] =
    R"({"Statement":{"Effect":"Allow","Action":"ec2:Describe*","Resource":"*"}})";

struct Scene : World {
    Roles roles{store(), clock(), rng()};
    InstanceProfiles profiles{store(), clock(), rng()};
    model::Role role;
    model::Instance instance = full_instance();

    Scene() {
        model::Account account;
        account.id = caller().account;
        account.administrator = true;
        REQUIRE(
            store().run([&](catalog::Transaction& tx) { return tx.accounts().insert(account); }));
        CreateRoleInput input;
        input.name = "Bakers";
        input.trust_policy = kTrust;
        auto made = roles.create(caller(), input);
        REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message()));
        role = *made;
        REQUIRE(roles.put_policy(caller(), "Bakers", {"describe", kDescribe}));
        REQUIRE(profiles.create(caller(), {"Oven", "/", {}}).has_value());
        REQUIRE(profiles.add_role(caller(), "Oven", "Bakers"));
        const auto profile = profiles.get(caller(), "Oven");
        REQUIRE(profile.has_value());
        instance.profile =
            model::InstanceProfileRef{profile->profile.id, model::arn_of(profile->profile)};
        insert(instance);
    }

    std::string refusal(const std::string& key, const std::string& token) {
        const auto found = sessions().find(key, token);
        REQUIRE_FALSE(found.has_value());
        return found.error().api_code();
    }
    std::optional<std::string> metadata_at(const std::string& path) {
        const auto names = split_metadata_path(path);
        REQUIRE(names.has_value());
        const auto found = metadata()->find(instance, *names);
        REQUIRE(found.has_value());
        return *found ? std::optional((*found)->text) : std::nullopt;
    }
};

}  // namespace

TEST_CASE("IAM-10: keys name the role and the instance, and their secret follows from the token") {
    Scene scene;
    const SessionKeys keys = scene.sessions().keys_for(scene.instance, scene.role);
    CHECK(keys.id.str().size() == 20);
    CHECK(keys.id.str().starts_with("ASIA"));
    CHECK(keys.secret.size() == 40);
    const auto owner = scene.sessions().find(keys.id.str(), keys.token);
    REQUIRE(owner.has_value());
    CHECK(owner->secret == keys.secret);
    CHECK(owner->account.id == caller().account);
    CHECK(owner->identity->arn ==
          "arn:aws:sts::111111111111:assumed-role/Bakers/i-0123456789abcdef0");
    CHECK(owner->identity->user_id == scene.role.id.str() + ":i-0123456789abcdef0");
    Caller session = caller();
    session.identity = owner->identity;
    CHECK(authorize(session, "ec2:DescribeImages"));
    const Status refused = authorize(session, "ec2:RunInstances");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().api_code() == "AccessDenied");
    CHECK(refused.error().message() ==
          "User: arn:aws:sts::111111111111:assumed-role/Bakers/i-0123456789abcdef0 is not "
          "authorized to perform: ec2:RunInstances because no identity-based policy allows the "
          "ec2:RunInstances action");
    CHECK(authorize(caller(), "ec2:RunInstances"));
}

TEST_CASE("IAM-11: keys change every hour, end after six, and outlive the service") {
    Scene scene;
    const SessionKeys first = scene.sessions().keys_for(scene.instance, scene.role);
    CHECK(first.expires.value - first.issued.value == 6 * 3'600'000);
    scene.clock().advance(std::chrono::minutes(50));
    CHECK(scene.sessions().keys_for(scene.instance, scene.role).token == first.token);
    scene.clock().advance(std::chrono::minutes(15));
    const SessionKeys second = scene.sessions().keys_for(scene.instance, scene.role);
    CHECK(second.token != first.token);
    CHECK(second.id != first.id);
    CHECK(second.secret != first.secret);
    auto again = Sessions::create(scene.store(), scene.clock(), scene.rng());
    REQUIRE(again.has_value());
    CHECK((*again)->find(first.id.str(), first.token).has_value());
    scene.clock().advance(std::chrono::hours(5));
    CHECK(scene.refusal(first.id.str(), first.token) == "ExpiredToken");
    CHECK(scene.sessions().find(second.id.str(), second.token).has_value());
}

TEST_CASE("IAM-12: a token that is not whole, or another key's, is none") {
    Scene scene;
    const SessionKeys keys = scene.sessions().keys_for(scene.instance, scene.role);
    const std::string id = keys.id.str();
    CHECK(scene.refusal("ASIAAAAAAAAAAAAAAAAA", keys.token) == "InvalidClientTokenId");
    const auto bytes = base64_decode(keys.token);
    REQUIRE(bytes.has_value());
    for (std::size_t i = 0; i < bytes->size(); ++i) {
        Bytes changed = *bytes;
        changed[i] ^= 1;
        CAPTURE(i);
        CHECK(scene.refusal(id, base64_encode(changed)) == "InvalidClientTokenId");
    }
    for (const std::string& token : {std::string(), std::string("x"), keys.token.substr(4),
                                     keys.token + "AAAA", std::string(100'000, 'A')}) {
        CHECK(scene.refusal(id, token) == "InvalidClientTokenId");
    }
    Scene other;  // another store: another secret
    CHECK(other.refusal(id, keys.token) == "InvalidClientTokenId");
}

TEST_CASE("IAM-13: keys end with their role and with their instance; policies hold at once") {
    Scene scene;
    const SessionKeys keys = scene.sessions().keys_for(scene.instance, scene.role);
    REQUIRE(scene.roles.remove_policy(caller(), "Bakers", "describe"));
    const auto owner = scene.sessions().find(keys.id.str(), keys.token);
    REQUIRE(owner.has_value());
    CHECK(owner->identity->policies.empty());
    scene.instance.state = model::InstanceState::terminated;
    scene.update(scene.instance);
    CHECK(scene.refusal(keys.id.str(), keys.token) == "InvalidClientTokenId");
    scene.instance.state = model::InstanceState::running;
    scene.update(scene.instance);
    REQUIRE(scene.profiles.remove_role(caller(), "Oven", "Bakers"));
    CHECK(scene.sessions().find(keys.id.str(), keys.token).has_value());
    REQUIRE(scene.roles.remove(caller(), "Bakers"));
    CHECK(scene.refusal(keys.id.str(), keys.token) == "InvalidClientTokenId");
    CreateRoleInput input;
    input.name = "Bakers";
    input.trust_policy = kTrust;
    REQUIRE(scene.roles.create(caller(), input).has_value());  // another one of the same name
    CHECK(scene.refusal(keys.id.str(), keys.token) == "InvalidClientTokenId");
}

TEST_CASE("IAM-18 IAM-21 IAM-22: sessions of roles, users and accounts say what they are") {
    Scene scene;
    model::User user;
    user.id = model::UserId("AIDA22222222222222222");
    user.owner_id = caller().account;
    user.name = "Baker";
    user.path = "/";
    user.policies = {{"describe", kDescribe}};
    REQUIRE(scene.store().run([&](catalog::Transaction& tx) { return tx.users().insert(user); }));
    const std::string limit = R"({"Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}})";
    const SessionKeys of_role =
        scene.sessions().assume(scene.role, {"night", limit, std::chrono::seconds(900)});
    const SessionKeys plain =
        scene.sessions().assume(scene.role, {"night", "", std::chrono::seconds(900)});
    const SessionKeys of_user =
        scene.sessions().session_of(user.owner_id, user.id, std::chrono::seconds(900));
    const SessionKeys of_account =
        scene.sessions().session_of(user.owner_id, {}, std::chrono::seconds(900));
    const auto identity = [&](const SessionKeys& keys) {
        const auto owner = scene.sessions().find(keys.id.str(), keys.token);
        REQUIRE(owner.has_value());
        CHECK(owner->secret == keys.secret);
        CHECK(owner->identity->temporary());
        return owner->identity;
    };
    CHECK(identity(of_role)->arn == "arn:aws:sts::111111111111:assumed-role/Bakers/night");
    CHECK(identity(of_role)->limit.has_value());
    CHECK_FALSE(identity(plain)->limit.has_value());
    CHECK(identity(of_user)->arn == model::arn_of(user));
    CHECK(identity(of_user)->policies.size() == 1);
    CHECK(identity(of_account)->kind == Identity::Kind::account);
    for (const SessionKeys& keys : {of_role, of_user, of_account}) {
        const auto bytes = base64_decode(keys.token);
        REQUIRE(bytes.has_value());
        for (std::size_t i = 0; i < bytes->size(); ++i) {
            Bytes changed = *bytes;
            changed[i] ^= 1;
            CAPTURE(i);
            CHECK(scene.refusal(keys.id.str(), base64_encode(changed)) == "InvalidClientTokenId");
        }
    }
    REQUIRE(scene.store().run([&](catalog::Transaction& tx) { return tx.users().erase(user.id); }));
    CHECK(scene.refusal(of_user.id.str(), of_user.token) == "InvalidClientTokenId");
    // It ends neither with the instance nor before its time.
    scene.instance.state = model::InstanceState::terminated;
    scene.update(scene.instance);
    scene.clock().advance(std::chrono::seconds(899));
    CHECK(identity(of_role)->user_id == scene.role.id.str() + ":night");
    scene.clock().advance(std::chrono::seconds(1));
    CHECK(scene.refusal(of_role.id.str(), of_role.token) == "ExpiredToken");
    CHECK(scene.refusal(of_account.id.str(), of_account.token) == "ExpiredToken");
}

TEST_CASE("IMDS-15: the metadata service tells profile, role and keys") {
    Scene scene;
    CHECK(scene.metadata_at("meta-data/iam") == "info\nsecurity-credentials/");
    CHECK(scene.metadata_at("meta-data/iam/security-credentials/") == "Bakers");
    const SessionKeys keys = scene.sessions().keys_for(scene.instance, scene.role);
    const auto text = scene.metadata_at("meta-data/iam/security-credentials/Bakers");
    REQUIRE(text.has_value());
    CHECK(text->find("\"Code\" : \"Success\"") != std::string::npos);
    CHECK(text->find("\"AccessKeyId\" : \"" + keys.id.str() + "\"") != std::string::npos);
    CHECK(text->find("\"SecretAccessKey\" : \"" + keys.secret + "\"") != std::string::npos);
    CHECK(text->find("\"Token\" : \"" + keys.token + "\"") != std::string::npos);
    CHECK(scene.metadata_at("meta-data/iam/info")->find(scene.instance.profile->arn) !=
          std::string::npos);

    REQUIRE(scene.roles.set_trust(
        caller(), "Bakers",
        R"({"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"1"}}})"));
    const auto untrusted = scene.metadata_at("meta-data/iam/security-credentials/Bakers");
    REQUIRE(untrusted.has_value());
    CHECK(untrusted->find("AssumeRoleUnauthorizedAccess") != std::string::npos);
    CHECK(untrusted->find("SecretAccessKey") == std::string::npos);

    REQUIRE(scene.profiles.remove_role(caller(), "Oven", "Bakers"));
    CHECK(scene.metadata_at("meta-data/iam") == "info");
    REQUIRE(scene.profiles.remove(caller(), "Oven"));
    CHECK(scene.metadata_at("meta-data/iam/info")->find("InstanceProfileNotFound") !=
          std::string::npos);
    scene.instance.profile.reset();
    CHECK_FALSE(scene.metadata_at("meta-data/iam").has_value());
}

TEST_CASE("IPA-1: keys come, change and go with the association, from the next question on") {
    Scene scene;
    ProfileAssociations associations(scene.store(), scene.clock(), scene.rng());
    CreateRoleInput input;
    input.name = "Millers";
    input.trust_policy = kTrust;
    REQUIRE(scene.roles.create(caller(), input).has_value());
    REQUIRE(scene.profiles.create(caller(), {"Mill", "/", {}}).has_value());
    REQUIRE(scene.profiles.add_role(caller(), "Mill", "Millers"));
    const auto look = [&](const std::string& path) {
        const auto row = scene.metadata()->instance(scene.instance.id);
        REQUIRE(row.has_value());
        scene.instance = *row;
        return scene.metadata_at(path);
    };
    const std::string credentials = "meta-data/iam/security-credentials/";
    CHECK(look(credentials) == "Bakers");
    const auto before = association_of(scene.instance);
    CHECK(associations.associate(caller(), scene.instance.id, {"", "Mill"}).error().api_code() ==
          "IncorrectState");
    const auto changed = associations.replace(caller(), before.id, {"", "Mill"});
    REQUIRE(changed.has_value());
    CHECK(look(credentials) == "Millers");
    CHECK(look(credentials + "Millers")->find("SecretAccessKey") != std::string::npos);
    CHECK_FALSE(look(credentials + "Bakers").has_value());
    REQUIRE(associations.disassociate(caller(), changed->association.id).has_value());
    CHECK_FALSE(look("meta-data/iam").has_value());
    REQUIRE(associations.associate(caller(), scene.instance.id, {"", "Oven"}).has_value());
    CHECK(look(credentials) == "Bakers");
    CHECK(association_of(scene.instance).id != before.id);
}

TEST_CASE("RUN-7: a launch finds its profile by name or ARN, and a role may need iam:PassRole") {
    Scene scene;
    const auto find = [&](const Caller& who, const InstanceProfileSpec& spec) {
        return scene.store().read(
            [&](catalog::Transaction& tx) { return find_launch_profile(tx, who, spec); });
    };
    CHECK(find(caller(), {})->has_value() == false);
    CHECK((*find(caller(), {"", "Oven"}))->arn == scene.instance.profile->arn);
    CHECK((*find(caller(), {scene.instance.profile->arn, ""}))->id == scene.instance.profile->id);
    CHECK(find(caller(), {"", "Nobody"}).error().message() ==
          "Value (Nobody) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance "
          "Profile name");
    CHECK(find(caller("222222222222"), {scene.instance.profile->arn, ""}).error().api_code() ==
          "InvalidParameterValue");
    CHECK(find(caller(), {scene.instance.profile->arn, "Oven"}).error().api_code() ==
          "InvalidParameterCombination");
    const SessionKeys keys = scene.sessions().keys_for(scene.instance, scene.role);
    const auto session = [&] {
        Caller who = caller();
        who.identity = scene.sessions().find(keys.id.str(), keys.token)->identity;
        return who;
    };
    CHECK(find(session(), {"", "Oven"}).error().api_code() == "AccessDenied");
    REQUIRE(scene.roles.put_policy(
        caller(), "Bakers",
        {"pass", R"({"Statement":{"Effect":"Allow","Action":"iam:PassRole","Resource":"*"}})"}));
    CHECK(find(session(), {"", "Oven"}).has_value());
    REQUIRE(scene.profiles.remove_role(caller(), "Oven", "Bakers"));
    CHECK(find(caller(), {"", "Oven"}).error().message() == "IAM Instance Profile \"" +
                                                                scene.instance.profile->arn +
                                                                "\" has no associated IAM Roles");
}
