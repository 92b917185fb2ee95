// SPDX-License-Identifier: Apache-2.0
// Requests in flight of a device that was killed: found by its successor, begun again in their
// order, answered once. And those that wait for space.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>

#include <set>

#include "block/tests/vhost_guest.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kBlocks = 64;

struct Marked {
    TestMemory memory;
    TestRing ring{memory, 0};
    std::shared_ptr<const vhost::GuestMemory> guest;
    Bytes area = Bytes(vhost::InflightArea::bytes_for(1, TestRing::kSize), 0);
    vhost::InflightArea marks{area, 1, TestRing::kSize};

    Marked() {
        guest = std::make_shared<vhost::GuestMemory>(std::vector<vhost::GuestMemory::Region>{
            {TestMemory::kLowGuest, memory.user(0), {memory.start, TestMemory::kBytes / 2}}});
    }
    vhost::SplitRing split() {
        auto made = vhost::SplitRing::map(guest,
                                          {.descriptors = memory.user(ring.descriptors()),
                                           .used = memory.user(ring.used()),
                                           .available = memory.user(ring.available())},
                                          TestRing::kSize, false);
        REQUIRE(made);
        return *std::move(made);
    }
    std::vector<std::uint16_t> recovered() {
        auto queue = marks.queue(0);
        const auto split_ring = split();
        return queue.recover(split_ring).heads;
    }
};

// A process that serves the volume until it is killed.
pid_t serve(const EngineOptions& options, const std::string& socket) {
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        TestContents contents;
        const auto clock = io::make_system_clock();
        const auto rng = io::make_system_rng();
        auto engine = Engine::create(options, make_memory_tier(), contents, *clock, *rng);
        if (!engine ||
            !(*engine)->open_volume(
                {kVolume, kBlocks * kBlockBytes, ContentId(), LayerId("l-1"), true}, soon()) ||
            !(*engine)->export_vhost_user(kVolume, socket, "disk", false, soon()) ||
            ::write(ready[1], "x", 1) != 1) {
            ::_exit(1);
        }
        ::pause();
        ::_exit(2);
    }
    ::close(ready[1]);
    char byte = 0;
    REQUIRE(::read(ready[0], &byte, 1) == 1);
    ::close(ready[0]);
    return child;
}

}  // namespace

TEST_CASE("marks are found in the order in which requests were taken, whatever their numbers") {
    Marked m;
    auto queue = m.marks.queue(0);
    auto split = m.split();
    CHECK(!queue.recover(split).used_before);
    for (const std::uint16_t head : {7, 3, 60, 1, 20}) {
        queue.begin(head);
    }
    // 3 and 20 are answered.
    std::uint16_t used = 0;
    for (const std::uint16_t head : {3, 20}) {
        split.put_used(used, head, 1);
        queue.prepare_end(head);
        split.set_used(++used);
        queue.end(head, used);
    }
    CHECK(m.recovered() == std::vector<std::uint16_t>{7, 60, 1});
    auto successor = m.marks.queue(0);
    CHECK(successor.recover(split).used_before);
    successor.begin(3);  // counts on
    CHECK(m.recovered() == std::vector<std::uint16_t>{7, 60, 1, 3});
}

TEST_CASE("wherever a device is killed while it answers, the request is answered or in flight") {
    for (int steps = 0; steps <= 4; ++steps) {
        CAPTURE(steps);
        Marked m;
        auto queue = m.marks.queue(0);
        auto split = m.split();
        queue.recover(split);
        queue.begin(5);
        queue.begin(9);
        split.put_used(0, 5, 1);
        if (steps > 0) {
            queue.prepare_end(5);
        }
        if (steps > 1) {
            split.set_used(1);
        }
        if (steps > 2) {
            queue.end(5, 1);
        }
        CHECK(m.recovered() ==
              (steps > 1 ? std::vector<std::uint16_t>{9} : std::vector<std::uint16_t>{5, 9}));
        CHECK(m.recovered().size() == (steps > 1 ? 1 : 2));  // it may be killed again at once
    }
}

