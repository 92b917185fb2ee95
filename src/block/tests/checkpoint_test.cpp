// SPDX-License-Identifier: Apache-2.0
// Checkpoints of a layer: the journal's room is used again and grows, changes wait for it, a crash
// at any step leaves the old or the new state, damage is found, and opening replays little.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/tests/support.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kBlocks = 300;  // five pages of 64 blocks, three directories of two pages
constexpr std::uint64_t kBytes = kBlocks * kBlockBytes;

void change_byte(const std::string& path, std::uint64_t at) {
    UniqueFd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    std::uint8_t byte = 0;
    REQUIRE(::pread(fd.get(), &byte, 1, static_cast<off_t>(at)) == 1);
    byte ^= 0x55;
    REQUIRE(::pwrite(fd.get(), &byte, 1, static_cast<off_t>(at)) == 1);
}

Superblock superblock_in(const std::string& directory, const std::string& layer = "l-1") {
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

bool writes_superblock(const io::Op& op) {
    return op.kind == io::OpKind::write && op.length == kSuperblockBytes &&
           as_text({op.data, 8}) == "KILNLAYR";
}

// A page or table of the map. Guests' blocks are of one byte each here.
bool writes_slot(const io::Op& op) {
    return op.kind == io::OpKind::write && op.length == kBlockBytes && !writes_superblock(op) &&
           std::any_of(op.data, op.data + op.length,
                       [&](std::uint8_t byte) { return byte != op.data[0]; });
}

}  // namespace

TEST_CASE("D2: the journal's room is used again, many times over, and nothing is lost" *
          doctest::test_suite("slow")) {
    Setup s;
    s.store->context.geometry.journal_bytes = 8 << 10;
    s.close();
    std::filesystem::remove_all(s.files);
    std::filesystem::create_directory(s.files);
    s.open();
    for (int round = 0; round < 6; ++round) {
        s.changes(400);
        s.model.check(s.sync, *s.layer);
        s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
        CHECK(s.sync.flush(*s.layer));
        s.as_found("boot-2", [&](Layer& found) { s.model.check(s.sync, found); });
    }
    CHECK(superblock_in(s.files).head.seq > 1000);
    CHECK(std::filesystem::file_size(s.files + "/d-l-1.jnl") == kJournalHeaderBytes + (8 << 10));
}

TEST_CASE("D2: the ring doubles at checkpoints, from its first size to its largest") {
    Setup s;
    CHECK(superblock_in(s.files).ring_bytes == 8 << 10);
    CHECK(std::filesystem::file_size(s.files + "/d-l-1.jnl") == kJournalHeaderBytes + (8 << 10));
    std::vector<std::uint64_t> sizes;
    for (int i = 0; i < 3000; ++i) {
        s.changes(1);
        const std::uint64_t ring = superblock_in(s.files).ring_bytes;
        if (sizes.empty() || sizes.back() != ring) {
            sizes.push_back(ring);
            s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
        }
    }
    CHECK(sizes == std::vector<std::uint64_t>{8 << 10, 16 << 10, 32 << 10, 64 << 10});
    s.model.check(s.sync, *s.layer);
}

TEST_CASE("changes that find the ring full wait for the checkpoint, in their order") {
    Setup s;
    auto& gate = s.store->gate;
    bool refused = false;
    CHECK(s.sync.write(*s.layer, {100, 1}, 8));
    gate.hold = writes_superblock;
    const io::Buffer data = filled(1, 9);
    std::uint64_t asked = 0;
    std::uint64_t done = 0;
    // Until nothing is answered any more.
    while (asked < 2000) {
        const std::uint64_t block = asked % 2 == 0 ? 5 : 6;
        const auto count = [&](Status status) {
            ++done;
            refused = refused || !status;
        };
        ++asked;
        if (asked % 4 < 2) {
            s.layer->zero({block, 1}, count);
        } else {
            s.layer->write({block, 1}, data.view(), count);
        }
        s.reactor->run_until(
            [&] { return done == asked; },
            Deadline::after(std::chrono::milliseconds(gate.held.empty() ? 5000 : 20)));
        if (done < asked) {
            break;
        }
    }
    REQUIRE(done == asked - 1);
    CHECK(gate.held.size() == 1);
    // Reads and overwrites go on.
    CHECK(s.sync.write(*s.layer, {100, 1}, 9));
    CHECK(*s.sync.read(*s.layer, 100) == 9);
    gate.release();
    CHECK(s.reactor->run_until([&] { return done == asked; }, soon()));
    CHECK(!refused);
    s.settle();
}

