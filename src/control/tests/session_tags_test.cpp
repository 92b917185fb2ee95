// SPDX-License-Identifier: Apache-2.0
// Tags of sessions (IAM-34).
#include "control/session_tags.h"

#include "control/roles.h"
#include "control/temporary_keys.h"
#include "control/tests/metadata_world.h"
#include "control/tests/policy_support.h"
#include "util/encoding.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

constexpr char kTrustTags[] =
    R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":["sts:AssumeRole","sts:TagSession"],"Principal":{"AWS":"111111111111"}}})";

struct Scene : World {
    Roles roles{store(), clock(), rng()};
    TemporaryKeys temporary{store(), sessions()};

    Scene() {
        model::Account account;
        account.id = caller().account;
        REQUIRE(
            store().run([&](catalog::Transaction& tx) { return tx.accounts().insert(account); }));
    }
    std::string make_role(const std::string& name, const std::string& trust = kTrustTags) {
        CreateRoleInput input;
        input.name = name;
        input.trust_policy = trust;
        input.tags = {{"Team", "bakers"}, {"site", "north"}};
        const auto made = roles.create(caller(), input);
        REQUIRE_MESSAGE(made.has_value(), (made ? "" : made.error().message()));
        REQUIRE(roles.put_policy(
            caller(), name,
            {"all", R"({"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}})"}));
        return model::arn_of(*made);
    }
    static AssumeRoleInput input(const std::string& role, std::vector<model::Tag> tags = {},
                                 std::vector<std::string> transitive = {}) {
        AssumeRoleInput in;
        in.role_arn = role;
        in.session_name = "night";
        in.tags = std::move(tags);
        in.transitive_tag_keys = std::move(transitive);
        return in;
    }
    // Who asks with the keys that this gives.
    Caller take(const Caller& who, const AssumeRoleInput& in) {
        const auto taken = temporary.assume_role(who, in);
        REQUIRE_MESSAGE(taken.has_value(), (taken ? "" : taken.error().message()));
        const auto owner = sessions().find(taken->keys.id.str(), taken->keys.token);
        REQUIRE(owner.has_value());
        Caller session = caller();
        session.identity = owner->identity;
        return session;
    }
    std::string refusal(const Caller& who, const AssumeRoleInput& in) {
        const auto taken = temporary.assume_role(who, in);
        REQUIRE_FALSE(taken.has_value());
        return taken.error().api_code();
    }
};

std::string tag_of(const Caller& who, const std::string& key) {
    const PolicyFacts facts = call_facts(who);
    const auto* values = facts.find("aws:principaltag/" + key);
    return values == nullptr ? "-" : values->front();
}

}  // namespace

TEST_CASE("IAM-34: a session has its role's tags, and its own in their place") {
    Scene scene;
    const std::string role = scene.make_role("Bakers");
    const Caller plain = scene.take(caller(), Scene::input(role));
    CHECK(tag_of(plain, "team") == "bakers");
    CHECK(tag_of(plain, "stage") == "-");
    const Caller tagged =
        scene.take(caller(), Scene::input(role, {{"TEAM", "millers"}, {"stage", ""}}));
    CHECK(tag_of(tagged, "team") == "millers");
    CHECK(tag_of(tagged, "stage").empty());
    CHECK(tag_of(tagged, "site") == "north");
    CHECK(call_facts(tagged).find("aws:principaltag/team")->size() == 1);
    CHECK(*call_facts(tagged).find("aws:tokenissuetime") ==
          std::vector<std::string>{policy_seconds(scene.clock().now())});
}

TEST_CASE("IAM-34: transitive tags go on from session to session") {
    Scene scene;
    const std::string role = scene.make_role("Bakers");
    const Caller first = scene.take(
        caller(), Scene::input(role, {{"Project", "p1"}, {"stage", "test"}}, {"project"}));
    const Caller second = scene.take(first, Scene::input(role, {{"stage", "live"}}));
    CHECK(tag_of(second, "project") == "p1");
    CHECK(tag_of(second, "stage") == "live");
    const Caller third = scene.take(second, Scene::input(role));
    CHECK(tag_of(third, "project") == "p1");
    CHECK(tag_of(third, "stage") == "-");
    CHECK(scene.refusal(third, Scene::input(role, {{"PROJECT", "p2"}})) == "ValidationError");
    CHECK(scene.refusal(caller(), Scene::input(role, {{"a", "b"}}, {"c"})) == "ValidationError");
}

