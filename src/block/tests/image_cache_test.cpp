// SPDX-License-Identifier: Apache-2.0
// What stays in the cache of nodes and chunks, and what goes.
#include "block/image/image_cache.h"

#include <doctest/doctest.h>

#include "util/encoding.h"

using namespace kiln;
using namespace kiln::block;

namespace {

constexpr std::size_t kChunk = (64 << 10) - 256;  // with its cost: 64 KiB
constexpr std::size_t kLimit = 4 << 20;           // 64 of them

ChunkKey key(std::uint64_t number) {
    ChunkKey made;
    made.id.bytes[8] = 1;
    for (std::size_t i = 0; i < 8; ++i) {
        made.id.bytes.at(i) = static_cast<std::uint8_t>(number >> 8 * i);
    }
    return made;
}

BytesPtr chunk() {
    static const auto made = std::make_shared<const Bytes>(kChunk, 1);
    return made;
}

struct Reader {
    ImageCache& cache;
    std::uint64_t misses = 0;
    void read(std::uint64_t number) {
        if (cache.find(key(number)) == nullptr) {
            ++misses;
            cache.put(key(number), chunk());
        }
        REQUIRE(cache.bytes() <= kLimit);
    }
    std::uint64_t misses_of(std::uint64_t first, std::uint64_t count) {
        misses = 0;
        for (std::uint64_t i = first; i < first + count; ++i) {
            read(i);
        }
        return misses;
    }
};

}  // namespace

TEST_CASE("what fits stays") {
    ImageCache cache(kLimit);
    Reader reader{cache};
    CHECK(reader.misses_of(0, 64) == 64);
    CHECK(reader.misses_of(0, 64) == 0);
    CHECK(cache.bytes() == kLimit);
}

TEST_CASE("a long scan, also one of many small reads, pushes out nothing that comes back") {
    ImageCache cache(kLimit);
    Reader reader{cache};
    // Read, gone with others, and read again: these are wanted.
    reader.misses_of(0, 40);
    reader.misses_of(1000, 60);
    CHECK(reader.misses_of(0, 40) > 20);
    for (std::uint64_t i = 10'000; i < 20'000; ++i) {
        for (int part = 0; part < 16; ++part) {
            reader.read(i);
        }
    }
    CHECK(reader.misses_of(0, 40) == 0);
    // And when something else is wanted, that comes instead.
    for (int round = 0; round < 4; ++round) {
        reader.misses_of(30'000, 45);
        reader.misses_of(50'000 + static_cast<std::uint64_t>(round) * 100, 30);
    }
    CHECK(reader.misses_of(30'000, 45) == 0);
}

TEST_CASE("what is read ahead has a quarter, and what goes unused is told to its reader") {
    ImageCache cache(kLimit);
    Reader reader{cache};
    reader.misses_of(0, 64);
    const auto mark = std::make_shared<AheadMark>();
    for (std::uint64_t i = 100; i < 116; ++i) {
        cache.put_ahead(key(i), chunk(), mark);
    }
    CHECK(!mark->lost);
    CHECK(cache.bytes() == kLimit);
    CHECK(cache.ahead().bytes == 16 * kChunk);
    // Readers that pass by leave it.
    reader.misses_of(1000, 200);
    CHECK(reader.misses_of(100, 8) == 0);
    CHECK(cache.ahead().used == 8 * kChunk);
    CHECK(reader.misses_of(100, 8) == 0);
    CHECK(cache.ahead().used == 8 * kChunk);  // each once
    // Eight unused, and room for eight more.
    const auto other = std::make_shared<AheadMark>();
    for (std::uint64_t i = 200; i < 208; ++i) {
        cache.put_ahead(key(i), chunk(), other);
    }
    CHECK(!mark->lost);
    CHECK(cache.ahead().wasted == 0);
    cache.put_ahead(key(208), chunk(), other);
    CHECK(mark->lost);
    CHECK(!other->lost);
    CHECK(cache.ahead().wasted == kChunk);
    CHECK(!cache.contains(key(108)));
    CHECK(cache.contains(key(109)));
    cache.count_joined(kChunk);
    CHECK(cache.ahead().bytes == 26 * kChunk);
    CHECK(cache.ahead().used == 9 * kChunk);
}

TEST_CASE("a cache smaller than what it is given keeps nothing and goes on") {
    ImageCache cache(1);
    const auto mark = std::make_shared<AheadMark>();
    cache.put(key(1), chunk());
    cache.put_ahead(key(2), chunk(), mark);
    CHECK(cache.bytes() == 0);
    CHECK(mark->lost);
    CHECK(cache.find(key(1)) == nullptr);
    CHECK(!cache.contains(key(2)));
}
