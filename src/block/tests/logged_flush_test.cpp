// SPDX-License-Identifier: Apache-2.0
// Flushes that put the data in the journal: when they do, what a loss of power leaves of it, and
// what must never be overwritten by it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include "block/tests/support.h"
#include "util/fs.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kBlocks = 64;
constexpr std::uint64_t kBytes = kBlocks * kBlockBytes;

// A layer whose files a first flush has made durable.
struct Setup {
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    std::string files = dir / "a";
    std::unique_ptr<TestStore> store;
    std::shared_ptr<Layer> layer;
    const std::uint64_t first_ring;
    const std::uint64_t max_ring;

    explicit Setup(std::uint64_t first = 64 << 10, std::uint64_t max = 64 << 10)
        : first_ring(first), max_ring(max) {
        std::filesystem::create_directory(files);
        start("boot-1", true);
        REQUIRE(sync.write(*layer, {0, 1}, 1));
        for (std::uint64_t block = 16; block < kBlocks; block += 16) {  // a block in each shard
            REQUIRE(sync.write(*layer, {block, 1}, 1));
        }
        REQUIRE(sync.flush(*layer));
        store->gate.counts.clear();
    }
    ~Setup() {
        if (layer) {
            CHECK(sync.close(*layer));
        }
    }
    void start(const std::string& boot_id, bool create = false) {
        store = std::make_unique<TestStore>(reactor, files, boot_id);
        store->context.geometry.journal_first_bytes = first_ring;
        store->context.geometry.journal_bytes = max_ring;
        auto opened = store->open_active("l-1", kBytes, create);
        REQUIRE_MESSAGE(opened, opened.error().to_string());
        layer = *opened;
    }
    // The files as they are now, with `lost` bytes where the block was, on a host that started
    // anew.
    void lose_power(std::uint64_t block, std::uint8_t lost, const std::string& boot_id = "boot-2") {
        const std::string copy = dir / ("copy-" + boot_id);
        copy_files(files, copy);
        CHECK(sync.close(*layer));
        files = copy;
        put(block, lost);
        start(boot_id);
    }
    void put(std::uint64_t block, std::uint8_t value) const {
        const std::string path = files + "/d-l-1-000" + std::to_string(block / 16) + ".blk";
        const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
        const Bytes bytes(kBlockBytes, value);
        REQUIRE(::pwrite(fd.get(), bytes.data(), bytes.size(),
                         static_cast<off_t>(block % 16 * kBlockBytes)) ==
                static_cast<ssize_t>(bytes.size()));
    }
    int syncs() { return static_cast<int>(store->gate.counts[io::OpKind::sync_data]); }
    // A block that nobody wrote yet, and a flush.
    void flushed_write() {
        next += next % 16 == 15 ? 2 : 1;
        REQUIRE(sync.write(*layer, {next, 1}, value_of(next)));
        REQUIRE(sync.flush(*layer));
    }
    static std::uint8_t value_of(std::uint64_t block) {
        return static_cast<std::uint8_t>(100 + block);
    }
    // Until no checkpoint is under way.
    void settle() {
        REQUIRE(reactor->run_until([&] { return store->gate.in_flight() == 0; }, soon()));
    }
    void check_all() {
        for (std::uint64_t block = 1; block <= next; ++block) {
            CHECK(*sync.read(*layer, block) == (block % 16 == 0 ? 1 : value_of(block)));
        }
    }
    std::uint64_t file_ring() const {
        return std::filesystem::file_size(files + "/d-l-1.jnl") - kJournalHeaderBytes;
    }
    std::uint64_t next = 0;
};

bool writes_superblock(const io::Op& op) {
    return op.kind == io::OpKind::write && op.length == kSuperblockBytes &&
           as_text({op.data, 8}) == "KILNLAYR";
}

bool writes_zeros(const io::Op& op) {
    return op.kind == io::OpKind::write &&
           std::all_of(op.data, op.data + op.length, [](std::uint8_t byte) { return byte == 0; });
}

}  // namespace

