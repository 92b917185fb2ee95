// SPDX-License-Identifier: Apache-2.0
// Packs and the chunk index in the catalog, on every backend.
#include "catalog/packs.h"

#include "catalog/detail/sqlite.h"
#include "catalog/tests/backends.h"

using namespace kiln;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;
using model::ChunkEntry;
using model::PackRecord;
using model::PackState;

namespace {

const Bytes kPlain(16, 0);
const std::vector<PackState> kReadable{PackState::stored, PackState::condemned};

PackRecord pack(std::uint8_t number, std::uint64_t epoch = 1) {
    PackRecord record;
    record.id = Bytes(16, number);
    record.kind = model::PackKind::node;
    record.digest = model::PackDigest::sha256;
    record.domain = kPlain;
    record.epoch = epoch;
    record.bytes = 1000U + number;
    record.created = UnixMillis{number};
    return record;
}

ChunkEntry chunk(std::uint32_t number) {
    ChunkEntry entry;
    entry.id = Bytes(32, 0);
    put_le(entry.id.data(), number);
    entry.place = 128 + number;
    entry.stored_bytes = 10;
    entry.plain_bytes = 65536;
    entry.type = 1;
    entry.codec = 2;
    return entry;
}

std::vector<ChunkEntry> chunks(std::uint32_t first, std::uint32_t end) {
    std::vector<ChunkEntry> entries;
    for (std::uint32_t i = first; i < end; ++i) {
        entries.push_back(chunk(i));
    }
    return entries;
}

std::vector<Bytes> ids(const std::vector<ChunkEntry>& entries) {
    std::vector<Bytes> out;
    for (const ChunkEntry& entry : entries) {
        out.push_back(entry.id);
    }
    return out;
}

std::size_t found(Store& store, const std::vector<ChunkEntry>& entries,
                  const std::vector<PackState>& states = kReadable, const Bytes& domain = kPlain) {
    const auto places = store.read(
        [&](Transaction& tx) { return tx.packs().lookup(domain, ids(entries), states); });
    REQUIRE_MESSAGE(places.has_value(), (places ? "" : places.error().to_string()));
    return places->size();
}

Status write(Store& store, const PackRecord& record, const std::vector<ChunkEntry>& entries) {
    return store.run([&](Transaction& tx) -> Status {
        TRY(tx.packs().begin(record));
        return tx.packs().store(record, entries);
    });
}

PackState state_of(Store& store, std::uint8_t number) {
    const auto row =
        store.read([&](Transaction& tx) { return tx.packs().find(Bytes(16, number)); });
    REQUIRE(row.has_value());
    REQUIRE(row->has_value());
    return (*row)->state;
}

}  // namespace

TEST_CASE_TEMPLATE("an id is found where its packs are, and nowhere once they are gone", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    // More than one piece of a statement, and a ragged end.
    const auto many = chunks(0, 301);
    REQUIRE(write(*store, pack(1), many));
    REQUIRE(write(*store, pack(2), chunks(300, 310)));
    CHECK(found(*store, many) == 302);
    CHECK(found(*store, chunks(305, 320)) == 5);
    CHECK(found(*store, chunks(0, 10), kReadable, Bytes(16, 9)) == 0);

    const auto places = store->read(
        [&](Transaction& tx) { return tx.packs().lookup(kPlain, {chunk(300).id}, kReadable); });
    REQUIRE(places->size() == 2);
    CHECK((*places)[0].pack == Bytes(16, 1));
    CHECK((*places)[0].entry == chunk(300));
    CHECK((*places)[1].pack == Bytes(16, 2));

    REQUIRE(store->run([](Transaction& tx) { return tx.packs().erase(Bytes(16, 1)); }));
    REQUIRE(store->run([](Transaction& tx) { return tx.packs().erase(Bytes(16, 1)); }));
    CHECK(found(*store, many) == 1);
    // Its number may come again, without its entries.
    REQUIRE(store->run([](Transaction& tx) { return tx.packs().erase(Bytes(16, 2)); }));
    REQUIRE(write(*store, pack(3), {}));
    CHECK(found(*store, chunks(0, 320)) == 0);
}