TEST_CASE("out_of_space is told only when the device has no room for a checkpoint") {
    Setup s;
    auto& gate = s.store->gate;
    gate.fail = writes_slot;
    gate.fail_code = Code::out_of_space;
    Status status = ok();
    int changes = 0;
    while (status && changes < 3000) {
        status =
            changes % 2 == 0 ? s.sync.zero(*s.layer, {7, 1}) : s.sync.write(*s.layer, {7, 1}, 3);
        ++changes;
    }
    REQUIRE(!status);
    CHECK(status.error().code() == Code::out_of_space);
    CHECK(changes > 100);
    CHECK(superblock_in(s.files).generation == 1);
    gate.fail = nullptr;
    CHECK(s.sync.flush(*s.layer));
    // As soon as there is room again it goes on.
    s.changes(300);
    CHECK(superblock_in(s.files).generation > 1);
    CHECK(s.sync.flush(*s.layer));
    s.model.value[7] = state_of(*s.layer, 7) == BlockState::zero ? 0 : *s.sync.read(*s.layer, 7);
    s.as_found("boot-2", [&](Layer& found) { s.model.check(s.sync, found); });
}

TEST_CASE("a device without room for a larger ring keeps the small one") {
    Setup s;
    s.store->gate.fail = [](const io::Op& op) { return op.kind == io::OpKind::allocate; };
    s.store->gate.fail_code = Code::out_of_space;
    s.changes(1200);
    CHECK(superblock_in(s.files).ring_bytes == 8 << 10);
    s.store->gate.fail = nullptr;
    s.changes(1200);
    CHECK(superblock_in(s.files).ring_bytes > 8 << 10);
    s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
}

TEST_CASE("a failed sync of the map or the superblock ends the layer, and what waits is told") {
    for (const bool pages : {true, false}) {
        Setup s;
        bool writing_map = false;
        s.store->gate.fail = [&](const io::Op& op) {
            writing_map = writing_map || (pages ? writes_slot(op) : writes_superblock(op));
            return writing_map && op.kind == io::OpKind::sync_data;
        };
        Status status = ok();
        for (int i = 0; status && i < 2000; ++i) {
            status = i % 2 == 0 ? s.sync.zero(*s.layer, {0, 1}) : s.sync.zero(*s.layer, {1, 1});
            if (status) {
                status = s.sync.write(*s.layer, {i % 2 == 0 ? 0U : 1U, 1}, 3);
            }
        }
        REQUIRE(!status);
        CHECK(status.error().code() == Code::io_error);
        s.store->gate.fail = nullptr;
        CHECK(s.sync.write(*s.layer, {0, 1}, 3).error().code() == Code::io_error);
        CHECK(s.sync.flush(*s.layer).error().code() == Code::io_error);
    }
}

TEST_CASE("D2: the end of the process at any step of a checkpoint leaves the old or the new state" *
          doctest::test_suite("slow")) {
    // Each operation of the closing checkpoint is held once, with the files as they then are.
    int steps = 0;
    bool more = true;
    for (int at = 0; more; ++at) {
        Setup s;
        s.changes(90);
        s.settle();
        auto& gate = s.store->gate;
        int seen = 0;
        gate.hold = [&](const io::Op& op) {
            const bool changes = op.kind == io::OpKind::write || op.kind == io::OpKind::sync_data ||
                                 op.kind == io::OpKind::allocate;
            return changes && seen++ >= at;
        };
        bool closed = false;
        s.layer->close([&](Status status) { closed = status.has_value(); });
        CHECK(s.reactor->run_until(
            [&] { return closed || (gate.in_flight() == 0 && !gate.held.empty()); }, soon()));
        more = !closed;
        steps += more ? 1 : 0;
        s.as_found("boot-1", [&](Layer& found) {
            s.model.check(s.sync, found);
            CHECK(s.sync.write(found, {0, 1}, 77));
        });
        s.open_copy("boot-1", [&](Layer& found) { CHECK(*s.sync.read(found, 0) == 77); });
        gate.release();
        CHECK(s.reactor->run_until([&] { return closed; }, soon()));
        s.layer.reset();
    }
    CHECK(steps > 8);
}

