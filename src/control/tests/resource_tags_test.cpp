// SPDX-License-Identifier: Apache-2.0
// CreateTags, DeleteTags, DescribeTags.
#include "control/resource_tags.h"

#include "control/tests/image_support.h"

using namespace kiln;
using namespace kiln::control;
using namespace kiln::control::testing;
using Seen = std::vector<std::string>;

namespace {

class TagWorld : public ImageWorld {
  public:
    ResourceTags tags{*store};

    // "key=value@name", in the order of the answer.
    Seen seen(const Caller& caller, const DescribeTagsInput& input = {}) {
        const auto page = tags.describe(caller, input);
        if (!page) {
            return {page.error().api_code()};
        }
        Seen texts;
        for (const catalog::TagRecord& record : page->items) {
            const auto name = names_.find(record.target.resource_id);
            texts.push_back(record.tag.key + "=" + record.tag.value + "@" +
                            (name == names_.end() ? "?" : name->second));
        }
        token = page->next_token;
        return texts;
    }
    std::string named(const std::string& name, const Caller& owner = kAlice,
                      const std::function<void(model::Image&)>& edit = {}) {
        const std::string id = put(name, owner, edit).str();
        names_[id] = name;
        return id;
    }

    // The same in the order of the texts, for tags that only differ in their resource's id.
    Seen sorted(const Caller& caller, const DescribeTagsInput& input = {}) {
        Seen texts = seen(caller, input);
        std::sort(texts.begin(), texts.end());
        return texts;
    }

    std::string token;

  private:
    std::map<std::string, std::string> names_;
};

}  // namespace

TEST_CASE("TAG-3: tags are put on many resources at once, or on none") {
    TagWorld world;
    const auto one = world.named("one");
    const auto two = world.named("two");
    CHECK(code_of(world.tags.create(kAlice, {one, two, one}, {{"a", "1"}, {"b", ""}}, false)) ==
          "");
    CHECK(world.sorted(kAlice) == Seen{"a=1@one", "a=1@two", "b=@one", "b=@two"});
    CHECK(code_of(world.tags.create(kAlice, {two}, {{"a", "2"}}, false)) == "");
    CHECK(code_of(world.tags.create(kAlice, {one, "ami-01234567"}, {{"c", "3"}}, false)) ==
          "InvalidAMIID.NotFound");
    CHECK(code_of(world.tags.create(kAlice, {one}, {{"c", "3"}}, true)) == "DryRunOperation");
    CHECK(world.sorted(kAlice) == Seen{"a=1@one", "a=2@two", "b=@one", "b=@two"});

    CHECK(code_of(world.tags.remove(kAlice, {one, two}, {{"a", "1"}, {"zzz", {}}}, false)) == "");
    CHECK(world.sorted(kAlice) == Seen{"a=2@two", "b=@one", "b=@two"});
    CHECK(code_of(world.tags.remove(kAlice, {two}, {{"a", ""}}, false)) == "");
    CHECK(code_of(world.tags.remove(kAlice, {one}, {{"b", ""}}, false)) == "");
    CHECK(world.sorted(kAlice) == Seen{"a=2@two", "b=@two"});
    CHECK(code_of(world.tags.remove(kAlice, {two}, {}, true)) == "DryRunOperation");
    CHECK(code_of(world.tags.remove(kAlice, {two}, {{"a", {}}}, false)) == "");
    CHECK(world.sorted(kAlice) == Seen{"b=@two"});
    CHECK(code_of(world.tags.remove(kAlice, {two}, {}, false)) == "");
    CHECK(world.sorted(kAlice).empty());
}