TEST_CASE("IAM-34: who gives tags needs sts:TagSession, of the trust and of their policies") {
    Scene scene;
    const std::string untagged = scene.make_role(
        "Untagged",
        R"({"Statement":{"Effect":"Allow","Action":"sts:AssumeRole","Principal":{"AWS":"111111111111"}}})");
    scene.take(caller(), Scene::input(untagged));
    CHECK(scene.refusal(caller(), Scene::input(untagged, {{"a", "b"}})) == "AccessDenied");
    // A session that hands tags on gives them.
    const Caller first = scene.take(
        caller(), Scene::input(scene.make_role("Bakers"), {{"project", "p1"}}, {"project"}));
    CHECK(scene.refusal(first, Scene::input(untagged)) == "AccessDenied");
    const std::string some = scene.make_role(
        "Some",
        R"({"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"sts:*","Principal":"*",)"
        R"("Condition":{"StringLike":{"aws:RequestTag/project":"p*"},)"
        R"("ForAllValues:StringEquals":{"aws:TagKeys":["project","stage"],)"
        R"("sts:TransitiveTagKeys":["project"]}}}})");
    scene.take(caller(), Scene::input(some, {{"project", "p1"}, {"stage", "x"}}, {"project"}));
    CHECK(scene.refusal(caller(), Scene::input(some)) == "AccessDenied");
    CHECK(scene.refusal(caller(), Scene::input(some, {{"project", "q"}})) == "AccessDenied");
    CHECK(scene.refusal(caller(), Scene::input(some, {{"project", "p"}, {"x", ""}})) ==
          "AccessDenied");
    CHECK(scene.refusal(caller(), Scene::input(some, {{"project", "p"}, {"stage", "x"}},
                                               {"stage"})) == "AccessDenied");
}

TEST_CASE("IAM-34: tags are of limited number and size") {
    Scene scene;
    const std::string role = scene.make_role("Bakers");
    const auto refusal = [&](std::vector<model::Tag> tags) {
        return scene.refusal(caller(), Scene::input(role, std::move(tags)));
    };
    CHECK(refusal({{"", "b"}}) == "ValidationError");
    CHECK(refusal({{"aws:x", "b"}}) == "ValidationError");
    CHECK(refusal({{"a", "1"}, {"A", "2"}}) == "ValidationError");
    CHECK(refusal({{"a", std::string(257, 'x')}}) == "ValidationError");
    std::vector<model::Tag> many;
    for (int i = 0; i < 51; ++i) {
        many.push_back({"k" + std::to_string(i), "v"});
    }
    CHECK(refusal(many) == "ValidationError");
    std::vector<model::Tag> long_ones;
    for (int i = 0; i < 8; ++i) {
        long_ones.push_back({"k" + std::to_string(i), std::string(254, 'v')});
    }
    AssumeRoleInput full = Scene::input(role, long_ones);
    const auto taken = scene.temporary.assume_role(caller(), full);
    REQUIRE(taken.has_value());
    CHECK(taken->policy_percent == 100);
    CHECK(scene.sessions().find(taken->keys.id.str(), taken->keys.token).has_value());
    long_ones.push_back({"k", ""});
    CHECK(refusal(long_ones) == "PackedPolicyTooLarge");
    // A token with tags is none when anything of it is changed.
    const auto bytes = base64_decode(taken->keys.token);
    REQUIRE(bytes.has_value());
    for (std::size_t i = 0; i < bytes->size(); i += 7) {
        Bytes changed = *bytes;
        changed[i] ^= 1;
        CHECK_FALSE(
            scene.sessions().find(taken->keys.id.str(), base64_encode(changed)).has_value());
    }
    SessionTags tags{{{"a", "b"}, true}, {{"", ""}, false}};
    Bytes written;
    append_session_tags(written, tags);
    ByteReader reader(written);
    CHECK(read_session_tags(reader) == tags);
    CHECK((reader.ok() && reader.remaining() == 0));
    for (std::size_t cut = 0; cut < written.size(); ++cut) {
        ByteReader part(ByteView(written).first(cut));
        (void)read_session_tags(part);
        CHECK_FALSE(part.ok());
    }
}

TEST_CASE("IAM-8: what every call is known by") {
    Scene scene;
    Caller who = caller();
    const auto value = [&](const std::string& key) {
        const PolicyFacts facts = call_facts(who);
        const auto* values = facts.find(key);
        return values == nullptr ? std::string("-") : values->front();
    };
    CHECK(value("aws:principaltype") == "Account");
    CHECK(value("aws:userid") == "111111111111");
    CHECK(value("aws:username") == "-");
    CHECK(value("aws:currenttime") == "-");
    CHECK(value("aws:sourceip") == "-");
    CHECK(value("aws:securetransport") == "-");
    who.arrival.time = UnixMillis{1'593'604'800'999};
    who.arrival.address = "2001:db8::1";
    who.arrival.tls = false;
    CHECK(value("aws:currenttime") == "2020-07-01T12:00:00Z");
    CHECK(value("aws:epochtime") == "1593604800");
    CHECK(value("aws:sourceip") == "2001:db8::1");
    CHECK(value("aws:securetransport") == "false");
    model::User user;
    user.id = model::UserId("AIDA1");
    user.owner_id = who.account;
    user.name = "bob";
    user.path = "/a/";
    user.tags = {{"team", "blue"}};
    who.identity = *identity_of(user, std::nullopt);
    CHECK(value("aws:principaltype") == "User");
    CHECK(value("aws:userid") == "AIDA1");
    CHECK(value("aws:username") == "bob");
    CHECK(value("aws:principaltag/team") == "blue");
    CHECK(value("aws:principalarn") == "arn:aws:iam::111111111111:user/a/bob");
    CHECK(value("aws:tokenissuetime") == "-");
    who = scene.take(caller(), Scene::input(scene.make_role("Bakers")));
    CHECK(value("aws:principaltype") == "AssumedRole");
    CHECK(value("aws:username") == "-");
    CHECK(value("aws:userid").ends_with(":night"));
}
