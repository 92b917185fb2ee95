// SPDX-License-Identifier: Apache-2.0
// What the tests of a layer in files share: the layer, and how others would find it. Thread model:
// one thread.
#pragma once

#include <doctest/doctest.h>

#include "block/tests/support.h"

namespace kiln::block::testing::local_layers {

inline constexpr std::uint64_t kBytes = 50 * kBlockBytes;

// A layer in `dir`/a, and views of copies of it as a later process, or a later boot, would see it.
struct Setup {
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    std::string files;
    std::unique_ptr<TestStore> store;
    std::shared_ptr<Layer> layer;

    explicit Setup(io::Backend backend = io::Backend::automatic)
        : reactor(backend), files(dir / "a") {
        std::filesystem::create_directory(files);
        store = std::make_unique<TestStore>(reactor, files);
        reopen();
    }
    ~Setup() {
        if (layer) {
            CHECK(sync.close(*layer));
        }
    }
    void reopen() {
        if (layer) {
            CHECK(sync.close(*layer));
            layer.reset();
        }
        auto opened = store->open_active("l-1", kBytes);
        REQUIRE_MESSAGE(opened, opened.error().to_string());
        layer = *opened;
    }
    // What another process finds if this one ends now.
    void as_found(const std::string& boot_id, const std::function<void(TestStore&, Layer&)>& body) {
        copy_files(files, dir / "b");
        TestStore other(reactor, dir / "b", boot_id);
        auto opened = other.open_active("l-1", kBytes, false);
        REQUIRE_MESSAGE(opened, opened.error().to_string());
        body(other, **opened);
        CHECK(sync.close(**opened));
    }
    Error refused(const std::string& boot_id = "boot-1") {
        copy_files(files, dir / "b");
        return refused_in_b(boot_id);
    }
    Error refused_in_b(const std::string& boot_id = "boot-1") {
        TestStore other(reactor, dir / "b", boot_id);
        auto opened = other.open_active("l-1", kBytes, false);
        if (opened) {
            CHECK(sync.close(**opened));
            return Error(Code::internal, "it was opened");
        }
        return opened.error();
    }
};

}  // namespace kiln::block::testing::local_layers
