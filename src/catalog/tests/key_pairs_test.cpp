// SPDX-License-Identifier: Apache-2.0
// Key pairs in every store: unique names, selection.
#include "catalog/tests/backends.h"
#include "catalog/tests/samples.h"

using namespace kiln;
using namespace kiln::model;
using namespace kiln::catalog;
using namespace kiln::catalog::testing;

namespace {

KeyPair small_pair(unsigned number, const std::string& name, const AccountId& owner = kAlice,
                   const std::string& region = "us-east-1") {
    KeyPair pair;
    pair.id = KeyPairId(id_of("key", number));
    pair.owner_id = owner;
    pair.region = region;
    pair.name = name;
    pair.created = UnixMillis{static_cast<std::int64_t>(number)};
    return pair;
}

std::string names(Store& store, const KeyPairQuery& query) {
    const auto pairs = store.read([&](Transaction& tx) { return tx.key_pairs().list(query); });
    REQUIRE(pairs.has_value());
    std::string text;
    for (const KeyPair& pair : *pairs) {
        text += pair.name + " ";
    }
    return text;
}

}  // namespace

TEST_CASE_TEMPLATE("KP-1: a key pair's name is taken per owner and region", Backend,
                   KILN_STORE_BACKENDS) {
    Backend backend;
    const auto store = backend.open();
    const auto insert = [&](const KeyPair& pair) {
        const Status done =
            store->run([&](Transaction& tx) { return tx.key_pairs().insert(pair); });
        return done ? Code::internal : done.error().code();
    };
    constexpr Code kInserted = Code::internal;
    CHECK(insert(small_pair(1, "web")) == kInserted);
    CHECK(insert(small_pair(2, "web")) == Code::already_exists);
    CHECK(insert(small_pair(3, "Web")) == kInserted);  // names are case-sensitive
    CHECK(insert(small_pair(4, "web", kBob)) == kInserted);
    CHECK(insert(small_pair(5, "web", kAlice, "eu-west-1")) == kInserted);

    KeyPairQuery alice;
    alice.region = "us-east-1";
    alice.owners = {kAlice};
    CHECK(names(*store, alice) == "web Web ");
    alice.names = {"Web", "other"};
    CHECK(names(*store, alice) == "Web ");
    KeyPairQuery by_id;
    by_id.ids = {KeyPairId(id_of("key", 4))};
    CHECK(names(*store, by_id) == "web ");
    CHECK(
        store
            ->run([&](Transaction& tx) { return tx.key_pairs().erase(KeyPairId(id_of("key", 1))); })
            .has_value());
    CHECK(insert(small_pair(6, "web")) == kInserted);
}
