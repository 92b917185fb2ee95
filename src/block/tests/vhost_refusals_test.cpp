// SPDX-License-Identifier: Apache-2.0
// vhost-user-blk: what guests and front ends ask for that cannot be, and what hostile ones do.
#include <doctest/doctest.h>

#include "block/tests/vhost_guest.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

TEST_CASE("requests that cannot be are answered so, and change nothing") {
    Served served;
    Guest guest(served.socket);
    const std::uint64_t at = guest.ring.data(0);
    const auto call = [&](BlkCommand command, std::uint64_t sector,
                          const std::vector<Segment>& parts) {
        return guest.ring.call_now(command, sector, parts);
    };
    guest.fill(at, Bytes(8192, 7));
    constexpr auto kIoError = BlkStatus::io_error;
    CHECK(call(BlkCommand::write, kSectors, {{at, 512, false}}) == kIoError);
    CHECK(call(BlkCommand::write, kSectors - 1, {{at, 1024, false}}) == kIoError);
    CHECK(call(BlkCommand::write, ~0ULL, {{at, 512, false}}) == kIoError);
    CHECK(call(BlkCommand::write, 1ULL << 55, {{at, 512, false}}) == kIoError);
    CHECK(call(BlkCommand::write, 0, {{at, 511, false}}) == kIoError);
    CHECK(call(BlkCommand::write, 0, {{at, 512, true}}) == kIoError);
    CHECK(call(BlkCommand::read, 0, {{at, 512, false}}) == kIoError);
    CHECK(call(BlkCommand::read, 0, {{at, 512, false}, {at + 512, 512, true}}) == kIoError);
    CHECK(call(BlkCommand::read, 0, {}) == kIoError);
    CHECK(call(static_cast<BlkCommand>(2), 0, {{at, 512, true}}) == BlkStatus::unsupported);
    CHECK(call(BlkCommand::get_id, 0, {}) == kIoError);
    guest.fill(at, zero_range(0, 8, 2));
    CHECK(call(BlkCommand::write_zeroes, 0, {{at, 16, false}}) == BlkStatus::unsupported);
    guest.fill(at, zero_range(0, 8, 1));
    CHECK(call(BlkCommand::discard, 0, {{at, 16, false}}) == BlkStatus::unsupported);
    CHECK(call(BlkCommand::write_zeroes, 0, {{at, 15, false}}) == kIoError);
    CHECK(call(BlkCommand::write_zeroes, 0, {{at, 33 * 16, false}}) == kIoError);
    guest.fill(at, zero_range(kSectors - 1, 2, 0));
    CHECK(call(BlkCommand::discard, 0, {{at, 16, false}}) == kIoError);
    guest.fill(at, zero_range(~0ULL, 2, 0));
    CHECK(call(BlkCommand::discard, 0, {{at, 16, false}}) == kIoError);
    CHECK(served.read(0, kDiskBytes) == Bytes(kDiskBytes, 0));
}

TEST_CASE("a read-only disk refuses every change") {
    Served served(io::Backend::automatic, true);
    Guest guest(served.socket);
    const std::uint64_t at = guest.ring.data(0);
    guest.fill(at, zero_range(0, 8, 0));
    for (const BlkCommand command :
         {BlkCommand::write, BlkCommand::discard, BlkCommand::write_zeroes}) {
        CHECK(guest.ring.call_now(command, 0, {{at, 512, false}}) == BlkStatus::io_error);
    }
    CHECK(guest.ring.call_now(BlkCommand::read, 0, {{at, 512, true}}) == BlkStatus::ok);
    CHECK(guest.ring.call_now(BlkCommand::flush, 0, {}) == BlkStatus::ok);
}