TEST_CASE("D2: a flush of little syncs the journal alone, and a loss of power leaves its data") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {1, 1}, 7));
    CHECK(s.sync.write(*s.layer, {16, 1}, 8));  // again
    CHECK(s.sync.flush(*s.layer));
    CHECK(s.syncs() == 1);
    s.lose_power(1, 0xee);
    CHECK(*s.sync.read(*s.layer, 1) == 7);
    CHECK(*s.sync.read(*s.layer, 16) == 8);
    CHECK(*s.sync.read(*s.layer, 0) == 1);
}

TEST_CASE("D2: what the journal has of a block is its last flushed data") {
    Setup s;
    for (std::uint8_t value = 2; value < 6; ++value) {
        CHECK(s.sync.write(*s.layer, {1, 1}, value));
        CHECK(s.sync.flush(*s.layer));
    }
    CHECK(s.syncs() == 4);
    s.lose_power(1, 0xee);
    CHECK(*s.sync.read(*s.layer, 1) == 5);
}

TEST_CASE("D2: the journal's data never takes the place of newer data that was flushed") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {1, 1}, 7));
    CHECK(s.sync.flush(*s.layer));
    SUBCASE("by a flush that is too large for the journal") {
        CHECK(s.sync.write(*s.layer, {1, 15}, 8));
        CHECK(s.sync.write(*s.layer, {17, 10}, 8));
        CHECK(s.sync.flush(*s.layer));
    }
    SUBCASE("by one of overwrites, which has no record of its own") {
        CHECK(s.sync.write(*s.layer, {1, 15}, 2));
        CHECK(s.sync.write(*s.layer, {17, 10}, 2));
        CHECK(s.sync.flush(*s.layer));
        CHECK(s.sync.write(*s.layer, {1, 1}, 3));
        CHECK(s.sync.write(*s.layer, {30, 1}, 3));
        CHECK(s.sync.flush(*s.layer));  // in the journal, for block 30
        CHECK(s.sync.write(*s.layer, {1, 15}, 8));
        CHECK(s.sync.write(*s.layer, {17, 10}, 8));
        CHECK(s.sync.flush(*s.layer));
    }
    SUBCASE("by a process that has nothing but an overwrite") {
        CHECK(s.sync.close(*s.layer));
        s.start("boot-1");
        CHECK(s.sync.write(*s.layer, {1, 1}, 8));
        CHECK(s.sync.flush(*s.layer));
    }
    SUBCASE("by a host that put it in its place and had an overwrite then") {
        s.lose_power(1, 0xee);
        CHECK(*s.sync.read(*s.layer, 1) == 7);
        CHECK(s.sync.write(*s.layer, {1, 1}, 8));
        CHECK(s.sync.flush(*s.layer));
    }
    s.lose_power(5, 0xee, "boot-3");
    CHECK(*s.sync.read(*s.layer, 1) == 8);
}

TEST_CASE("I2: the end of a process leaves what was written behind the flush") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {1, 1}, 7));
    CHECK(s.sync.flush(*s.layer));
    CHECK(s.sync.write(*s.layer, {1, 1}, 8));
    CHECK(s.sync.close(*s.layer));
    s.start("boot-1");
    CHECK(*s.sync.read(*s.layer, 1) == 8);
}

TEST_CASE("D2: a block that was discarded since stays so") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {1, 1}, 7));
    CHECK(s.sync.flush(*s.layer));
    CHECK(s.sync.zero(*s.layer, {1, 1}));
    CHECK(s.sync.write(*s.layer, {2, 1}, 9));
    CHECK(s.sync.flush(*s.layer));
    s.lose_power(2, 0xee);
    CHECK(state_of(*s.layer, 1) == BlockState::zero);
    CHECK(*s.sync.read(*s.layer, 2) == 9);
}