TEST_CASE("D2: a checkpoint covers only what was written when it began, and its data is synced") {
    Setup s;
    auto& gate = s.store->gate;
    s.changes(20);
    // The superblock waits; what is written meanwhile is not covered, and was never flushed.
    gate.hold = writes_superblock;
    int count = 20;
    Model covered;
    while (gate.held.empty() && count++ < 1000) {
        covered = s.model;
        s.changes(1);
        s.settle();
    }
    REQUIRE(!gate.held.empty());
    gate.release();
    s.settle();
    const Superblock superblock = superblock_in(s.files);
    REQUIRE(superblock.generation == 2);
    // Power is lost: the map and what it covers is there, without any flush of the user's.
    s.as_found("boot-2", [&](Layer& found) {
        int same = 0;
        for (std::uint64_t block = 0; block < kBlocks; ++block) {
            const bool present = state_of(found, block) != BlockState::absent;
            same += present == (covered.value[block] >= 0) ? 1 : 0;
        }
        CHECK(same >= static_cast<int>(kBlocks) - 1);
    });
}

TEST_CASE("what a loss of power dropped stays dropped through the next checkpoint") {
    Setup s;
    s.changes(20);
    CHECK(s.sync.flush(*s.layer));
    const Model durable = s.model;
    s.changes(20);
    copy_files(s.files, s.dir / "b");
    // Overwrites of blocks that were there are not dropped; what was absent or changed kind is.
    const auto check = [&](Layer& found) {
        for (std::uint64_t block = 0; block < kBlocks; ++block) {
            const BlockState state = state_of(found, block);
            const int was = durable.value[block];
            REQUIRE(state == (was < 0    ? BlockState::absent
                              : was == 0 ? BlockState::zero
                                         : BlockState::data));
        }
    };
    s.store->context.geometry.checkpoint_bytes = 128;  // already at the open
    s.open_copy("boot-2", check);
    CHECK(superblock_in(s.dir / "b").boot_id == "boot-2");
    CHECK(superblock_in(s.dir / "b").head.seq > 1);
    s.open_copy("boot-2", check);
    s.open_copy("boot-3", check);
}

TEST_CASE("an open after a close in good order, or of a sealed layer, replays next to nothing") {
    for (const bool seal : {false, true}) {
        Setup s(32 << 10);
        s.changes(400);
        if (seal) {
            CHECK(s.sync.seal(*s.layer));
        }
        s.close();
        const Superblock superblock = superblock_in(s.files);
        CHECK(superblock.head.seq > 250);
        if (!seal) {
            CHECK(superblock.floor_seq >= superblock.head.seq);
            CHECK(superblock.floor_seq - superblock.head.seq < 4);
            s.open();
            s.model.check(s.sync, *s.layer);
            s.changes(50);
            continue;
        }
        // Room that it no longer needs is given back.
        struct stat info {};
        REQUIRE(::stat((s.files + "/d-l-1.jnl").c_str(), &info) == 0);
        CHECK(info.st_blocks * 512 <= 16 << 10);
        TestStore later(s.reactor, s.files, "boot-7");
        later.gate.counts.clear();
        const auto sealed = later.open_sealed("l-1", kBytes);
        REQUIRE_MESSAGE(sealed, sealed.error().to_string());
        s.model.check(s.sync, **sealed);
        CHECK(s.sync.close(**sealed));
    }
}

