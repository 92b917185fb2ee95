// SPDX-License-Identifier: Apache-2.0
// Check sums of the rows that lead to bytes (D9): a changed text is noticed,
// and rows from before the check sums get theirs.
#include "catalog/detail/row_crc.h"

#include "catalog/detail/sqlite.h"
#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

namespace {

model::PackRecord some_pack() {
    model::PackRecord pack;
    pack.id = Bytes(16, 1);
    pack.domain = Bytes(16, 0);
    return pack;
}

void fill(Store& store) {
    REQUIRE(store
                .run([&](Transaction& tx) -> Status {
                    TRY(tx.snapshots().insert(full_snapshot()));
                    TRY(tx.contents().insert(full_content()));
                    TRY(tx.layers().insert(full_layer()));
                    return tx.packs().begin(some_pack());
                })
                .has_value());
}

void change(const SqliteBackend& backend, const std::string& sql) {
    auto connection = detail::SqliteConnection::open(backend.path(),
                                                     detail::SqliteConnection::Mode::writer, false);
    REQUIRE(connection.has_value());
    REQUIRE((*connection)->begin().has_value());
    const Status done = (*connection)->script(sql);
    REQUIRE_MESSAGE(done, (done ? "" : done.error().to_string()));
    REQUIRE((*connection)->commit().has_value());
}

// Which of the four tables is refused as damaged.
std::vector<bool> damaged(Store& store) {
    const auto bad = [](const auto& result) {
        REQUIRE((result || result.error().code() == Code::data_loss));
        return !result;
    };
    return {
        bad(store.read([](Transaction& tx) { return tx.snapshots().find(full_snapshot().id); })),
        bad(store.read([](Transaction& tx) { return tx.contents().list({}); })),
        bad(store.read([](Transaction& tx) { return tx.layers().get(full_layer().id); })),
        bad(store.read([](Transaction& tx) { return tx.packs().find(some_pack().id); }))};
}

}  // namespace

TEST_CASE("D9: a changed column or document of what leads to bytes is noticed") {
    SqliteBackend backend;
    auto store = backend.open();
    fill(*store);
    std::vector<bool> expected(4, false);
    CHECK(damaged(*store) == expected);
    const char* changes[] = {
        "UPDATE snapshots SET content = 'content-00000000000000009'",
        "UPDATE contents SET doc = replace(doc, 'aaa', 'aab')",
        "UPDATE layers SET crc = NULL",
        "UPDATE packs SET epoch = epoch + 1",
    };
    for (std::size_t i = 0; i < std::size(changes); ++i) {
        CAPTURE(changes[i]);
        change(backend, changes[i]);
        expected[i] = true;
        CHECK(damaged(*store) == expected);
    }
    // Written anew, a row is whole again.
    REQUIRE(store->run([](Transaction& tx) { return tx.contents().update(full_content()); })
                .has_value());
    expected[1] = false;
    CHECK(damaged(*store) == expected);
}

TEST_CASE("D9: every change of a pack's row keeps its check sum right") {
    SqliteBackend backend;
    auto store = backend.open();
    fill(*store);
    const Bytes id = some_pack().id;
    const auto state = [&] {
        const auto found = store->read([&](Transaction& tx) { return tx.packs().find(id); });
        REQUIRE(found);
        REQUIRE(*found);
        return (*found)->state;
    };
    CHECK(state() == model::PackState::writing);
    model::PackRecord stored = some_pack();
    stored.bytes = 4096;
    REQUIRE(store->run([&](Transaction& tx) { return tx.packs().store(stored, {}); }).has_value());
    CHECK(state() == model::PackState::stored);
    REQUIRE(store
                ->run([&](Transaction& tx) {
                    return tx.packs().set_state({id}, model::PackState::condemned);
                })
                .has_value());
    CHECK(state() == model::PackState::condemned);
    REQUIRE(store->run([&](Transaction& tx) { return tx.packs().trash(id, UnixMillis{5}); })
                .has_value());
    CHECK(state() == model::PackState::trash);
}

TEST_CASE(
    "D9: rows from before the check sums get theirs when the catalog is "
    "opened") {
    SqliteBackend backend;
    {
        auto store = backend.open();
        fill(*store);
        REQUIRE(
            store->run([](Transaction& tx) { return tx.meta().set("schema", "5"); }).has_value());
    }
    for (const char* table : {"snapshots", "contents", "layers", "packs"}) {
        change(backend, "ALTER TABLE " + std::string(table) + " DROP COLUMN crc");
    }
    for (const char* later :
         {"region_settings", "launch_templates", "launch_template_versions", "block_uploads",
          "uploaded_blocks", "replace_root_tasks", "users", "image_usage_reports", "parameters"}) {
        change(backend, "DROP TABLE " + std::string(later));  // of later migrations
    }
    change(backend, "ALTER TABLE volumes ADD COLUMN instance TEXT NOT NULL DEFAULT ''");
    change(backend, "CREATE INDEX volumes_instance ON volumes (instance)");
    auto store = backend.open();
    CHECK(damaged(*store) == std::vector<bool>(4, false));
    const auto content =
        store->read([](Transaction& tx) { return tx.contents().get(full_content().id); });
    REQUIRE(content);
    CHECK(*content == full_content());
}

TEST_CASE("the check sum is that of docs/formats/catalog.md") {
    // crc32c("\5\0\0\0\0\0\0\0table" "\2\0\0\0\0\0\0\0id" "\2\0\0\0\0\0\0\0" "42"
    // and an absent value), computed apart.
    const std::vector<detail::SqlValue> values{std::string("id"), std::int64_t{42},
                                               std::monostate{}};
    CHECK(detail::row_crc("table", values) == 1643951107);
    CHECK(detail::check_row_crc("table", values, std::int64_t{1643951107}));
    CHECK_FALSE(detail::check_row_crc("table", values, std::int64_t{1643951107} + 1));
    CHECK_FALSE(detail::check_row_crc("table", values, std::monostate{}));
}
