// SPDX-License-Identifier: Apache-2.0
// Packs, nodes and root records: golden bytes, limits, and what damage does.
#include <doctest/doctest.h>

#include <filesystem>
#include <random>

#include "block/image/image_limits.h"
#include "block/image/tree_format.h"
#include "util/crc32c.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::block;

namespace {

const std::string kData = std::string(KILN_BLOCK_TEST_DATA) + "/image";

// GOLDEN_ACCEPT=1 writes the file where there is none yet; released bytes never change.
Bytes golden(const std::string& name, const Bytes& now) {
    const std::string path = kData + "/" + name;
    if (std::getenv("GOLDEN_ACCEPT") != nullptr && !std::filesystem::exists(path)) {
        std::filesystem::create_directories(kData);
        REQUIRE(write_file_atomic(path, as_text(now)));
    }
    const auto text = read_file(path);
    REQUIRE(text);
    const ByteView bytes = as_bytes(*text);
    return {bytes.begin(), bytes.end()};
}

Bytes pattern(std::size_t size, std::uint64_t seed, bool compressible) {
    std::mt19937_64 random(seed);
    Bytes bytes(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes[i] = static_cast<std::uint8_t>(compressible ? (i / 64 + seed) : random());
    }
    return bytes;
}

struct Sample {
    Bytes plain;
    PackEntry entry;
};

std::vector<Sample> samples(Encoder& encoder, Codec codec, PackBuilder& builder) {
    std::vector<Sample> all;
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        Bytes plain = pattern(4096, seed, seed % 2 == 0);
        const Encoded encoded = encoder.encode(codec, plain);
        PackEntry entry{.id = plain_id(plain),
                        .stored_bytes = static_cast<std::uint32_t>(encoded.bytes.size()),
                        .plain_bytes = 4096,
                        .codec = encoded.codec};
        builder.add(entry, encode_entry(entry, encoded.bytes));
        all.push_back({std::move(plain), builder.entries().back()});
    }
    return all;
}

PackHeader sample_header() {
    PackHeader header{.store_uuid = "7b7c1d9e-3f0a-4c39-9d3d-0123456789ab", .epoch = 7};
    header.pack.bytes.fill(0xa5);
    return header;
}

Node sample_node() {
    Node node{1, std::vector<ChunkId>(128)};
    node.slots[0].bytes.fill(1);
    node.slots[63].bytes.fill(2);
    node.slots[127].bytes.fill(3);
    return node;
}

RootRecord sample_root() {
    RootRecord root{.size_bytes = 8ULL << 30};
    root.top.bytes.fill(9);
    return root;
}

}  // namespace

TEST_CASE("chunks come back from every codec, and what does not shrink by 1/16 is stored raw") {
    Encoder encoder;
    for (const Codec codec : {Codec::none, Codec::lz4, Codec::zstd}) {
        for (const bool compressible : {true, false}) {
            const Bytes plain = pattern(65536, 3, compressible);
            const Encoded encoded = encoder.encode(codec, plain);
            CHECK(encoded.codec == (compressible ? codec : Codec::none));
            CHECK(encoded.bytes.size() <= plain.size());
            CHECK(*decode(encoded.codec, encoded.bytes, 65536) == plain);
            if (encoded.codec != Codec::none) {
                CHECK(!decode(encoded.codec, encoded.bytes, 65535));
                CHECK(!decode(encoded.codec, encoded.bytes, 65537));
            }
        }
    }
}

TEST_CASE("entries that follow each other in one piece of memory are those they are alone") {
    Bytes together;
    Bytes apart;
    for (std::uint64_t seed = 0; seed < 3; ++seed) {
        const Bytes plain = pattern(100 + seed, seed, false);
        const auto size = static_cast<std::uint32_t>(plain.size());
        const PackEntry entry{.id = plain_id(plain), .stored_bytes = size, .plain_bytes = size};
        const std::size_t start = together.size();
        append_entry(entry, plain, together);
        const Bytes alone = encode_entry(entry, plain);
        apart.insert(apart.end(), alone.begin(), alone.end());
        const auto opened = open_entry(entry, ByteView(together).subspan(start));
        REQUIRE_MESSAGE(opened, opened.error().to_string());
        CHECK(*opened == plain);
    }
    CHECK(together == apart);
}

TEST_CASE("packs of version 1 have the golden bytes, and the golden ones open") {
    Encoder encoder;
    for (const Codec codec : {Codec::none, Codec::lz4, Codec::zstd}) {
        PackBuilder builder(sample_header());
        const auto all = samples(encoder, codec, builder);
        const Bytes pack = builder.finish();
        const Bytes kept =
            golden("pack-v1-" + std::to_string(static_cast<int>(codec)) + ".bin", pack);
        if (codec == Codec::none) {  // the compressors' own output may change with their versions
            CHECK(kept == pack);
        }
        const auto footer = decode_pack_tail(kept, kept.size());
        REQUIRE(footer);
        CHECK(footer->header == sample_header());
        CHECK(footer->header == *decode_pack_header(ByteView(kept).first(kPackHeaderBytes)));
        CHECK(footer->entries.size() == all.size());
        for (const Sample& sample : all) {
            const PackEntry* entry = footer->find(sample.entry.id);
            REQUIRE(entry != nullptr);
            CHECK(*open_entry(*entry, ByteView(kept).subspan(
                                          entry->offset, kEntryHeaderBytes +
                                                             entry->stored_bytes)) == sample.plain);
        }
        CHECK(footer->find(plain_id(Bytes(3))) == nullptr);
    }
}