TEST_CASE("damage to any part of the map that is in force is data loss") {
    Setup s;
    s.changes(300);
    s.close();
    const Superblock superblock = superblock_in(s.files);
    const MapLayout layout(superblock);
    const auto map = read_file(s.files + "/d-l-1.map");
    REQUIRE(map);
    const ByteView bytes = as_bytes(*map);
    const auto slot_at = [&](MapItem item, const MapEntry& entry) {
        return bytes.subspan(layout.offset(item, entry.slot), layout.slot_bytes(item.part));
    };
    const auto damaged = [&](MapItem item, const MapEntry& entry) {
        for (const std::uint64_t at : {0U, 15U, 4095U}) {
            copy_files(s.files, s.dir / "b");
            change_byte(s.dir / "b/d-l-1.map", layout.offset(item, entry.slot) + at);
            CHECK(s.refused_copy() == Code::data_loss);
            CHECK(s.refused_copy("boot-2") == Code::data_loss);
            // The other slot is of no concern.
            copy_files(s.files, s.dir / "b");
            std::filesystem::resize_file(s.dir / "b/d-l-1.map",
                                         layout.offset({MapPart::page, 5}, 0));
            change_byte(s.dir / "b/d-l-1.map", layout.offset(item, 1 - entry.slot) + at);
            s.open_copy("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
        }
    };
    const MapItem root{MapPart::root, 0};
    damaged(root, superblock.root);
    const auto directories = *get_entries(slot_at(root, superblock.root), 3, ~0ULL);
    const MapItem directory{MapPart::directory, 1};
    damaged(directory, directories[1]);
    const auto pages = *get_entries(slot_at(directory, directories[1]), 2, ~0ULL);
    damaged({MapPart::page, 3}, pages[1]);
    copy_files(s.files, s.dir / "b");
    std::filesystem::resize_file(s.dir / "b/d-l-1.map", kMapHeaderBytes);
    CHECK(s.refused_copy() == Code::data_loss);
}

TEST_CASE("without the newest superblock the one before serves, until its journal is overwritten") {
    Setup s;
    s.store->context.geometry.journal_bytes = 8 << 10;
    s.close();
    std::filesystem::remove_all(s.files);
    std::filesystem::create_directory(s.files);
    s.open();
    int changes = 0;
    while (superblock_in(s.files).generation < 2 && changes++ < 1000) {
        s.changes(1);
    }
    s.settle();
    copy_files(s.files, s.dir / "b");
    change_byte(s.dir / "b/d-l-1.map", superblock_offset(2) + 300);
    s.open_copy("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
    // Later the ring holds other records in its place, and they say so on any boot.
    while (superblock_in(s.files).head.position < 3000 && changes++ < 3000) {
        s.changes(1);
    }
    s.changes(60);
    CHECK(s.sync.flush(*s.layer));
    s.settle();
    for (const char* boot : {"boot-1", "boot-2"}) {
        copy_files(s.files, s.dir / "b");
        change_byte(s.dir / "b/d-l-1.map",
                    superblock_offset(superblock_in(s.files).generation) + 300);
        TestStore other(s.reactor, s.dir / "b", boot);
        other.context.geometry = s.store->context.geometry;
        const auto opened = other.open_active("l-1", kBytes, false);
        if (opened) {  // whole all the same
            s.model.check(s.sync, **opened);
            CHECK(s.sync.close(**opened));
        } else {
            CHECK(opened.error().code() == Code::data_loss);
        }
    }
}

TEST_CASE("an open for writing syncs the map that it found, before anything is overwritten") {
    Setup s;
    s.changes(300);
    s.close();
    copy_files(s.files, s.dir / "b");
    TestStore other(s.reactor, s.dir / "b");
    other.context.geometry = s.store->context.geometry;
    const auto opened = other.open_active("l-1", kBytes, false);
    REQUIRE(opened);
    CHECK(other.gate.counts[io::OpKind::sync_data] == 1);
    CHECK(other.gate.counts[io::OpKind::write] == 0);
    CHECK(s.sync.close(**opened));
}

TEST_CASE("a layer from before there were checkpoints gets them") {
    Setup s;
    s.close();
    // As the first program wrote it: no feature bit, a ring that the file is shorter than.
    Superblock old = superblock_in(s.files);
    old.map_pages = false;
    old.directory_pages = 0;
    old.ring_bytes = 0;
    old.floor_seq = 0;
    old.generation = 1;
    Bytes map = encode_superblock(old);
    map.resize(kMapHeaderBytes, 0);
    REQUIRE(write_file_atomic(s.files + "/d-l-1.map", as_text(map)));
    s.open();
    s.changes(100);
    s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
    s.changes(500);
    CHECK(superblock_in(s.files).map_pages);
    CHECK(superblock_in(s.files).directory_pages == 2);
    s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
    s.close();
    s.open();
    s.model.check(s.sync, *s.layer);
}

TEST_CASE("a checkpoint of a 64 TiB layer costs what was touched") {
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    TestStore store(reactor, dir.path());
    store.context.geometry = {};
    store.context.geometry.checkpoint_bytes = 128;
    const auto layer = store.open_active("l-1", kMaxVolumeBytes);
    REQUIRE(layer);
    constexpr std::uint64_t kTouched[] = {0, 1ULL << 20, 1ULL << 32,
                                          kMaxVolumeBytes / kBlockBytes - 1};
    for (const std::uint64_t block : kTouched) {
        CHECK(sync.write(**layer, {block, 1}, 5));
    }
    CHECK(sync.close(**layer));
    CHECK(superblock_in(dir.path()).root.exists());
    struct stat info {};
    REQUIRE(::stat((dir / "d-l-1.map").c_str(), &info) == 0);
    CHECK(info.st_blocks * 512 < 512 << 10);
    store.gate.counts.clear();
    const auto again = store.open_active("l-1", kMaxVolumeBytes, false);
    REQUIRE_MESSAGE(again, again.error().to_string());
    CHECK(store.gate.counts[io::OpKind::read] < 20);
    for (const std::uint64_t block : kTouched) {
        CHECK(*sync.read(**again, block) == 5);
    }
    CHECK(state_of(**again, 2) == BlockState::absent);
    CHECK(sync.close(**again));
}

TEST_CASE("a store that is not durable uses its journals again as well, without a sync") {
    Setup s;
    s.store->context.durable = false;
    s.close();
    s.store->gate.counts.clear();
    s.open();
    s.changes(1500);
    CHECK(superblock_in(s.files).generation > 2);
    CHECK(s.store->gate.counts[io::OpKind::sync_data] == 0);
    s.as_found("boot-1", [&](Layer& found) { s.model.check(s.sync, found); });
    s.store->context.durable = true;
}

TEST_CASE("a layer of version 1 with map pages opens for ever") {
    const std::string golden = KILN_BLOCK_TEST_DATA "/layer-v1-map-pages";
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    if (std::getenv("GOLDEN_ACCEPT") != nullptr) {
        std::filesystem::remove_all(golden);
        std::filesystem::create_directories(golden);
        TestStore writer(reactor, golden);
        writer.context.geometry.checkpoint_bytes = 128;
        writer.context.geometry.directory_pages = 2;
        const auto layer = writer.open_active("l-golden", kBytes);
        REQUIRE(layer);
        CHECK(sync.write(**layer, {1, 2}, 'a'));
        CHECK(sync.zero(**layer, {2, 5}));
        CHECK(sync.write(**layer, {290, 10}, 'c'));
        CHECK(sync.write(**layer, {4, 1}, 'b'));
        CHECK(sync.seal(**layer));
        CHECK(sync.close(**layer));
    }
    CHECK(superblock_in(golden, "l-golden").root.exists());
    copy_files(golden, dir / "copy");
    TestStore store(reactor, dir / "copy");
    const auto layer = store.open_sealed("l-golden", kBytes);
    REQUIRE_MESSAGE(layer, layer.error().to_string());
    CHECK(*sync.read(**layer, 1) == 'a');
    CHECK(state_of(**layer, 2) == BlockState::zero);
    CHECK(*sync.read(**layer, 4) == 'b');
    CHECK((*layer)->presence(5, 50).count == 2);
    CHECK(state_of(**layer, 7) == BlockState::absent);
    CHECK(*sync.read(**layer, 299) == 'c');
    CHECK(sync.close(**layer));
}
