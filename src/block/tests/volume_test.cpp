// SPDX-License-Identifier: Apache-2.0
#include "block/volume.h"

#include <doctest/doctest.h>

#include "block/tests/support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

// Blocking forms.
struct SyncVolume {
    TestReactor& reactor;
    Volume& volume;

    Status write(std::uint64_t offset, ByteView data, bool durable = false) {
        return reactor.await<void>(
            [&](Done done) { volume.write(offset, data, durable, std::move(done)); });
    }
    Result<Bytes> read(std::uint64_t offset, std::size_t length) {
        Bytes into(length, 0xee);
        TRY(reactor.await<void>([&](Done done) { volume.read(offset, into, std::move(done)); }));
        return into;
    }
    Status zero(std::uint64_t offset, std::uint64_t length) {
        return reactor.await<void>(
            [&](Done done) { volume.zero(offset, length, false, std::move(done)); });
    }
    Status flush() {
        return reactor.await<void>([&](Done done) { volume.flush(std::move(done)); });
    }
    Status close() {
        return reactor.await<void>([&](Done done) { volume.close(std::move(done)); });
    }
};

std::shared_ptr<MemoryLayer> memory(TestReactor& reactor, std::uint64_t blocks) {
    return std::make_shared<MemoryLayer>(reactor->scheduler(), blocks * kBlockBytes);
}

}  // namespace

TEST_CASE(
    "the range lock lets overlapping ranges through one by one, in order, and others at once") {
    RangeLock lock;
    std::vector<int> granted;
    const auto take = [&](int name, BlockRange range) {
        lock.acquire(range, [&granted, name] { granted.push_back(name); });
    };
    take(1, {0, 10});
    take(2, {5, 10});   // waits for 1
    take(3, {20, 5});   // passes
    take(4, {12, 10});  // waits for 2 and 3
    take(5, {14, 1});   // overlaps only those that wait, and must not overtake them
    CHECK(granted == std::vector<int>{1, 3});
    lock.release({20, 5});
    CHECK(granted == std::vector<int>{1, 3});
    lock.release({0, 10});
    CHECK(granted == std::vector<int>{1, 3, 2});
    lock.release({5, 10});
    CHECK(granted == std::vector<int>{1, 3, 2, 4});
    lock.release({12, 10});
    CHECK(granted == std::vector<int>{1, 3, 2, 4, 5});
    lock.release({14, 1});
    CHECK(lock.idle());
}

TEST_CASE("each block comes from the first layer that has it, and from none it is zeros") {
    TestReactor reactor;
    Sync sync{reactor};
    const auto bottom = memory(reactor, 8);  // shorter than the volume
    const auto middle = memory(reactor, 10);
    CHECK(sync.write(*bottom, {0, 8}, 1));
    CHECK(sync.write(*middle, {1, 2}, 2));
    CHECK(sync.zero(*middle, {3, 1}));
    const auto active = memory(reactor, 16);
    auto stack = std::make_shared<const Stack>(Stack{active, {middle, bottom}});
    Volume volume(reactor->scheduler(), VolumeId("vol-1"), 16 * kBlockBytes, stack);
    SyncVolume v{reactor, volume};
    CHECK(v.write(2 * kBlockBytes, filled(1, 3).view()));
    const auto bytes = v.read(0, 16 * kBlockBytes);
    REQUIRE(bytes);
    const std::vector<int> expected{1, 2, 3, 0, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0};
    for (std::size_t block = 0; block < 16; ++block) {
        CHECK((*bytes)[block * kBlockBytes] == expected[block]);
        CHECK((*bytes)[block * kBlockBytes + 4095] == expected[block]);
    }
    const auto extents = volume.extents(0, 16 * kBlockBytes, 100);
    REQUIRE(extents.size() == 4);
    CHECK(extents[0].bytes == 3 * kBlockBytes);
    CHECK(extents[1].zero);
    CHECK(extents[2].bytes == 4 * kBlockBytes);
    CHECK(extents[3].bytes == 8 * kBlockBytes);
    CHECK(volume.extents(100, 5 * kBlockBytes, 1).size() == 1);
    CHECK(volume.extents(100, 5 * kBlockBytes, 1)[0].bytes == 3 * kBlockBytes - 100);
    // The layers below never change.
    CHECK(v.zero(0, 16 * kBlockBytes));
    CHECK(*sync.read(*bottom, 0) == 1);
    CHECK(v.close());
}

TEST_CASE("a write to part of a block keeps the rest, which comes from below") {
    TestReactor reactor;
    const auto bottom = memory(reactor, 8);
    CHECK(Sync{reactor}.write(*bottom, {0, 8}, 1));
    const auto active = memory(reactor, 8);
    Volume volume(reactor->scheduler(), VolumeId("vol-1"), 8 * kBlockBytes,
                  std::make_shared<const Stack>(Stack{active, {bottom}}));
    SyncVolume v{reactor, volume};
    CHECK(v.write(4090, Bytes(10, 7)));
    const auto bytes = *v.read(4080, 30);
    for (std::size_t i = 0; i < 30; ++i) {
        CHECK(bytes[i] == (i >= 10 && i < 20 ? 7 : 1));
    }
    CHECK(v.zero(3 * kBlockBytes + 1, 2));
    CHECK(v.read(3 * kBlockBytes, 4).value() == Bytes{1, 0, 0, 1});
    CHECK(v.close());
}