TEST_CASE("a file that may not be there after a loss of power has its data synced in its place") {
    TempDir dir;
    TestReactor reactor;
    Sync sync{reactor};
    TestStore store(reactor, dir.path());
    store.context.geometry.journal_first_bytes = store.context.geometry.journal_bytes;
    const auto layer = store.open_active("l-1", kBytes);
    REQUIRE(layer);
    CHECK(sync.write(**layer, {0, 1}, 1));
    CHECK(sync.flush(**layer));
    store.gate.counts.clear();
    CHECK(sync.write(**layer, {20, 1}, 1));  // the second file
    CHECK(sync.flush(**layer));
    CHECK(store.gate.counts[io::OpKind::sync_data] == 2);
    CHECK(sync.write(**layer, {21, 1}, 1));
    CHECK(sync.flush(**layer));
    CHECK(store.gate.counts[io::OpKind::sync_data] == 3);
    CHECK(sync.close(**layer));
}

TEST_CASE("a sealed layer has all its data in its place") {
    Setup s;
    CHECK(s.sync.write(*s.layer, {1, 1}, 7));
    CHECK(s.sync.flush(*s.layer));
    CHECK(s.syncs() == 1);
    s.store->gate.counts.clear();
    CHECK(s.sync.seal(*s.layer));
    CHECK(s.syncs() >= 2);
    CHECK(s.sync.close(*s.layer));
    s.layer = *s.store->open_sealed("l-1", kBytes);
    CHECK(*s.sync.read(*s.layer, 1) == 7);
}

TEST_CASE("a write that fails is not put in the journal") {
    Setup s;
    s.store->gate.fail = [](const io::Op& op) {
        return op.kind == io::OpKind::write && op.length == kBlockBytes;
    };
    s.store->gate.fail_code = Code::out_of_space;
    CHECK_FALSE(s.sync.write(*s.layer, {1, 1}, 7));
    s.store->gate.fail = nullptr;
    CHECK(s.sync.write(*s.layer, {2, 1}, 7));
    s.store->gate.counts.clear();
    CHECK(s.sync.flush(*s.layer));
    CHECK(s.syncs() == 2);
}

TEST_CASE("a ring that flushes filled with data grows at once, and they go on in it") {
    Setup s(16 << 10);
    s.flushed_write();
    CHECK(s.syncs() == 1);
    s.flushed_write();  // no room
    s.settle();
    CHECK(s.file_ring() == 64 << 10);
    s.store->gate.counts.clear();
    for (int i = 0; i < 6; ++i) {
        s.flushed_write();
    }
    CHECK(s.syncs() == 6);
    s.lose_power(s.next, 0xee);
    s.check_all();
}

TEST_CASE("what a ring grows by is written with zeros and synced before it is in force") {
    Setup s(16 << 10);
    std::string order;
    s.store->gate.fail = [&](const io::Op& op) {
        if (op.kind == io::OpKind::allocate) {
            order = "a";
        } else if (!order.empty() && order.back() != 'F') {
            order += writes_zeros(op)                   ? "z"
                     : op.kind == io::OpKind::sync_data ? "s"
                     : writes_superblock(op)            ? "F"
                                                        : "?";
        }
        return false;
    };
    s.flushed_write();
    s.flushed_write();
    s.settle();
    CHECK(order == "azszszsF");  // 48 KiB in three pieces
    const auto journal = read_file(s.files + "/d-l-1.jnl");
    REQUIRE(journal);
    CHECK(journal->size() == kJournalHeaderBytes + (64 << 10));
    s.store->gate.fail = nullptr;
}

TEST_CASE("a device that is full while the ring is written larger leaves it as it is") {
    Setup s(16 << 10);
    int zeros = 0;
    s.store->gate.fail = [&](const io::Op& op) { return writes_zeros(op) && ++zeros > 1; };
    s.store->gate.fail_code = Code::out_of_space;
    for (int i = 0; i < 12; ++i) {
        s.flushed_write();
        s.settle();
    }
    // Not again for flushes: what changes need is what asks next.
    CHECK(zeros == 2);
    s.check_all();
    s.lose_power(60, 0xee);
    CHECK(s.syncs() > 0);
    s.check_all();
}

