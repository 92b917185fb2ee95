// SPDX-License-Identifier: Apache-2.0
// What the tests of checkpoints share: a layer whose journal is soon full, and what it must say.
// Thread model: one thread.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "block/tests/support.h"

namespace kiln::block::testing::checkpoints {

inline constexpr std::uint64_t kBlocks =
    300;  // five pages of 64 blocks, three directories of two pages
inline constexpr std::uint64_t kBytes = kBlocks * kBlockBytes;

inline Superblock superblock_in(const std::string& directory, const std::string& layer = "l-1") {
    const UniqueFd fd(::open((directory + "/d-" + layer + ".map").c_str(), O_RDONLY | O_CLOEXEC));
    Bytes bytes(kMapHeaderBytes);
    REQUIRE(::pread(fd.get(), bytes.data(), bytes.size(), 0) ==
            static_cast<ssize_t>(kMapHeaderBytes));
    const auto superblock = choose_superblock(bytes);
    REQUIRE_MESSAGE(superblock, superblock.error().to_string());
    return *superblock;
}

// What a layer must say, kept beside it.
struct Model {
    std::vector<int> value = std::vector<int>(kBlocks, -1);  // -1: absent, 0: zero

    void check(Sync& sync, Layer& layer) const {
        for (std::uint64_t block = 0; block < kBlocks; ++block) {
            const BlockState expected = value[block] < 0    ? BlockState::absent
                                        : value[block] == 0 ? BlockState::zero
                                                            : BlockState::data;
            REQUIRE_MESSAGE(state_of(layer, block) == expected, "block ", block);
            if (expected == BlockState::data && block % 7 == 0) {
                REQUIRE(*sync.read(layer, block) == value[block]);
            }
        }
    }
};

struct Setup {
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    std::string files;
    std::unique_ptr<TestStore> store;
    std::shared_ptr<Layer> layer;
    Model model;
    std::mt19937_64 random{7};

    explicit Setup(std::uint64_t first_ring = 8 << 10) : files(dir / "a") {
        std::filesystem::create_directory(files);
        store = std::make_unique<TestStore>(reactor, files);
        store->context.geometry.directory_pages = 2;
        store->context.geometry.journal_first_bytes = first_ring;
        open();
    }
    ~Setup() {
        if (layer) {
            CHECK(sync.close(*layer));
        }
    }
    void open() {
        auto opened = store->open_active("l-1", kBytes);
        REQUIRE_MESSAGE(opened, opened.error().to_string());
        layer = *opened;
    }
    void close() {
        CHECK(sync.close(*layer));
        layer.reset();
    }
    Status change() {
        const std::uint64_t block = random() % kBlocks;
        const int value = random() % 3 == 0 ? 0 : 1 + static_cast<int>(random() % 200);
        TRY(value == 0 ? sync.zero(*layer, {block, 1})
                       : sync.write(*layer, {block, 1}, static_cast<std::uint8_t>(value)));
        model.value[block] = value;
        return ok();
    }
    void changes(int count) {
        for (int i = 0; i < count; ++i) {
            const Status changed = change();
            REQUIRE_MESSAGE(changed, changed.error().to_string());
        }
    }
    // Until the checkpoint in the background is over.
    void settle() {
        CHECK(reactor->run_until([&] { return store->gate.in_flight() == 0; }, soon()));
    }
    void as_found(const std::string& boot_id, const std::function<void(Layer&)>& body) {
        copy_files(files, dir / "b");
        open_copy(boot_id, body);
    }
    void open_copy(const std::string& boot_id, const std::function<void(Layer&)>& body) {
        TestStore other(reactor, dir / "b", boot_id);
        other.context.geometry = store->context.geometry;
        auto opened = other.open_active("l-1", kBytes, false);
        REQUIRE_MESSAGE(opened, opened.error().to_string());
        body(**opened);
        CHECK(sync.close(**opened));
    }
    Code refused_copy(const std::string& boot_id = "boot-1") {
        TestStore other(reactor, dir / "b", boot_id);
        other.context.geometry = store->context.geometry;
        auto opened = other.open_active("l-1", kBytes, false);
        if (opened) {
            CHECK(sync.close(**opened));
            return Code::internal;
        }
        return opened.error().code();
    }
};

inline bool writes_superblock(const io::Op& op) {
    return op.kind == io::OpKind::write && op.length == kSuperblockBytes &&
           as_text({op.data, 8}) == "KILNLAYR";
}

// A page or table of the map. Guests' blocks are of one byte each here.
inline bool writes_slot(const io::Op& op) {
    return op.kind == io::OpKind::write && op.length == kBlockBytes && !writes_superblock(op) &&
           std::any_of(op.data, op.data + op.length,
                       [&](std::uint8_t byte) { return byte != op.data[0]; });
}

}  // namespace kiln::block::testing::checkpoints