TEST_CASE("what lies beyond the end is refused and changes nothing") {
    TestReactor reactor;
    Volume volume(reactor->scheduler(), VolumeId("vol-1"), 4 * kBlockBytes,
                  std::make_shared<const Stack>(Stack{memory(reactor, 4), {}}));
    SyncVolume v{reactor, volume};
    CHECK(v.write(4 * kBlockBytes - 1, Bytes(2)).error().code() == Code::invalid_argument);
    CHECK(v.read(~0ULL, 2).error().code() == Code::invalid_argument);
    CHECK(v.zero(1, ~0ULL).error().code() == Code::invalid_argument);
    CHECK(volume.extents(0, 4 * kBlockBytes, 10).size() == 1);
    CHECK(v.read(4 * kBlockBytes, 0));
    CHECK(v.close());
}

TEST_CASE("zeroing what reads as zeros leaves no trace") {
    TestReactor reactor;
    const auto active = memory(reactor, kMaxVolumeBytes / kBlockBytes);
    Volume volume(reactor->scheduler(), VolumeId("vol-1"), kMaxVolumeBytes,
                  std::make_shared<const Stack>(Stack{active, {}}));
    SyncVolume v{reactor, volume};
    CHECK(v.zero(0, kMaxVolumeBytes));
    CHECK(active->version() == 0);
    CHECK(v.write(kMaxVolumeBytes / 2, filled(1, 1).view()));
    CHECK(v.zero(0, kMaxVolumeBytes));
    CHECK(active->version() == 2);
    CHECK(state_of(*active, 0) == BlockState::absent);
    CHECK(v.close());
}

TEST_CASE("a trim and a write of one block in flight end as the later one") {
    TempDir dir;
    TestReactor reactor;
    TestStore store(reactor, dir.path());
    const auto layer = store.open_active("l-1", 16 * kBlockBytes);
    REQUIRE(layer);
    Volume volume(reactor->scheduler(), VolumeId("vol-1"), 16 * kBlockBytes,
                  std::make_shared<const Stack>(Stack{*layer, {}}));
    SyncVolume v{reactor, volume};
    CHECK(v.write(0, filled(1, 1).view()));
    const io::Buffer data = filled(1, 2);
    int done = 0;
    store.gate.hold = [](const io::Op& op) { return op.kind == io::OpKind::punch; };
    volume.zero(0, kBlockBytes, false, [&](Status) { ++done; });
    volume.write(0, data.view(), false, [&](Status) { ++done; });
    CHECK(reactor->run_until([&] { return !store.gate.held.empty(); }, soon()));
    CHECK(done == 0);  // the hole punch is late; the write must not come before it
    store.gate.release();
    CHECK(reactor->run_until([&] { return done == 2; }, soon()));
    CHECK((*v.read(0, 1))[0] == 2);
    CHECK(v.close());
}

TEST_CASE("a durable write has been flushed when it completes") {
    TempDir dir;
    TestReactor reactor;
    TestStore store(reactor, dir / "a");
    std::filesystem::create_directory(dir / "a");
    const auto layer = store.open_active("l-1", 16 * kBlockBytes);
    REQUIRE(layer);
    Volume volume(reactor->scheduler(), VolumeId("vol-1"), 16 * kBlockBytes,
                  std::make_shared<const Stack>(Stack{*layer, {}}));
    SyncVolume v{reactor, volume};
    CHECK(v.write(0, filled(1, 1).view(), true));
    CHECK(v.write(kBlockBytes, filled(1, 1).view(), false));
    copy_files(dir / "a", dir / "b");
    TestStore other(reactor, dir / "b", "boot-2");
    const auto found = other.open_active("l-1", 16 * kBlockBytes, false);
    REQUIRE(found);
    CHECK(state_of(**found, 0) == BlockState::data);
    CHECK(state_of(**found, 1) == BlockState::absent);
    CHECK(Sync{reactor}.close(**found));
    CHECK(v.close());
}

TEST_CASE("closing waits for what is in flight") {
    TempDir dir;
    TestReactor reactor;
    TestStore store(reactor, dir.path());
    const auto layer = store.open_active("l-1", 16 * kBlockBytes);
    REQUIRE(layer);
    Volume volume(reactor->scheduler(), VolumeId("vol-1"), 16 * kBlockBytes,
                  std::make_shared<const Stack>(Stack{*layer, {}}));
    const io::Buffer data = filled(1, 2);
    std::vector<int> order;
    store.gate.hold = [](const io::Op& op) { return op.kind == io::OpKind::write; };
    volume.write(0, data.view(), false, [&](Status status) {
        CHECK(status);
        order.push_back(1);
    });
    volume.close([&](Status status) {
        CHECK(status);
        order.push_back(2);
    });
    CHECK(reactor->run_until([&] { return !store.gate.held.empty(); }, soon()));
    CHECK(order.empty());
    store.gate.release();
    CHECK(reactor->run_until([&] { return order.size() == 2; }, soon()));
    CHECK(order == std::vector<int>{1, 2});
}