TEST_CASE("D2: flushes go to the journal while a checkpoint is written down") {
    Setup s;
    auto& gate = s.store->gate;
    gate.hold = writes_superblock;
    while (gate.held.empty()) {
        REQUIRE(s.next < 30);
        s.flushed_write();
        s.settle();
    }
    const auto syncs = s.syncs();
    for (int i = 0; i < 3; ++i) {
        s.flushed_write();
    }
    CHECK(s.syncs() == syncs + 3);
    std::string boot = "boot-2";
    SUBCASE("that is not in force when power is lost") {
        const std::string copy = s.dir / "before";
        copy_files(s.files, copy);
        gate.release();
        CHECK(s.sync.close(*s.layer));
        s.files = copy;
        s.put(s.next, 0xee);
        s.start("boot-2");
        boot = "boot-3";
    }
    SUBCASE("that is then in force") {
        gate.release();
        s.settle();
    }
    s.check_all();
    s.flushed_write();
    s.lose_power(s.next, 0xee, boot);
    s.check_all();
}

TEST_CASE("flushes leave room for changes while a checkpoint is written down") {
    Setup s;
    auto& gate = s.store->gate;
    gate.hold = writes_superblock;
    for (int i = 0; i < 40; ++i) {
        s.flushed_write();
    }
    CHECK(gate.held.size() == 1);
    for (std::uint64_t block = 41; block < 47; ++block) {  // is answered
        CHECK(s.sync.zero(*s.layer, {block + 10, 1}));
    }
    gate.release();
    s.settle();
    s.lose_power(63, 0xee);
    s.check_all();
}

TEST_CASE("a ring too small for data, that cannot grow, has no checkpoint for each flush") {
    Setup s(16 << 10, 16 << 10);
    int superblocks = 0;
    s.store->gate.fail = [&](const io::Op& op) {
        superblocks += writes_superblock(op) ? 1 : 0;
        return false;
    };
    for (int i = 0; i < 40; ++i) {
        s.flushed_write();
        s.settle();
    }
    CHECK(superblocks <= 2);
    s.store->gate.fail = nullptr;
    s.lose_power(60, 0xee);
    s.check_all();
}

TEST_CASE("a seal that comes with a flush that finds no room takes its own checkpoint alone") {
    Setup s(16 << 10);
    REQUIRE(s.sync.write(*s.layer, {1, 2}, 7));  // little to replay, and too much to log
    bool flushed = false;
    std::optional<bool> sealed;
    s.layer->flush(s.layer->version(), [&](Status status) { flushed = status.has_value(); });
    s.layer->seal({"set-1", "l-next"}, [&](Status status) { sealed = status.has_value(); });
    REQUIRE(s.reactor->run_until([&] { return sealed.has_value(); }, soon()));
    CHECK(flushed);
    CHECK(*sealed);
    s.settle();
    CHECK(s.file_ring() == 16 << 10);
    CHECK(s.sync.close(*s.layer));
    s.layer = *s.store->open_sealed("l-1", kBytes);
    CHECK(*s.sync.read(*s.layer, 2) == 7);
}

TEST_CASE("data that looks like a record of a journal is never taken for one") {
    Setup s;
    Bytes forged;
    JournalPosition at{.position = 0, .seq = 1ULL << 40, .prev_crc = 5};
    append_record(RecordType::ckpt, Bytes(8, 0x7f), at, forged);
    io::Buffer data(kBlockBytes);
    std::copy(forged.begin(), forged.end(), data.mutable_view().begin() + 4000);
    for (std::uint64_t block = 2; block < 48; ++block) {
        REQUIRE(s.reactor.await<void>([&](Done done) {
            s.layer->write({block, 1}, data.view(), std::move(done));
        }));
        REQUIRE(s.sync.flush(*s.layer));
        copy_files(s.files, s.dir / "b");
        TestStore other(s.reactor, s.dir / "b", block % 2 == 0 ? "boot-1" : "boot-2");
        const auto found = other.open_active("l-1", kBytes, false);
        REQUIRE_MESSAGE(found, found.error().to_string());
        CHECK(s.sync.close(**found));
    }
}