TEST_CASE_TEMPLATE("a pack counts once it is stored, and storing it again changes nothing", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    REQUIRE(store->run([](Transaction& tx) { return tx.packs().begin(pack(1)); }));
    CHECK(state_of(*store, 1) == PackState::writing);
    for (int again = 0; again < 2; ++again) {
        REQUIRE(
            store->run([](Transaction& tx) { return tx.packs().store(pack(1), chunks(0, 3)); }));
        CHECK(state_of(*store, 1) == PackState::stored);
        CHECK(found(*store, chunks(0, 3)) == 3);
        REQUIRE(store->run([](Transaction& tx) { return tx.packs().begin(pack(1)); }));
    }
    PackRecord expected = pack(1);
    expected.state = PackState::stored;
    CHECK(*store->read([](Transaction& tx) { return tx.packs().find(Bytes(16, 1)); }) == expected);
    // A rebuild of the index brings packs that nobody began.
    REQUIRE(store->run([](Transaction& tx) { return tx.packs().store(pack(2), chunks(5, 6)); }));
    CHECK(state_of(*store, 2) == PackState::stored);
}

TEST_CASE_TEMPLATE("a condemned pack is read but not hit, trash is neither", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    auto store = backend.open();
    for (const std::uint8_t number : {1, 2, 3}) {
        REQUIRE(write(*store, pack(number, number), chunks(number * 10U, number * 10U + 5)));
    }
    REQUIRE(store->run([](Transaction& tx) {
        return tx.packs().set_state({Bytes(16, 1), Bytes(16, 3), Bytes(16, 99)},
                                    PackState::condemned);
    }));
    CHECK(found(*store, chunks(0, 40)) == 15);
    CHECK(found(*store, chunks(0, 40), {PackState::stored}) == 5);
    const auto condemned =
        store->read([](Transaction& tx) { return tx.packs().list(PackState::condemned, 0, 1); });
    REQUIRE(condemned->size() == 1);
    CHECK((*condemned)[0].pack.id == Bytes(16, 1));
    const auto next = store->read([&](Transaction& tx) {
        return tx.packs().list(PackState::condemned, (*condemned)[0].number, 5);
    });
    REQUIRE(next->size() == 1);
    CHECK((*next)[0].pack.id == Bytes(16, 3));
    CHECK(store
              ->read([](Transaction& tx) {
                  return tx.packs().find_all({Bytes(16, 1), Bytes(16, 2), Bytes(16, 50)});
              })
              ->size() == 2);

    REQUIRE(
        store->run([](Transaction& tx) { return tx.packs().trash(Bytes(16, 3), UnixMillis{77}); }));
    CHECK(found(*store, chunks(0, 40)) == 10);
    const auto trash =
        store->read([](Transaction& tx) { return tx.packs().list(PackState::trash, 0, 5); });
    REQUIRE(trash->size() == 1);
    CHECK((*trash)[0].pack.trashed == UnixMillis{77});
    // Whoever still writes into it finds out.
    const Status late =
        store->run([](Transaction& tx) { return tx.packs().store(pack(3), chunks(30, 35)); });
    REQUIRE_FALSE(late.has_value());
    CHECK(late.error().code() == Code::failed_precondition);
}

TEST_CASE("lookups of chunks go by their ids, whatever the packs' states") {
    SqliteBackend backend;
    backend.open();
    auto connection = detail::SqliteConnection::open(backend.path(),
                                                     detail::SqliteConnection::Mode::reader, true);
    REQUIRE(connection.has_value());
    const auto rows = (*connection)
                          ->query({"EXPLAIN QUERY PLAN SELECT c.id, p.id FROM chunks AS c JOIN "
                                   "packs AS p ON p.number = c.pack WHERE c.id IN (?,?,?,?) AND "
                                   "p.domain = ? AND p.state IN (?,?) ORDER BY c.id, c.pack",
                                   {Bytes(), Bytes(), Bytes(), Bytes(), Bytes(),
                                    std::string("stored"), std::string("condemned")}});
    REQUIRE_MESSAGE(rows.has_value(), (rows ? "" : rows.error().to_string()));
    std::string plan;
    for (const auto& row : *rows) {
        plan += std::get<std::string>(row[3]) + "\n";
    }
    CHECK_MESSAGE(plan.starts_with("SEARCH c USING PRIMARY KEY (id=?)\nSEARCH p "), plan);
}
