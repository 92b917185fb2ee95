// SPDX-License-Identifier: Apache-2.0
// What the tests of check sums share: a sealed layer, and bytes of files that change. Thread model:
// one thread.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include "block/detail/data_crc_maker.h"
#include "block/detail/data_crcs.h"
#include "block/tests/support.h"
#include "util/fs.h"

namespace kiln::block::testing {

inline constexpr std::uint64_t kPage = kDataCrcPageBlocks;
inline constexpr std::uint64_t kBlocks = 3 * kPage + 5;
inline constexpr std::uint64_t kBytes = kBlocks * kBlockBytes;

// A sealed layer with data on both sides of the border of two pages, and in the last block.
struct Sealed {
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    TestStore store{reactor, dir / "a"};
    std::string files = dir / "a";

    explicit Sealed(const std::string& id = "l-1") {
        std::filesystem::create_directory(files);
        store.gate.skip_syncs = true;
        seal(id);
    }
    void seal(const std::string& id) {
        const auto layer = store.open_active(id, kBytes);
        REQUIRE_MESSAGE(layer, layer.error().to_string());
        CHECK(sync.write(**layer, {kPage - 2, 4}, 'a'));
        CHECK(sync.write(**layer, {10, 1}, 'b'));
        CHECK(sync.zero(**layer, {kPage, 1}));
        CHECK(sync.write(**layer, {kBlocks - 1, 1}, 'c'));
        CHECK(sync.seal(**layer));
        CHECK(sync.close(**layer));
    }
    Status make(const std::string& id = "l-1", bool cancel = false) {
        auto layer = store.open_sealed(id, kBytes);
        if (!layer) {
            return layer.error();
        }
        const Status made = reactor.await<void>([&](Done done) {
            const auto maker =
                DataCrcMaker::start(store.context, LayerId(id), *layer, std::move(done));
            if (cancel) {
                maker->cancel();
            }
        });
        CHECK(sync.close(**layer));
        return made;
    }
    // What a later process reads from a block.
    Result<int> read(std::uint64_t block, const std::string& id = "l-1") {
        TRY_ASSIGN(const auto layer, store.open_sealed(id, kBytes));
        auto value = sync.read(*layer, block);
        CHECK(sync.close(*layer));
        return value;
    }
    std::string path(const std::string& ending) const { return files + "/d-l-1" + ending; }
    Superblock superblock() const {
        const auto map = read_file(path(".map"));
        REQUIRE(map);
        return *choose_superblock(as_bytes(*map).first(kMapHeaderBytes));
    }
    void check_whole() {
        CHECK(*read(10) == 'b');
        CHECK(*read(kPage - 1) == 'a');
        CHECK(*read(kPage + 1) == 'a');
        CHECK(*read(kBlocks - 1) == 'c');
    }
    // In small shards.
    std::pair<std::string, std::uint64_t> place_of(std::uint64_t block) const {
        const std::uint64_t at = block * kBlockBytes;
        std::string number = std::to_string(at / kSmall.shard_bytes);
        number.insert(0, 4 - std::min<std::size_t>(4, number.size()), '0');
        return {path("-" + number + ".blk"), at % kSmall.shard_bytes};
    }
    void flip(std::uint64_t block, std::uint64_t byte) {
        const auto [file, at] = place_of(block);
        flip_byte(file, at + byte);
    }
};

}  // namespace kiln::block::testing
