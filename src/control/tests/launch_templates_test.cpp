// SPDX-License-Identifier: Apache-2.0
// Launch templates and their versions over a catalog.
#include "control/launch_templates.h"

#include "control/tests/metadata_world.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;

namespace {

struct Templates : World {
    LaunchTemplates use{store(), clock(), rng(), kDefaultQuotas};

    std::string create(const std::string& name, const Caller& who = caller()) {
        CreateLaunchTemplateInput input;
        input.name = name;
        input.data = R"({"ImageId":"ami-1"})";
        clock().advance(std::chrono::milliseconds(1));
        const auto made = use.create(who, input);
        return made ? made->of.id.str() : made.error().api_code();
    }
    Result<TemplateVersionView> add(const std::string& id, const std::string& token = {}) {
        CreateTemplateVersionInput input;
        input.of.id = id;
        input.data = R"({"KeyName":"k"})";
        input.source_version = "$Latest";
        input.client_token = token;
        return use.create_version(caller(), input);
    }
    std::string remove(const std::string& id, std::vector<std::string> versions) {
        const auto removals = use.remove_versions(caller(), {{id, ""}, std::move(versions), false});
        REQUIRE(removals.has_value());
        std::string text;
        for (const VersionRemoval& removal : *removals) {
            text += std::to_string(removal.number) + removal.error_code + " ";
        }
        return text;
    }
    std::string versions(DescribeTemplateVersionsInput input) {
        const auto page = use.describe_versions(caller(), input);
        if (!page) {
            return page.error().api_code();
        }
        std::string text;
        for (const TemplateVersionView& view : page->items) {
            text += std::to_string(view.version.number) + (view.is_default() ? "* " : " ");
        }
        return text + (page->next_token.empty() ? "" : "...");
    }
};

}  // namespace

TEST_CASE("LT-2 LT-3: numbers are never used again, and $Latest is the highest there is") {
    Templates templates;
    const std::string id = templates.create("web");
    for (const std::int64_t number : {2, 3, 4}) {
        const auto made = templates.add(id);
        REQUIRE(made.has_value());
        CHECK(made->version.number == number);
        CHECK(made->version.data == R"({"ImageId":"ami-1","KeyName":"k"})");
    }
    CHECK(templates.remove(id, {"4", "$Latest", "9", "1", "3"}) ==
          "4 4launchTemplateVersionDoesNotExist 9launchTemplateVersionDoesNotExist "
          "1unexpectedError 3 ");
    CHECK(templates.use.find(caller(), {id, ""}, "$Latest")->version.number == 2);
    CHECK(templates.use.find(caller(), {"", "web"}, "")->version.number == 1);
    CHECK(templates.add(id)->version.number == 5);
    CHECK(templates.versions({.of = {id, ""}}) == "5 2 1* ");
    CHECK(templates.use.modify(caller(), {.of = {id, ""}, .default_version = "5"})
              ->of.default_version == 5);
    CHECK(templates.remove(id, {"1"}) == "1 ");
    CHECK(templates.use.modify(caller(), {.of = {id, ""}, .default_version = "1"})
              .error()
              .api_code() == "InvalidLaunchTemplateId.VersionNotFound");
    CHECK(templates.use.find(caller(), {id, ""}, "newest").error().api_code() ==
          "InvalidParameterValue");
    CHECK(templates.use.find(caller(), {id, ""}, "0").error().api_code() ==
          "InvalidParameterValue");
}

TEST_CASE("LT-9: pages of versions go on where they ended, whatever is added meanwhile") {
    Templates templates;
    const std::string id = templates.create("web");
    for (int i = 0; i < 4; ++i) {
        REQUIRE(templates.add(id).has_value());  // all within one millisecond
    }
    DescribeTemplateVersionsInput input;
    input.of.id = id;
    input.page.max_results = 2;
    const auto first = templates.use.describe_versions(caller(), input);
    REQUIRE(first.has_value());
    CHECK(first->items.front().version.number == 5);
    CHECK(first->items.back().version.number == 4);
    REQUIRE(templates.add(id).has_value());
    input.page.next_token = first->next_token;
    CHECK(templates.versions(input) == "3 2 ...");
    CHECK(templates.versions({.of = {id, ""}, .min_version = "2", .max_version = "4"}) == "4 3 2 ");
    CHECK(templates.versions({.of = {id, ""}, .min_version = "$Latest"}) == "6 ");
    CHECK(templates.versions({.of = {id, ""}, .versions = {"$Default", "3", "1"}}) == "3 1* ");
    CHECK(templates.versions({.of = {id, ""}, .versions = {"7"}}) ==
          "InvalidLaunchTemplateId.VersionNotFound");
    CHECK(templates.versions({.of = {id, ""}, .versions = {"1"}, .min_version = "1"}) ==
          "InvalidParameterCombination");
}

TEST_CASE("LT-9: the latest and default versions of all templates, in pages") {
    Templates templates;
    const std::string web = templates.create("web");
    REQUIRE(templates.add(web).has_value());
    REQUIRE(templates.create("mail").starts_with("lt-"));
    CHECK(templates.versions({.versions = {"$Latest", "$Default"}}) == "1* 2 1* ");
    CHECK(templates.versions({.versions = {"$Latest"}}) == "2 1* ");
    CHECK(templates.versions({.versions = {"1"}}) == "MissingParameter");
    CHECK(templates.versions({}) == "MissingParameter");
    DescribeTemplateVersionsInput input;
    input.versions = {"$Latest", "$Default"};
    input.page.max_results = 1;
    std::string seen;
    for (int pages = 0; pages < 3; ++pages) {
        const auto page = templates.use.describe_versions(caller(), input);
        REQUIRE(page.has_value());
        REQUIRE(page->items.size() == 1);
        CHECK(page->next_token.empty() == (pages == 2));
        seen += page->items[0].of.name + std::to_string(page->items[0].version.number) + " ";
        input.page.next_token = page->next_token;
    }
    CHECK(seen == "web1 web2 mail1 ");
}