TEST_CASE("marks that a peer made up do no harm") {
    Marked m;
    auto split = m.split();
    auto queue = m.marks.queue(0);
    queue.recover(split);
    std::fill(m.area.begin(), m.area.end(), 0xff);
    put_le<std::uint16_t>(&m.area[8], 1);  // the version
    CHECK(m.recovered().size() <= TestRing::kSize);
    CHECK(!vhost::InflightArea::create(0, 64));
    CHECK(!vhost::InflightArea::create(257, 64));
    CHECK(!vhost::InflightArea::create(1, 2048));
    const auto made = vhost::InflightArea::create(2, 64);
    REQUIRE(made);
    auto place = made->place;
    CHECK(vhost::InflightArea::map(place, made->file.get()));
    place.queues = 3;
    CHECK(!vhost::InflightArea::map(place, made->file.get()));
    place.queues = 2;
    place.bytes += 1;  // more than the file has
    CHECK(!vhost::InflightArea::map(place, made->file.get()));
}

TEST_CASE("a successor begins what was in flight in the order of the marks, then what is new") {
    for (const io::Backend backend : backends()) {
        TestEngine engine(backend);
        REQUIRE(engine.open("vol-1", kBlocks * kBlockBytes));
        const std::string socket = engine.dir / "s";
        REQUIRE(engine->export_vhost_user(kVolume, socket, "disk", false, soon()));
        TestMemory memory;
        TestRing ring(memory, 0);
        // A device took slots 2, 0 and 1, answered 0 and was killed; 3 is new.
        const auto marks = vhost::InflightArea::create(1, TestRing::kSize);
        REQUIRE(marks);
        const auto area = vhost::InflightArea::map(marks->place, marks->file.get());
        REQUIRE(area);
        {
            auto guest =
                std::make_shared<vhost::GuestMemory>(std::vector<vhost::GuestMemory::Region>{
                    {TestMemory::kLowGuest, memory.user(0), {memory.start, 1U << 20}}});
            auto split = vhost::SplitRing::map(guest,
                                               {.descriptors = memory.user(ring.descriptors()),
                                                .used = memory.user(ring.used()),
                                                .available = memory.user(ring.available())},
                                               TestRing::kSize, false);
            REQUIRE(split);
            auto queue = (*area)->queue(0);
            queue.recover(*split);
            for (const std::uint16_t slot : {2, 0, 1, 3}) {
                ring.fill(slot, BlkCommand::get_id, 0, {{ring.data(slot), 20, true}});
                ring.publish(static_cast<std::uint16_t>(slot * TestRing::kPerSlot));
                if (slot != 3) {
                    queue.begin(static_cast<std::uint16_t>(slot * TestRing::kPerSlot));
                }
            }
            split->put_used(0, 0, 1);
            queue.prepare_end(0);
            split->set_used(1);  // and here it ended
        }
        FrontEnd front(socket);
        front.negotiate();
        front.share(memory);
        front.give_marks(marks->file, 1);
        REQUIRE(front.start_ring(memory, ring, 0, 1));
        CHECK(ring.answer().slot == 0);
        for (const std::uint16_t slot : {2, 1, 3}) {
            const auto answer = ring.answer();
            CHECK(answer.slot == slot);
            CHECK(answer.status == 0);
            CHECK(answer.written == 21);
        }
        CHECK(ring.used_index() == 4);
    }
}

