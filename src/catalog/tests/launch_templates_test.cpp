// SPDX-License-Identifier: Apache-2.0
// Launch templates and their versions in the catalog.
#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::model;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

namespace {

LaunchTemplate small_template(unsigned number, const std::string& name,
                              const AccountId& owner = kAlice,
                              const std::string& region = "us-east-1") {
    LaunchTemplate made;
    made.id = LaunchTemplateId(id_of("lt", number));
    made.owner_id = owner;
    made.region = region;
    made.name = name;
    made.created = UnixMillis{number * 1000};
    return made;
}

std::string numbers(Store& store, const LaunchTemplateVersionQuery& query) {
    const auto found =
        store.read([&](Transaction& tx) { return tx.launch_template_versions().list(query); });
    REQUIRE(found.has_value());
    std::string text;
    for (const LaunchTemplateVersion& version : *found) {
        text += std::to_string(version.number) + " ";
    }
    return text;
}

}  // namespace

TEST_CASE_TEMPLATE("LT-1: a template's name is unique per account and region", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    const auto insert = [&](const LaunchTemplate& made) {
        const Status done =
            store->run([&](Transaction& tx) { return tx.launch_templates().insert(made); });
        return done ? Code::internal : done.error().code();
    };
    constexpr Code kInserted = Code::internal;
    CHECK(insert(small_template(1, "web")) == kInserted);
    CHECK(insert(small_template(2, "web")) == Code::already_exists);
    CHECK(insert(small_template(3, "Web")) == kInserted);
    CHECK(insert(small_template(4, "web", kBob)) == kInserted);
    CHECK(insert(small_template(5, "web", kAlice, "eu-west-1")) == kInserted);
}

TEST_CASE_TEMPLATE("LT-2: versions come in the order of their numbers, also those of one instant",
                   Backend, KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    REQUIRE(store
                ->run([&](Transaction& tx) -> Status {
                    for (const std::int64_t number : {9, 10, 100, 11, 2}) {
                        LaunchTemplateVersion version;
                        version.template_id = LaunchTemplateId(id_of("lt", 1));
                        version.number = number;
                        version.created = UnixMillis{7};
                        TRY(tx.launch_template_versions().insert(version));
                        version.template_id = LaunchTemplateId(id_of("lt", 2));
                        version.number += 1000;
                        TRY(tx.launch_template_versions().insert(version));
                    }
                    return ok();
                })
                .has_value());
    LaunchTemplateVersionQuery query;
    query.of = LaunchTemplateId(id_of("lt", 1));
    CHECK(numbers(*store, query) == "2 9 10 11 100 ");
    query.page.newest_first = true;
    query.page.limit = 2;
    CHECK(numbers(*store, query) == "100 11 ");
    LaunchTemplateVersion last;
    last.template_id = *query.of;
    last.number = 11;
    query.page.after = Cursor{UnixMillis{7}, last.id().str()};
    CHECK(numbers(*store, query) == "10 9 ");
    query.page = {};
    query.lowest = 9;
    query.highest = 11;
    CHECK(numbers(*store, query) == "9 10 11 ");
    query.numbers = {11, 2};
    CHECK(numbers(*store, query) == "11 ");
}
