// SPDX-License-Identifier: Apache-2.0
// The contract of tags and single facts, for every store.
#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::model;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

namespace {

std::vector<Tag> tags_of(Store& store, const AccountId& account, const std::string& id) {
    auto found = store.read([&](Transaction& tx) { return tx.tags().of(account, {id, id}); });
    REQUIRE(found.has_value());
    return (*found)[id];
}

void put(Store& store, const AccountId& account, const std::string& id,
         const std::vector<Tag>& tags) {
    REQUIRE(store
                .run([&](Transaction& tx) {
                    return tx.tags().put({account, "us-east-1", "image", id}, tags);
                })
                .has_value());
}

}  // namespace

TEST_CASE_TEMPLATE("TAG-3: tags are added, overwritten and removed by key or by key and value",
                   Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    const std::string id = id_of("ami", 1);
    put(*store, kAlice, id, {{"b", "2"}, {"a", ""}});
    put(*store, kAlice, id, {{"b", "3"}, {"ä", "x"}});
    CHECK(tags_of(*store, kAlice, id) == std::vector<Tag>{{"a", ""}, {"b", "3"}, {"ä", "x"}});

    const auto remove = [&](std::string_view key, const std::optional<std::string>& value) {
        REQUIRE(
            store->run([&](Transaction& tx) { return tx.tags().remove(kAlice, id, key, value); })
                .has_value());
    };
    remove("b", "2");
    CHECK(tags_of(*store, kAlice, id).size() == 3);
    remove("b", "3");
    remove("a", "");
    remove("ä", std::nullopt);
    remove("never there", std::nullopt);
    CHECK(tags_of(*store, kAlice, id).empty());
}

TEST_CASE_TEMPLATE("TAG-4: two accounts tag one resource and do not see each other's tags", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    const std::string id = id_of("ami", 1);
    put(*store, kAlice, id, {{"Name", "mine"}});
    put(*store, kBob, id, {{"Name", "also mine"}});
    CHECK(tags_of(*store, kAlice, id) == std::vector<Tag>{{"Name", "mine"}});
    CHECK(tags_of(*store, kBob, id) == std::vector<Tag>{{"Name", "also mine"}});
    // TAG-8
    REQUIRE(store->run([&](Transaction& tx) { return tx.tags().erase_resource(id); }).has_value());
    CHECK(tags_of(*store, kAlice, id).empty());
    CHECK(tags_of(*store, kBob, id).empty());
}

TEST_CASE_TEMPLATE("images are selected by the tags that the asking account sees", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    for (unsigned n = 1; n <= 3; ++n) {
        REQUIRE(store->run([&](Transaction& tx) { return tx.images().insert(small_image(n)); })
                    .has_value());
    }
    put(*store, kAlice, id_of("ami", 1), {{"env", "prod"}, {"app", "web"}});
    put(*store, kAlice, id_of("ami", 2), {{"env", "test"}, {"app", "web"}});
    put(*store, kBob, id_of("ami", 3), {{"env", "prod"}});
    const auto count = [&](std::vector<TagCondition> conditions) {
        ImageQuery query;
        query.tags = std::move(conditions);
        auto found = store->read([&](Transaction& tx) { return tx.images().list(query); });
        REQUIRE(found.has_value());
        return found->size();
    };
    CHECK(count({{kAlice, "env", {}}}) == 2);
    CHECK(count({{kAlice, "env", {"prod"}}}) == 1);
    CHECK(count({{kAlice, "env", {"prod", "test"}}}) == 2);
    CHECK(count({{kAlice, "env", {"prod"}}, {kAlice, "app", {"web"}}}) == 1);
    CHECK(count({{kAlice, "env", {"test"}}, {kAlice, "app", {"db"}}}) == 0);
    CHECK(count({{kBob, "env", {"prod"}}}) == 1);
}

TEST_CASE_TEMPLATE("TAG-10: tags are listed by resource, type, key and value", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    put(*store, kAlice, id_of("ami", 2), {{"k", "v"}});
    put(*store, kAlice, id_of("ami", 1), {{"z", "v"}, {"k", "w"}});
    const auto list = [&](const TagQuery& query) {
        auto found = store->read([&](Transaction& tx) { return tx.tags().list(query); });
        REQUIRE(found.has_value());
        std::string text;
        for (const TagRecord& record : *found) {
            text += record.target.resource_id.back();
            text += record.tag.key + record.tag.value + " ";
        }
        return text;
    };
    CHECK(list({.account = kAlice, .region = "us-east-1"}) == "1kw 1zv 2kv ");
    CHECK(list({.account = kBob}).empty());
    CHECK(list({.resource_types = {"instance"}}).empty());
    CHECK(list({.account = kAlice, .keys = {"k"}}) == "1kw 2kv ");
    CHECK(list({.account = kAlice, .keys = {"k"}, .values = {"v"}}) == "2kv ");
    CHECK(list({.resource_ids = {id_of("ami", 1)}}) == "1kw 1zv ");
}

TEST_CASE_TEMPLATE("single facts are set, overwritten and kept", Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    std::string uuid;
    {
        auto store = backend.open();
        uuid = store->uuid();
        CHECK(uuid.size() == 36);
        for (const char* value : {"one", "two"}) {
            REQUIRE(store->run([&](Transaction& tx) { return tx.meta().set("fact", value); })
                        .has_value());
        }
    }
    auto store = backend.open();
    CHECK(store->uuid() == uuid);
    auto fact = store->read([](Transaction& tx) { return tx.meta().find("fact"); });
    CHECK(**fact == "two");
    CHECK_FALSE(store->read([](Transaction& tx) { return tx.meta().find("none"); })->has_value());
}

TEST_CASE_TEMPLATE("tags are paged by key, value and resource, and a page begins after its cursor",
                   Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    put(*store, kAlice, id_of("ami", 2), {{"app", "web"}, {"app ", "x y"}, {"zone", ""}});
    put(*store, kAlice, id_of("ami", 1), {{"app", "web"}, {"zone", "b"}});
    put(*store, kBob, id_of("ami", 1), {{"app", "aaa"}});
    std::vector<std::string> seen;
    std::optional<TagCursor> after;
    for (int pages = 0; pages < 10; ++pages) {
        const auto page =
            store->read([&](Transaction& tx) { return tx.tags().page(kAlice, {}, after, 2); });
        REQUIRE(page.has_value());
        for (const TagRecord& record : *page) {
            seen.push_back(record.tag.key + "=" + record.tag.value + "@" +
                           record.target.resource_id.substr(20));
            after = TagCursor{record.tag.key, record.tag.value, record.target.resource_id};
        }
        if (page->size() < 2) {
            break;
        }
    }
    CHECK(seen ==
          std::vector<std::string>{"app=web@1", "app=web@2", "app =x y@2", "zone=@2", "zone=b@1"});
    const auto narrowed = store->read([&](Transaction& tx) {
        return tx.tags().page(kAlice, {.resource_ids = {id_of("ami", 1)}, .keys = {"zone"}},
                              std::nullopt, 0);
    });
    REQUIRE(narrowed.has_value());
    REQUIRE(narrowed->size() == 1);
    CHECK(narrowed->front().tag.value == "b");
}
