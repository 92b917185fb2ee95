// SPDX-License-Identifier: Apache-2.0
// Every life a content may have (D1), before destage and after it, each followed by a new engine
// and a comparison of all bytes.
#include <doctest/doctest.h>

#include "block/tests/content_support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

TEST_CASE(
    "D1: a volume cloned from a content has its bytes, before destage, after it, and as it "
    "happens") {
    for (const bool files : {false, true}) {
        CAPTURE(files);
        ContentWorld store(files);
        three_generations(store);
        store.create("vol-2", kContentBytes + 4096 * 16, "content-1");  // larger than its content
        store.write("vol-2", 0, 10, 4);
        store.create("vol-3", kContentBytes, "content-2");
        store.check();
        store.destage("content-1");
        store.compare();
        store.check();
        store.write("vol-2", 60'000, 9'000, 5);
        store.drop_layer("content-1");
        store.create("vol-4", kContentBytes, "content-1");
        store.check();
        store.destage("content-2");
        store.drop_layer("content-2");
        store.create("vol-5", kContentBytes, "content-2");
        store.write("vol-5", 5'000, 1, 6);
        store.check();
        store.snapshot("vol-2", "content-3");
        store.check();
        store.destage("content-3");
        store.drop_layer("content-3");
        store.check();
        CHECK(store.engine->list_layers().value().size() == store.volumes.size());
    }
}

TEST_CASE(
    "D1: a copy of a content is a name for the same bytes: it outlives the original, before "
    "destage and after it") {
    for (const bool destaged : {false, true}) {
        CAPTURE(destaged);
        ContentWorld store(false);
        three_generations(store);
        if (destaged) {
            store.destage("content-1");
            store.destage("content-2");
            store.drop_layer("content-2");
            // The copy has a row of its own; both name one root.
            ContentRecord copy = store.engine.contents.records.at(ContentId("content-2"));
            copy.id = ContentId("content-copy");
            store.engine.contents.records[copy.id] = copy;
            store.contents["content-copy"] = store.contents.at("content-2");
            store.delete_volume("vol-1");
            store.delete_content("content-2");
        } else {
            // The copy names the content itself: it is what the volume and the snapshot leave.
            store.delete_volume("vol-1");
        }
        store.check();
        store.create("vol-2", kContentBytes, destaged ? "content-copy" : "content-2");
        store.write("vol-2", 0, 4096, 9);
        store.check();
    }
}

TEST_CASE("D1: deleting the volume leaves its contents, before destage and after it") {
    for (const bool destaged : {false, true}) {
        CAPTURE(destaged);
        ContentWorld store(false);
        three_generations(store);
        if (destaged) {
            store.destage("content-1");
            store.destage("content-2");
        }
        store.delete_volume("vol-1");
        store.check();
        if (!destaged) {
            store.destage("content-2");  // over a parent that is not destaged: merged
            store.check();
        }
        store.drop_layer("content-2");
        store.check();
    }
}

TEST_CASE("D1: deleting the child leaves the parent, and deleting the parent of a tree the child") {
    for (const bool destaged : {false, true}) {
        CAPTURE(destaged);
        ContentWorld store(false);
        three_generations(store);
        store.delete_volume("vol-1");
        if (destaged) {
            store.destage("content-1");
            store.destage("content-2");
        }
        store.delete_content("content-2");
        store.check();
    }
    ContentWorld store(false);
    three_generations(store);
    store.delete_volume("vol-1");
    store.destage("content-2");  // merges its parent: the tree has all of it
    store.delete_content("content-1");
    store.check();
    store.drop_layer("content-2");
    store.check();
    store.create("vol-2", kContentBytes, "content-2");
    store.check();
}
