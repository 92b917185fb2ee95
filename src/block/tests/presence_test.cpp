// SPDX-License-Identifier: Apache-2.0
#include "block/detail/presence.h"

#include <doctest/doctest.h>

#include "block/tests/support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

TEST_CASE("presence answers like a plain array, over random changes") {
    const auto seed = test_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    for (const std::uint32_t page_blocks : {64U, 256U, 16384U}) {
        const std::uint64_t blocks = 64 * 1024 * 3 + 100;  // with 64: three directories and a bit
        PresenceMap map(blocks, page_blocks);
        std::vector<BlockState> plain(blocks, BlockState::absent);
        for (int round = 0; round < 400; ++round) {
            const std::uint64_t first = random() % blocks;
            const std::uint64_t longest = random() % 3 == 0 ? 5000 : 70;
            const std::uint64_t count = std::min(1 + random() % longest, blocks - first);
            if (random() % 2 == 0) {
                const BlockState state = random() % 2 == 0 ? BlockState::data : BlockState::zero;
                map.set({first, count}, state);
                std::fill_n(plain.begin() + static_cast<std::ptrdiff_t>(first), count, state);
            }
            const BlockRun run = map.run(first, count);
            std::uint64_t expected = 1;
            while (expected < count && plain[first + expected] == plain[first]) {
                ++expected;
            }
            REQUIRE(run.state == plain[first]);
            REQUIRE(run.count == expected);
            bool any = false;
            std::uint64_t outside = 0;
            for (std::uint64_t i = first; i < first + count; ++i) {
                any = any || plain[i] == BlockState::data;
                outside += plain[i] != BlockState::data ? 1 : 0;
            }
            REQUIRE(map.any_data({first, count}) == any);
            std::uint64_t found = 0;
            for (const BlockRange part : map.without({first, count}, BlockState::data)) {
                found += part.count;
            }
            REQUIRE(found == outside);
        }
    }
}

TEST_CASE("a page is the same as runs, as planes, and after both ways through a slot") {
    const auto seed = test_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    constexpr std::uint32_t kBlocks = 1024;  // 16 runs are kept as such
    int planes = 0;
    int runs = 0;
    for (int round = 0; round < 60; ++round) {
        PresencePage page;
        std::vector<BlockState> plain(kBlocks, BlockState::absent);
        const std::uint64_t longest = round % 3 == 0 ? 4 : 200;
        for (int change = 0; change < 40; ++change) {
            const std::uint64_t first = random() % kBlocks;
            const std::uint64_t count = std::min(1 + random() % longest, kBlocks - first);
            const BlockState state = random() % 3 == 0 ? BlockState::zero : BlockState::data;
            page.set(kBlocks, {first, count}, state);
            std::fill_n(plain.begin() + static_cast<std::ptrdiff_t>(first), count, state);
            (page.has_planes() ? planes : runs)++;
            if (change % 7 == 0) {
                Bytes slot(kBlocks / 4);
                page.put(kBlocks, slot);
                PresencePage other;
                REQUIRE(other.load(kBlocks, kBlocks, slot));
                page = std::move(other);
            } else if (change % 5 == 0) {
                page.compact(kBlocks);
            }
            for (std::uint64_t at = 0; at < kBlocks;) {
                const BlockRun run = page.run(kBlocks, at, kBlocks);
                REQUIRE(run.count > 0);
                for (std::uint64_t i = 0; i < run.count; ++i) {
                    REQUIRE(plain[at + i] == run.state);
                }
                at += run.count;
                // A run goes on as far as it can: the next block differs.
                REQUIRE((at >= kBlocks || plain[at] != run.state));
            }
        }
    }
    CHECK(planes > 100);
    CHECK(runs > 100);
}

TEST_CASE("a page takes planes only where many runs are, and gives them back") {
    constexpr std::uint32_t kBlocks = 16384;
    PresencePage page;
    for (std::uint64_t i = 0; i < kBlocks; ++i) {
        page.set(kBlocks, {i, 1}, BlockState::data);
        REQUIRE(!page.has_planes());
    }
    for (std::uint64_t i = 0; i < kBlocks; i += 16) {
        page.set(kBlocks, {i, 1}, BlockState::zero);
    }
    REQUIRE(page.has_planes());
    page.compact(kBlocks);
    CHECK(page.has_planes());
    page.set(kBlocks, {0, kBlocks}, BlockState::zero);
    page.compact(kBlocks);
    CHECK(!page.has_planes());
    CHECK(page.run(kBlocks, 5, kBlocks).count == kBlocks - 5);
}

TEST_CASE("presence beyond the layer is absent, and 64 TiB of nothing is one run") {
    PresenceMap map(kMaxVolumeBytes / kBlockBytes, Geometry{}.page_blocks);
    const std::uint64_t blocks = map.blocks();
    CHECK(map.run(0, blocks).count == blocks);
    CHECK(map.run(0, blocks).state == BlockState::absent);
    CHECK(map.run(blocks + 5, 10).count == 10);
    map.set({blocks - 1, 1}, BlockState::zero);
    CHECK(map.run(0, blocks).count == blocks - 1);
    CHECK(map.run(blocks - 1, 100).count == 1);
    CHECK(map.run(blocks - 1, 100).state == BlockState::zero);
}

TEST_CASE("a frozen page is taken as it was, and what changes meanwhile is for the next freeze") {
    PresenceMap map(300, 64);
    map.set({10, 5}, BlockState::data);
    map.set({70, 1}, BlockState::zero);
    map.freeze();
    CHECK(map.frozen() == std::vector<std::uint64_t>{0, 1});
    map.set({10, 1}, BlockState::zero);
    map.set({200, 1}, BlockState::data);
    PresenceMap other(300, 64);
    for (const std::uint64_t page : map.frozen()) {
        Bytes slot(4096, 0);
        map.take(page, slot);
        REQUIRE(other.load(page, slot));
    }
    CHECK(other.run(10, 10).state == BlockState::data);
    CHECK(other.run(10, 10).count == 5);
    CHECK(other.run(70, 1).state == BlockState::zero);
    CHECK(other.run(200, 1).state == BlockState::absent);
    map.set({71, 1}, BlockState::zero);  // after it was taken
    SUBCASE("written") {
        map.unfreeze(true);
        map.freeze();
        CHECK(map.frozen() == std::vector<std::uint64_t>{0, 1, 3});
    }
    SUBCASE("given up") {
        map.set({270, 1}, BlockState::data);
        map.unfreeze(false);
        map.freeze();
        CHECK(map.frozen() == std::vector<std::uint64_t>{0, 1, 3, 4});
    }
    CHECK(map.run(10, 1).state == BlockState::zero);
    // What was read from a file is no change.
    other.freeze();
    CHECK(other.frozen().empty());
}