TEST_CASE("LT-1 LT-4: names, and what others see of a template") {
    Templates templates;
    const std::string id = templates.create("a.b-c/d_(e)");
    CHECK(id.starts_with("lt-"));
    CHECK(templates.create("a.b-c/d_(e)") == "InvalidLaunchTemplateName.AlreadyExistsException");
    for (const std::string& bad :
         {std::string("ab"), std::string(129, 'a'), std::string("a b c")}) {
        CHECK(templates.create(bad) == "InvalidLaunchTemplateName.MalformedException");
    }
    Caller stranger = caller();
    stranger.account = model::AccountId("999999999999");
    CHECK(templates.create("a.b-c/d_(e)", stranger).starts_with("lt-"));
    CHECK(templates.use.find(stranger, {id, ""}, "").error().api_code() ==
          "InvalidLaunchTemplateId.NotFound");
    CHECK(templates.use.remove(stranger, {id, ""}, false).error().api_code() ==
          "InvalidLaunchTemplateId.NotFound");
    Caller elsewhere = caller();
    elsewhere.region = "eu-west-1";
    CHECK(templates.use.find(elsewhere, {"", "a.b-c/d_(e)"}, "").error().api_code() ==
          "InvalidLaunchTemplateName.NotFoundException");
    CHECK(templates.use.find(caller(), {"lt-1", ""}, "").error().api_code() ==
          "InvalidLaunchTemplateId.Malformed");
    CHECK(templates.use.find(caller(), {id, "x"}, "").error().api_code() ==
          "InvalidParameterCombination");
    CHECK(templates.use.find(caller(), {}, "").error().api_code() == "MissingParameter");
    CHECK(templates.remove("lt-0123456789abcdef0", {"1", "2"}) ==
          "1launchTemplateIdDoesNotExist 2launchTemplateIdDoesNotExist ");
    CHECK(templates.remove("lt-1", {"3"}) == "3launchTemplateIdMalformed ");
}

TEST_CASE("LT-1 IDM-2: a token makes one version, and another request with it is refused") {
    Templates templates;
    const std::string id = templates.create("web");
    CHECK(templates.add(id, "token")->version.number == 2);
    CHECK(templates.add(id, "token")->version.number == 2);
    CHECK(templates.add(id)->version.number == 3);
    CreateTemplateVersionInput other;
    other.of.id = id;
    other.data = "{}";
    other.client_token = "token";
    other.request_hash = "another";
    CHECK(templates.use.create_version(caller(), other).error().api_code() ==
          "IdempotentParameterMismatch");
    other.client_token = std::string(129, 't');
    CHECK(templates.use.create_version(caller(), other).error().api_code() == "InvalidClientToken");
}

TEST_CASE("LT-11: a template has at most 10,000 versions") {
    Templates templates;
    const std::string id = templates.create("web");
    REQUIRE(templates.store()
                .run([&](catalog::Transaction& tx) -> Status {
                    TRY_ASSIGN(auto of, tx.launch_templates().get(model::LaunchTemplateId(id)));
                    of.version_count = 10'000;
                    return tx.launch_templates().update(of);
                })
                .has_value());
    CHECK(templates.add(id).error().api_code() == "MaxTemplateVersionLimitExceeded");
}

TEST_CASE("LT-11: an account has at most 5000 templates in a region") {
    Templates templates;
    REQUIRE(templates.store()
                .run([&](catalog::Transaction& tx) -> Status {
                    for (int i = 0; i < 4'999; ++i) {
                        model::LaunchTemplate one;
                        one.id = model::LaunchTemplateId("lt-" + std::to_string(i));
                        one.owner_id = caller().account;
                        one.region = caller().region;
                        one.name = "template-" + std::to_string(i);
                        TRY(tx.launch_templates().insert(one));
                    }
                    return ok();
                })
                .has_value());
    CHECK(templates.create("the-last").starts_with("lt-"));
    CHECK(templates.create("one-more") == "MaxTemplateLimitExceeded");
    CHECK(templates.create("the-last") == "InvalidLaunchTemplateName.AlreadyExistsException");
    Caller elsewhere = caller();
    elsewhere.region = "eu-west-1";
    CHECK(templates.create("one-more", elsewhere).starts_with("lt-"));
}

TEST_CASE("LT-3: a template goes with all its versions and its tags") {
    Templates templates;
    const std::string id = templates.create("web");
    REQUIRE(templates.store()
                .run([&](catalog::Transaction& tx) -> Status {
                    for (std::int64_t number = 2; number <= 2'000; ++number) {
                        model::LaunchTemplateVersion version;
                        version.template_id = model::LaunchTemplateId(id);
                        version.number = number;
                        TRY(tx.launch_template_versions().insert(version));
                    }
                    return tx.tags().put({caller().account, caller().region, "launch-template", id},
                                         {{"team", "web"}});
                })
                .has_value());
    const auto was = templates.use.remove(caller(), {"", "web"}, false);
    REQUIRE(was.has_value());
    CHECK(was->tags == std::vector<model::Tag>{{"team", "web"}});
    const auto left = templates.store().read([&](catalog::Transaction& tx) -> Result<std::size_t> {
        TRY_ASSIGN(const auto versions, tx.launch_template_versions().list({}));
        TRY_ASSIGN(const auto tags, tx.tags().of(caller().account, {id}));
        return versions.size() + tags.size();
    });
    REQUIRE(left.has_value());
    CHECK(*left == 0);
}