TEST_CASE("kill -9 of a device under load: each request is answered once, and its data is there") {
    TempDir dir;
    EngineOptions options;
    options.directory = dir / "layers";
    options.store_uuid = "store";
    options.geometry = kSmall;
    const std::string socket = dir / "s";
    TestMemory memory;
    TestRing ring(memory, 0);
    UniqueFd marks;
    const auto seed = test_seed();
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    std::vector<std::uint32_t> acknowledged(kBlocks, 0);
    std::map<std::uint16_t, std::pair<std::uint64_t, std::uint32_t>> in_flight;  // block, value
    std::set<std::uint64_t> busy;
    std::uint32_t value = 0;
    const auto submit = [&](std::uint16_t slot) {
        std::uint64_t block = random() % kBlocks;
        while (busy.contains(block)) {
            block = random() % kBlocks;
        }
        for (std::size_t i = 0; i < kBlockBytes; i += 4) {
            put_le(ring.at(ring.data(slot)) + i, value + 1);
        }
        in_flight[slot] = {block, ++value};
        busy.insert(block);
        ring.submit(slot, BlkCommand::write, block * 8, {{ring.data(slot), kBlockBytes, false}});
    };
    const auto take = [&] {
        const auto answer = ring.answer();
        REQUIRE(answer.status == 0);
        REQUIRE(in_flight.contains(answer.slot));
        const auto [block, written] = in_flight.at(answer.slot);
        acknowledged[block] = written;
        busy.erase(block);
        in_flight.erase(answer.slot);
        return answer.slot;
    };
    for (int round = 0; round < 10; ++round) {
        const pid_t child = serve(options, socket);
        FrontEnd front(socket);
        front.negotiate();
        front.share(memory);
        if (marks) {
            front.give_marks(marks, 1);
        } else {
            marks = front.make_marks(1);
        }
        REQUIRE(front.start_ring(memory, ring, 0, ring.used_index()));
        for (std::uint16_t slot = 0; slot < TestRing::kSlots; ++slot) {
            if (!in_flight.contains(slot)) {
                submit(slot);
            }
        }
        const auto answers = 20 + random() % 300;
        for (std::uint64_t i = 0; i < answers; ++i) {
            submit(take());
        }
        REQUIRE(::kill(child, SIGKILL) == 0);
        REQUIRE(::waitpid(child, nullptr, 0) == child);
    }
    const pid_t child = serve(options, socket);
    FrontEnd front(socket);
    front.negotiate();
    front.share(memory);
    front.give_marks(marks, 1);
    REQUIRE(front.start_ring(memory, ring, 0, ring.used_index()));
    while (!in_flight.empty()) {
        take();
    }
    for (std::uint64_t block = 0; block < kBlocks; ++block) {
        ring.submit(0, BlkCommand::read, block * 8, {{ring.data(0), kBlockBytes, true}});
        REQUIRE(ring.answer().status == 0);
        CHECK(get_le<std::uint32_t>(ring.at(ring.data(0))) == acknowledged[block]);
        CHECK(get_le<std::uint32_t>(ring.at(ring.data(0)) + 4092) == acknowledged[block]);
    }
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
}

TEST_CASE("a write that finds the store full waits, and is in flight for whoever comes next") {
    for (const bool reset : {false, true}) {
        Space space{.available = 0, .total = 1 << 30};
        SpaceReserve reserve{[&]() -> Result<Space> { return space; }, {10, 0}};
        REQUIRE(reserve.measure());
        TestEngine engine;
        engine.options.space = &reserve;
        engine.restart();
        REQUIRE(engine.open("vol-1", kBlocks * kBlockBytes));
        const std::string socket = engine.dir / "s";
        REQUIRE(engine->export_vhost_user(kVolume, socket, "disk", false, soon()));
        TestMemory memory;
        TestRing ring(memory, 0);
        UniqueFd marks;
        auto front = std::make_unique<FrontEnd>(socket);
        front->negotiate();
        front->share(memory);
        marks = front->make_marks(1);
        REQUIRE(front->start_ring(memory, ring, 0, 0));
        std::fill_n(ring.at(ring.data(0)), kBlockBytes, std::uint8_t{6});
        ring.submit(0, BlkCommand::write, 0, {{ring.data(0), kBlockBytes, false}});
        ring.submit(1, BlkCommand::flush, 0, {});
        CHECK(ring.answer().slot == 1);  // the write waits, the flush does not
        CHECK(ring.used_index() == 1);
        if (reset) {
            // A stop does not wait for it either: it is in flight for the next start.
            CHECK(front->stop_ring(0) == 2);
            CHECK(ring.used_index() == 1);
            REQUIRE(front->start_ring(memory, ring, 0, 2));
        }
        space.available = 1 << 30;
        REQUIRE(reserve.measure());
        const auto answer = ring.answer();
        CHECK(answer.slot == 0);
        CHECK(answer.status == 0);
        const auto read = engine->read(kVolume, 0, kBlockBytes, soon());
        REQUIRE(read);
        CHECK(*read == Bytes(kBlockBytes, 6));
        CHECK(engine->close_volume(kVolume, soon()));
    }
}