TEST_CASE("a ring that makes no sense is broken until it is reset, and nothing else is") {
    struct Case {
        const char* name;
        std::function<void(TestRing&)> spoil;
    };
    const std::uint64_t elsewhere = 0x9000'0000'0000;
    const std::vector<Case> cases{
        {"no such head", [](TestRing& ring) { ring.publish(TestRing::kSize); }},
        {"more entries than room", [](TestRing& ring) { ring.set_available(TestRing::kSize + 1); }},
        {"a loop",
         [](TestRing& ring) {
             ring.descriptor(0, TestMemory::guest(ring.slot(0)), 16, 1, 0);
             ring.publish(0);
         }},
        {"no such next",
         [](TestRing& ring) {
             ring.descriptor(0, TestMemory::guest(ring.slot(0)), 16, 1, TestRing::kSize);
             ring.publish(0);
         }},
        {"outside of the memory",
         [&](TestRing& ring) {
             ring.fill(0, BlkCommand::read, 0, {{ring.data(0), 512, true}});
             ring.descriptor(1, elsewhere, 512, 3, 2);
             ring.publish(0);
         }},
        {"across the end of the memory",
         [](TestRing& ring) {
             ring.fill(0, BlkCommand::read, 0, {{ring.data(0), 512, true}});
             ring.descriptor(1, TestMemory::guest(TestMemory::kBytes - 256), 512, 3, 2);
             ring.publish(0);
         }},
        {"wrapping",
         [](TestRing& ring) {
             ring.fill(0, BlkCommand::read, 0, {{ring.data(0), 512, true}});
             ring.descriptor(1, ~0ULL - 10, 512, 3, 2);
             ring.publish(0);
         }},
        {"readable behind writable",
         [](TestRing& ring) {
             ring.fill(0, BlkCommand::read, 0,
                       {{ring.data(0), 512, true}, {ring.data(0) + 512, 512, false}});
             ring.publish(0);
         }},
        {"no status",
         [](TestRing& ring) {
             ring.descriptor(0, TestMemory::guest(ring.slot(0)), 16, 0, 0);
             ring.publish(0);
         }},
        {"a short header",
         [](TestRing& ring) {
             ring.descriptor(0, TestMemory::guest(ring.slot(0)), 15, 1, 1);
             ring.descriptor(1, TestMemory::guest(ring.slot(0)) + 16, 1, 2, 0);
             ring.publish(0);
         }},
        {"an indirect table that goes on",
         [](TestRing& ring) {
             ring.descriptor(0, TestMemory::guest(ring.slot(0)), 32, 5, 1);
             ring.publish(0);
         }},
        {"half a descriptor in an indirect table",
         [](TestRing& ring) {
             ring.descriptor(0, TestMemory::guest(ring.slot(0)), 24, 4, 0);
             ring.publish(0);
         }},
        {"an indirect table in an indirect table",
         [](TestRing& ring) {
             TestRing::put_descriptor(ring.at(ring.slot(0)), TestMemory::guest(ring.slot(0)), 16, 4,
                                      0);
             ring.descriptor(0, TestMemory::guest(ring.slot(0)), 16, 4, 0);
             ring.publish(0);
         }},
        {"an indirect table elsewhere",
         [&](TestRing& ring) {
             ring.descriptor(0, elsewhere, 16, 4, 0);
             ring.publish(0);
         }},
    };
    Served served;
    Guest guest(served.socket);
    TestRing second(guest.memory, TestMemory::kBytes / 2);
    REQUIRE(guest.front.start_ring(guest.memory, second, 1, 0));
    for (const Case& one : cases) {
        CAPTURE(one.name);
        one.spoil(guest.ring);
        guest.ring.notify();
        REQUIRE(guest.ring.has(guest.ring.error, 20000));
        CHECK(guest.ring.used_index() == 0);
        // Nothing more is taken from it; the other ring goes on.
        guest.ring.submit(3, BlkCommand::flush, 0, {});
        CHECK(second.call_now(BlkCommand::flush, 0, {}) == BlkStatus::ok);
        CHECK(guest.ring.used_index() == 0);
        // The guest's driver resets, and QEMU with it: all rings, and new marks.
        guest.front.stop_ring(0);
        guest.front.stop_ring(1);
        guest.ring.reset();
        second.reset();
        eventfd_t count = 0;
        ::eventfd_read(guest.ring.error.get(), &count);
        guest.marks = guest.front.make_marks(2);
        REQUIRE(guest.front.start_ring(guest.memory, guest.ring, 0, 0));
        REQUIRE(guest.front.start_ring(guest.memory, second, 1, 0));
        CHECK(guest.ring.call_now(BlkCommand::flush, 0, {}) == BlkStatus::ok);
        guest.front.stop_ring(0);
        guest.front.stop_ring(1);
        guest.ring.reset();
        second.reset();
        guest.marks = guest.front.make_marks(2);
        REQUIRE(guest.front.start_ring(guest.memory, guest.ring, 0, 0));
        REQUIRE(guest.front.start_ring(guest.memory, second, 1, 0));
    }
}

TEST_CASE("a descriptor that is made available again while it is in flight breaks the ring") {
    Served served;
    Guest guest(served.socket);
    guest.ring.fill(0, BlkCommand::flush, 0, {});
    guest.ring.publish(0);
    guest.ring.publish(0);
    guest.ring.notify();
    // The first may have been answered before the second was looked at: then both are fine.
    for (int i = 0; i < 2000 && guest.ring.used_index() < 1; ++i) {
        guest.ring.has(guest.ring.call, 10);
    }
    CHECK((guest.ring.has(guest.ring.error, 100) || guest.ring.used_index() == 2));
}