TEST_CASE("TAG-1 TAG-2 TAG-11 ID-5: what cannot be a tag or be tagged") {
    TagWorld world;
    const auto id = world.named("one");
    const auto refused = [&](std::vector<std::string> ids, std::vector<model::Tag> tags) {
        return code_of(world.tags.create(kAlice, ids, tags, false));
    };
    CHECK(refused({id}, {}) == "MissingParameter");
    CHECK(refused({}, {{"a", ""}}) == "MissingParameter");
    CHECK(refused({id}, {{"", "x"}}) == "InvalidParameterValue");
    CHECK(refused({id}, {{"aWs:x", "x"}}) == "InvalidParameterValue");
    CHECK(refused({id}, {{"a", "1"}, {"a", "2"}}) == "InvalidParameterValue");
    CHECK(refused({id}, {{std::string(129, 'a'), ""}}) == "InvalidParameterValue");
    CHECK(refused({id}, {{"a", std::string(257, 'a')}}) == "InvalidParameterValue");
    CHECK(refused({"xyz-01234567"}, {{"a", ""}}) == "InvalidID");
    CHECK(refused({""}, {{"a", ""}}) == "InvalidID");
    CHECK(refused({"ami-xyz"}, {{"a", ""}}) == "InvalidAMIID.Malformed");
    CHECK(refused({"i-01234567", "i-zzz"}, {{"a", ""}}) == "InvalidInstanceID.Malformed");
    CHECK(refused({"i-01234567"}, {{"a", ""}}) == "InvalidInstanceID.NotFound");
    CHECK(refused({"vol-01234567"}, {{"a", ""}}) == "InvalidVolume.NotFound");
    CHECK(refused({"snap-01234567"}, {{"a", ""}}) == "InvalidSnapshot.NotFound");
    CHECK(refused(std::vector<std::string>(1001, id), {{"a", ""}}) == "InvalidParameterValue");
    CHECK(code_of(world.tags.remove(kAlice, {id}, {{"aws:x", {}}}, false)) ==
          "InvalidParameterValue");
    CHECK(world.seen(kAlice).empty());

    // 50 are a resource's limit, whichever request brings them; the service's own do not count.
    REQUIRE(world.store
                ->run([&](catalog::Transaction& tx) {
                    return tx.tags().put({kAlice.account, "us-east-1", "image", id},
                                         {{"aws:x", "kept"}});
                })
                .has_value());
    std::vector<model::Tag> many;
    for (int n = 0; n < 50; ++n) {
        many.push_back({"key" + std::to_string(n), ""});
    }
    const std::string other = world.named("two");
    CHECK(refused({other, id}, many) == "");
    CHECK(refused({id}, {{"key7", "new value"}}) == "");
    CHECK(refused({id}, {{"one more", ""}}) == "TagLimitExceeded");
    many.push_back({"51st", ""});
    CHECK(refused({other}, many) == "TagLimitExceeded");
    CHECK(code_of(world.tags.remove(kAlice, {id, other}, {}, false)) == "");
    CHECK(world.seen(kAlice) == Seen{"aws:x=kept@one"});
}

TEST_CASE("TAG-4 TAG-9: an image one may use can be tagged, each for oneself") {
    TagWorld world;
    const auto shared = world.named("shared", kAlice, [](model::Image& image) {
        image.launch_permissions.accounts = {kBob.account};
    });
    const auto hidden = world.named("hidden");
    CHECK(code_of(world.tags.create(kBob, {shared}, {{"bob", "1"}}, false)) == "");
    CHECK(code_of(world.tags.create(kAlice, {shared}, {{"alice", "1"}}, false)) == "");
    CHECK(code_of(world.tags.create(kBob, {hidden}, {{"bob", "1"}}, false)) ==
          "InvalidAMIID.NotFound");
    CHECK(world.seen(kBob) == Seen{"bob=1@shared"});
    CHECK(world.seen(kAlice) == Seen{"alice=1@shared"});
    CHECK(code_of(world.tags.remove(kBob, {shared}, {}, false)) == "");
    CHECK(world.seen(kAlice) == Seen{"alice=1@shared"});
    CHECK(world.seen(caller_of("111111111111", "eu-west-1")).empty());
}

TEST_CASE("TAG-10 PAG-1 PAG-2: tags are described by filters and in pages") {
    TagWorld world;
    std::vector<std::string> ids;
    for (int n = 0; n < 6; ++n) {
        ids.push_back(world.named("i" + std::to_string(n)));
        CHECK(code_of(world.tags.create(kAlice, {ids.back()},
                                        {{"env", n % 2 == 0 ? "prod" : "te/st x"}, {"Name", ""}},
                                        false)) == "");
    }
    const auto with = [&](std::vector<Filter> filters) {
        return world.sorted(kAlice, {.filters = std::move(filters), .page = {}});
    };
    const Seen prod{"env=prod@i0", "env=prod@i2", "env=prod@i4"};
    CHECK(with({{"tag:env", {"prod"}}}) == prod);
    CHECK(with({{"key", {"env"}}, {"value", {"p*"}}}) == prod);
    CHECK(with({{"resource-id", {ids[1]}}}) == Seen{"Name=@i1", "env=te/st x@i1"});
    CHECK(with({{"resource-id", {ids[1]}}, {"key", {"aws:ec2launchtemplate:id"}}}).empty());
    CHECK(with({{"resource-type", {"image"}}}).size() == 12);
    CHECK(with({{"resource-type", {"instance"}}}).empty());
    CHECK(with({{"value", {""}}}).size() == 6);
    CHECK(with({{"colour", {"red"}}}) == Seen{"InvalidParameterValue"});

    DescribeTagsInput input;
    input.page.max_results = 5;
    Seen all;
    std::vector<std::size_t> sizes;
    do {
        const Seen page = world.seen(kAlice, input);
        sizes.push_back(page.size());
        all.insert(all.end(), page.begin(), page.end());
        input.page.next_token = world.token;
    } while (!world.token.empty() && sizes.size() < 9);
    CHECK(sizes == std::vector<std::size_t>{5, 5, 2});
    CHECK(all == world.seen(kAlice));
    input.page.next_token = "AAAA";
    CHECK(world.seen(kAlice, input) == Seen{"InvalidNextToken"});
    input.page = {.max_results = 4, .next_token = "", .binding = ""};
    CHECK(world.seen(kAlice, input) == Seen{"InvalidParameterValue"});
}
