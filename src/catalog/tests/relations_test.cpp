// SPDX-License-Identifier: Apache-2.0
// What schema 14 adds to rows that were there before.
#include <doctest/doctest.h>

#include "catalog/detail/sqlite.h"
#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;
using namespace kiln::model;

TEST_CASE("AN-2: versions of templates from before say which image they name") {
    SqliteBackend backend;
    const LaunchTemplateVersion named = full_launch_template_version();
    LaunchTemplateVersion unnamed = named;
    unnamed.number = 13;
    unnamed.data = R"({"InstanceType":"t3.micro"})";
    unnamed.image.clear();
    {
        auto store = backend.open();
        REQUIRE(store->run([&](Transaction& tx) -> Status {
            TRY(tx.launch_template_versions().insert(named));
            TRY(tx.launch_template_versions().insert(unnamed));
            return tx.meta().set("schema", "13");
        }));
    }
    {
        auto connection = kiln::catalog::detail::SqliteConnection::open(
            backend.path(), kiln::catalog::detail::SqliteConnection::Mode::writer, false);
        REQUIRE(connection.has_value());
        REQUIRE((*connection)->begin());
        REQUIRE((*connection)
                    ->script("DROP TABLE users; DROP TABLE image_usage_reports;"
                             "DROP TABLE parameters; DROP INDEX launch_template_versions_image;"
                             "ALTER TABLE launch_template_versions DROP COLUMN image;"
                             "ALTER TABLE volumes ADD COLUMN instance TEXT NOT NULL DEFAULT '';"
                             "CREATE INDEX volumes_instance ON volumes (instance);"));
        REQUIRE((*connection)->commit());
    }
    auto store = backend.open();
    LaunchTemplateVersionQuery query;
    query.image = ImageId(named.image);
    const auto naming =
        store->read([&](Transaction& tx) { return tx.launch_template_versions().list(query); });
    REQUIRE(naming.has_value());
    CHECK(*naming == std::vector{named});
    CHECK(store->read([&](Transaction& tx) {
        return tx.launch_template_versions().get(unnamed.id());
    }) == unnamed);
}