TEST_CASE("a changed byte anywhere in a pack is noticed by its entry or its footer") {
    Encoder encoder;
    PackBuilder builder(sample_header());
    (void)samples(encoder, Codec::lz4, builder);
    const Bytes good = builder.finish();
    const auto footer = decode_pack_tail(good, good.size());
    REQUIRE(footer);
    for (std::size_t i = 0; i < good.size(); ++i) {
        Bytes bad = good;
        bad[i] ^= 0x20;
        bool noticed = !decode_pack_tail(bad, bad.size()) ||
                       !decode_pack_header(ByteView(bad).first(kPackHeaderBytes));
        for (const PackEntry& entry : footer->entries) {
            const auto plain = open_entry(
                entry, ByteView(bad).subspan(entry.offset, kEntryHeaderBytes + entry.stored_bytes));
            REQUIRE((!plain || plain_id(*plain) == entry.id));
            noticed = noticed || !plain;
        }
        REQUIRE(noticed);
    }
    for (std::size_t length = 0; length < good.size(); length += 7) {
        REQUIRE(!decode_pack_tail(ByteView(good).first(length), length));
    }
    CHECK(!decode_pack_tail(good, good.size() + 1));
}

TEST_CASE("the largest pack's footer fits into one tail read") {
    PackBuilder builder(sample_header());
    for (std::uint32_t i = 0; i < kMaxPackEntries; ++i) {
        Bytes plain(16);
        put_le(plain.data(), i);
        const PackEntry entry{.id = plain_id(plain), .stored_bytes = 16, .plain_bytes = 16};
        builder.add(entry, encode_entry(entry, plain));
    }
    const Bytes pack = builder.finish();
    REQUIRE(pack.size() > kPackTailBytes);
    const auto footer = decode_pack_tail(ByteView(pack).last(kPackTailBytes), pack.size());
    REQUIRE(footer);
    CHECK(footer->entries == builder.entries());
}

TEST_CASE("nodes of version 1 have the golden bytes and one form only") {
    const Bytes bytes = encode_node(sample_node());
    CHECK(golden("node-v1.bin", bytes) == bytes);
    const ImageGeometry geometry;
    CHECK(decode_node(bytes, 1, geometry)->slots == sample_node().slots);
    CHECK(!decode_node(bytes, 2, geometry));
    CHECK(!decode_node(bytes, 0, geometry));
    CHECK(!decode_node(bytes, 1, {.fan_out = 64}));
    CHECK(!decode_node(ByteView(bytes).first(bytes.size() - 1), 1, geometry));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        for (const std::uint8_t bit : {1, 16, 128}) {
            Bytes bad = bytes;
            bad[i] ^= bit;
            const auto node = decode_node(bad, 1, geometry);
            REQUIRE((!node || encode_node(*node) == bad));
            REQUIRE(plain_id(bad) != plain_id(bytes));
        }
    }
    Bytes zeros = bytes;
    std::fill(zeros.end() - 32, zeros.end(), 0);
    CHECK(!decode_node(zeros, 1, geometry));
}

TEST_CASE("root records of version 1 have the golden bytes; any change is noticed") {
    const Bytes bytes = encode_root(sample_root());
    CHECK(golden("root-v1.bin", bytes) == bytes);
    CHECK(*decode_root(bytes) == sample_root());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        Bytes bad = bytes;
        bad[i] ^= 1;
        REQUIRE(!decode_root(bad));
    }
    // Reserved fields, with a right checksum.
    for (const std::size_t i : {8U, 10U, 32U, 33U, 34U, 88U}) {
        Bytes bad = bytes;
        bad[i] ^= 0x40;
        put_le<std::uint32_t>(&bad[12], 0);
        put_le(&bad[12], crc32c(bad));
        CHECK(!decode_root(bad));
    }
    RootRecord large = sample_root();
    large.size_bytes = large.geometry.capacity_bytes() + 1;
    CHECK(!decode_root(encode_root(large)));
    CHECK(ImageGeometry{}.capacity_bytes() == 128ULL << 40);
}

TEST_CASE("random bytes never crash the parsers of the image tier") {
    std::mt19937_64 random(std::random_device{}());
    for (int round = 0; round < 3000; ++round) {
        Bytes noise(random() % 2000);
        for (std::uint8_t& byte : noise) {
            byte = static_cast<std::uint8_t>(random() % 5);
        }
        CHECK(!decode_pack_tail(noise, noise.size()));
        CHECK(!decode_root(noise));
        (void)decode_node(noise, 0, {});
        (void)decode(Codec::zstd, noise, 4096);
        (void)decode(Codec::lz4, noise, 4096);
    }
}