TEST_CASE("what a front end may not say is refused, and nothing is changed by it") {
    Served served;
    {
        Guest guest(served.socket);
        FrontEnd& front = guest.front;
        const TestMemory loose(0);
        CHECK(!front.tell(MessageType::set_mem_table, loose.table(),
                          {loose.file.get(), loose.file.get()}));
        const TestMemory whole;
        UniqueFd small(::memfd_create("small", MFD_CLOEXEC | MFD_ALLOW_SEALING));
        REQUIRE(::ftruncate(small.get(), TestMemory::kBytes - 1) == 0);
        REQUIRE(::fcntl(small.get(), F_ADD_SEALS, F_SEAL_SHRINK) == 0);
        CHECK(!front.tell(MessageType::set_mem_table, whole.table(), {small.get(), small.get()}));
        // The rings at work do not lie in this one.
        CHECK(!front.tell(MessageType::set_mem_table, whole.table(),
                          {whole.file.get(), whole.file.get()}));
        CHECK(!front.tell(MessageType::set_mem_table, whole.table(), {whole.file.get()}));
        for (const int bit : {26, 33, 34}) {
            CHECK(!front.tell(MessageType::set_features, FrontEnd::number(1ULL << bit)));
        }
        CHECK(!front.tell(MessageType::set_features, FrontEnd::number(0)));  // at work
        CHECK(!front.tell(MessageType::set_protocol_features, FrontEnd::number(1ULL << 5)));
        CHECK(!front.tell(MessageType::set_vring_num, FrontEnd::state(0, 32)));  // at work
        CHECK(!front.tell(MessageType::set_vring_num, FrontEnd::state(256, 32)));
        CHECK(!front.tell(MessageType::set_vring_num, FrontEnd::state(1, 0)));
        CHECK(!front.tell(MessageType::set_vring_num, FrontEnd::state(1, 2048)));
        CHECK(!front.tell(MessageType::set_vring_base, FrontEnd::state(1, 65536)));
        CHECK(!front.tell(MessageType::set_vring_enable, FrontEnd::state(1, 2)));
        CHECK(!front.tell(MessageType::set_vring_kick, FrontEnd::number(1), {small.get()}));
        CHECK(!front.tell(MessageType::set_vring_kick, FrontEnd::number(0x101)));
        CHECK(!front.tell(MessageType::set_vring_call, FrontEnd::number(1)));
        CHECK(!front.tell(MessageType::set_inflight_fd, FrontEnd::place(4096, 2, TestRing::kSize),
                          {guest.marks.get()}));  // at work
        CHECK(!front.tell(static_cast<MessageType>(6), FrontEnd::number(0)));
        CHECK(!front.tell(static_cast<MessageType>(1000), {}));
        TestRing second(guest.memory, TestMemory::kBytes / 2);
        for (const std::uint32_t size : {3U, 63U}) {  // no power of two
            CHECK(front.tell(MessageType::set_vring_num, FrontEnd::state(1, size)));
            CHECK(front.tell(MessageType::set_vring_addr,
                             FrontEnd::address(guest.memory, second, 1)));
            CHECK(front.tell(MessageType::set_vring_enable, FrontEnd::state(1, 1)));
            CHECK(
                !front.tell(MessageType::set_vring_kick, FrontEnd::number(1), {second.kick.get()}));
        }
        TestRing beyond(guest.memory, TestMemory::kBytes - 512);
        CHECK(front.tell(MessageType::set_vring_addr, FrontEnd::address(guest.memory, beyond, 1)));
        CHECK(front.tell(MessageType::set_vring_num, FrontEnd::state(1, TestRing::kSize)));
        CHECK(!front.tell(MessageType::set_vring_kick, FrontEnd::number(1), {second.kick.get()}));
        CHECK(guest.ring.call_now(BlkCommand::flush, 0, {}) == BlkStatus::ok);
    }
    const auto cut_off = [&](ByteView bytes, const std::vector<int>& descriptors = {}) {
        FrontEnd front(served.socket);
        front.send_raw(bytes, descriptors);
        return front.closed();
    };
    Bytes message;
    ByteWriter(message).le<std::uint32_t>(1).le<std::uint32_t>(2).le<std::uint32_t>(0);
    CHECK(cut_off(message));  // a version that is not there
    message[4] = 5;
    CHECK(cut_off(message));  // an answer
    message[4] = 1;
    message[11] = 1;
    CHECK(cut_off(message));  // too long
    message[11] = 0;
    message[0] = 6;
    CHECK(cut_off(message));  // not offered, and no answer is wanted
    message[0] = 1;
    UniqueFd event(::eventfd(0, EFD_CLOEXEC));
    CHECK(cut_off(message, {event.get()}));
    CHECK(cut_off(message, std::vector<int>(20, event.get())));
    {
        FrontEnd front(served.socket);
        front.send(MessageType::get_inflight_fd, FrontEnd::place(0, 1, 2048));
        CHECK(front.closed());
    }
    for (const std::size_t bytes : {1U, 11U}) {
        FrontEnd front(served.socket);
        front.send_raw(ByteView(message).first(bytes));  // and goes
    }
    FrontEnd front(served.socket);
    CHECK(front.ask_number(MessageType::get_queue_num) == 256);
}
