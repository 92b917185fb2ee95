// SPDX-License-Identifier: Apache-2.0
// Verifying contents at the engine's interface: what is counted, that damage is found where it is,
// although a cache has the right bytes, and that pages cover everything once.
#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

#include "block/tests/content_support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

VerifyPage verify_all(ContentWorld& store, const std::string& content) {
    const VolumeId name("look");
    const Status opened = store.engine->open_content(name, ContentId(content), soon());
    REQUIRE_MESSAGE(opened, opened.error().to_string());
    VerifyPage all;
    std::optional<VerifyPlace> place{VerifyPlace{}};
    int pages = 0;
    while (place) {
        const auto page = store.engine->verify(name, *place, soon());
        REQUIRE_MESSAGE(page, page.error().to_string());
        all.bytes += page->bytes;
        all.chunks += page->chunks;
        all.nodes += page->nodes;
        all.blocks += page->blocks;
        all.damage.insert(all.damage.end(), page->damage.begin(), page->damage.end());
        place = page->next;
        REQUIRE(++pages < 1000);
    }
    REQUIRE(store.engine->close_volume(name, soon()));
    return all;
}

std::string object_path(ContentWorld& store, const std::string& pack) {
    return store.engine.dir / ("objects/pack-store-" + pack);
}

}  // namespace

TEST_CASE("INT-1: a whole content is counted: blocks of layers, chunks and nodes of the tree") {
    ContentWorld store(true);
    three_generations(store);
    const VerifyPage layered = verify_all(store, "content-2");
    CHECK(layered.damage.empty());
    CHECK(layered.chunks == 0);
    // 100 to 150,100 are 37 blocks; 70,000 to 79,000 are 3 more, in a layer of their own.
    CHECK(layered.blocks == 40);
    CHECK(layered.bytes == 40 * kBlockBytes);
    store.destage("content-1");
    store.destage("content-2");
    store.drop_layer("content-2");
    const VerifyPage rooted = verify_all(store, "content-2");
    CHECK(rooted.damage.empty());
    CHECK(rooted.blocks == 0);
    CHECK(rooted.chunks == 3);
    CHECK(rooted.bytes == 3 * (64U << 10));
    CHECK(rooted.nodes == 6);  // root record, four levels, one leaf
}

TEST_CASE("INT-1: damage in a pack is found behind the cache, with its place and its bytes") {
    ContentWorld store(true);
    three_generations(store);
    store.destage("content-1");
    store.drop_layer("content-1");
    // Into the cache.
    REQUIRE(store.engine->open_content(VolumeId("warm"), ContentId("content-1"), soon()));
    REQUIRE(store.engine->read(VolumeId("warm"), 0, kContentBytes, soon()));
    int chunks = 0;
    int nodes = 0;
    for (const auto& file : std::filesystem::directory_iterator(store.engine.dir / "objects")) {
        const std::string name = file.path().filename();
        const std::string pack = name.substr(name.rfind('-') + 1);
        const std::uint64_t size = file.file_size();
        // Some byte of every entry is hit by a step as small as a header.
        for (std::uint64_t at = 130; at < size; at += 61) {
            flip_byte(object_path(store, pack), at);
            const VerifyPage found = verify_all(store, "content-1");
            for (const Damage& damage : found.damage) {
                CAPTURE(at);
                CHECK(damage.pack == pack);
                CHECK(damage.content == ContentId("content-1"));
                CHECK(damage.pack_offset <= at);
                CHECK(damage.offset + damage.length <= kContentBytes);
                CHECK(damage.length > 0);
                chunks += damage.part == "chunk" ? 1 : 0;
                nodes += damage.part == "node" || damage.part == "root record" ? 1 : 0;
            }
            flip_byte(object_path(store, pack), at);
        }
    }
    CHECK(chunks > 0);
    CHECK(nodes > 10);
    CHECK(verify_all(store, "content-1").damage.empty());
    // Packs that are gone; the store keeps files open while it runs.
    REQUIRE(store.engine->close_volume(VolumeId("warm"), soon()));
    std::filesystem::remove_all(store.engine.dir / "objects");
    std::filesystem::create_directory(store.engine.dir / "objects");
    store.engine.restart();
    CHECK(store.engine->open_content(VolumeId("look"), ContentId("content-1"), soon())
              .error()
              .code() == Code::data_loss);
}

TEST_CASE("INT-1: a layer's data that is not there is told to the block") {
    ContentWorld store(true);
    store.create("vol-1", kContentBytes);
    store.write("vol-1", 0, 8 * kBlockBytes, 7);
    store.write("vol-1", 40 * kBlockBytes, 2 * kBlockBytes, 8);
    store.snapshot("vol-1", "content-1");
    REQUIRE(store.engine->close_volume(VolumeId("vol-1"), soon()));
    std::vector<std::string> shards;
    for (const auto& file : std::filesystem::directory_iterator(store.engine.options.directory)) {
        const std::string name = file.path().filename();
        if (name.starts_with("d-l-1-") && name.ends_with(".blk")) {
            shards.push_back(file.path());
        }
    }
    REQUIRE(!shards.empty());
    std::filesystem::remove(shards.front());
    store.engine.restart();
    const VerifyPage found = verify_all(store, "content-1");
    REQUIRE(!found.damage.empty());
    CHECK(found.damage.front().part == "block");
    CHECK(found.damage.front().layer == LayerId("l-1"));
    CHECK(found.damage.front().offset % kBlockBytes == 0);
}

TEST_CASE("INT-1: a changed byte of a layer's data is told to the block once it has check sums") {
    ContentWorld store(true);
    store.create("vol-1", kContentBytes);
    store.write("vol-1", 0, 8 * kBlockBytes, 7);
    store.snapshot("vol-1", "content-1");
    const std::string data = store.engine.options.directory + "/d-l-1-0000.blk";
    // The tree is not committed: the layer is all there is.
    REQUIRE(store.engine->destage(ContentId("content-1"), 1, soon()));
    CHECK(verify_all(store, "content-1").damage.empty());
    flip_byte(data, 5 * kBlockBytes + 99);
    const VerifyPage found = verify_all(store, "content-1");
    REQUIRE(found.damage.size() == 1);
    CHECK(found.damage.front().part == "block");
    CHECK(found.damage.front().layer == LayerId("l-1"));
    CHECK(found.damage.front().offset == 5 * kBlockBytes);
    CHECK(found.damage.front().length == kBlockBytes);
    CHECK(found.blocks == 7);
    flip_byte(data, 5 * kBlockBytes + 99);
    CHECK(verify_all(store, "content-1").damage.empty());
}

TEST_CASE("verify is refused for what is no look at a content") {
    ContentWorld store(false);
    store.create("vol-1", kContentBytes);
    CHECK(store.engine->verify(VolumeId("vol-1"), {}, soon()).error().code() ==
          Code::failed_precondition);
    CHECK(store.engine->verify(VolumeId("none"), {}, soon()).error().code() ==
          Code::failed_precondition);
}
