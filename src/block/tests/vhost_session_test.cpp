// SPDX-License-Identifier: Apache-2.0
// vhost-user-blk over a real socket and shared memory, for every backend.
#include <doctest/doctest.h>

#include <set>
#include <thread>

#include "block/tests/vhost_guest.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

Bytes pattern(std::size_t size, std::uint32_t seed) {
    std::mt19937 random(seed);
    Bytes bytes(size);
    for (std::uint8_t& byte : bytes) {
        byte = static_cast<std::uint8_t>(random());
    }
    return bytes;
}

}  // namespace

TEST_CASE("a front end learns what the disk is and its guest reads the disk's name") {
    for (const bool read_only : {false, true}) {
        Served served(io::Backend::automatic, read_only);
        FrontEnd front(served.socket);
        const auto features = front.ask_number(MessageType::get_features);
        CHECK(((features & vhost::kBlkReadOnly) != 0) == read_only);
        CHECK((features & vhost::kFeatureVersion1) != 0);
        CHECK((features & (1ULL << 26)) == 0);  // no log of changes
        CHECK(front.ask_number(MessageType::get_protocol_features) ==
              (FrontEnd::kProtocol | vhost::kProtocolQueues));
        CHECK(front.ask_number(MessageType::get_queue_num) == 256);
        Bytes range;
        ByteWriter(range).le<std::uint32_t>(0).le<std::uint32_t>(60).le<std::uint32_t>(0).zeros(60);
        const Bytes config = front.ask(MessageType::get_config, range);
        REQUIRE(config.size() == 72);
        CHECK(get_le<std::uint64_t>(&config[12]) == kSectors);
        CHECK(get_le<std::uint32_t>(&config[12 + 12]) == 126);
        CHECK(get_le<std::uint32_t>(&config[12 + 20]) == 512);
        CHECK(config[12 + 24] == 3);
        CHECK(get_le<std::uint32_t>(&config[12 + 40]) == 32);
        CHECK(get_le<std::uint32_t>(&config[12 + 44]) == 8);
        front.disconnect();

        Guest guest(served.socket);
        const std::uint64_t at = guest.ring.data(0);
        CHECK(guest.ring.call_now(BlkCommand::get_id, 0, {{at, 20, true}}) == BlkStatus::ok);
        CHECK(as_text(guest.bytes(at, 20)) == "vol0123456789abcdef0");
    }
}

TEST_CASE(
    "what a guest writes is on the volume, in pieces of every kind, with and without events") {
    for (const io::Backend backend : backends()) {
        for (const std::uint64_t without :
             {std::uint64_t{0}, vhost::kFeatureEventIndex, vhost::kBlkFlush}) {
            Served served(backend);
            Guest guest(served.socket, without);
            const std::uint64_t at = guest.ring.data(0);
            const Bytes data = pattern(32768, 1);
            guest.fill(at, data);
            // Whole pages; many pieces, in a table; pieces that are no blocks, unaligned.
            CHECK(guest.ring.call_now(BlkCommand::write, 0, {{at, 8192, false}}) == BlkStatus::ok);
            CHECK(guest.ring.call_now(BlkCommand::write, 16,
                                      {{at + 8192, 4096, false},
                                       {at + 16384, 512, false},
                                       {at + 20000, 1000, false},
                                       {at + 24000, 2584, false}}) == BlkStatus::ok);
            CHECK(guest.ring.call_now(BlkCommand::write, 33, {{at + 100, 1024, false}}) ==
                  BlkStatus::ok);
            CHECK(guest.ring.call_now(BlkCommand::flush, 0, {}) == BlkStatus::ok);
            Bytes expected = served.read(0, 20480);
            CHECK(std::equal(data.begin(), data.begin() + 12288, expected.begin()));
            CHECK(std::equal(data.begin() + 16384, data.begin() + 16896, expected.begin() + 12288));
            CHECK(std::equal(data.begin() + 20000, data.begin() + 21000, expected.begin() + 12800));
            CHECK(std::equal(data.begin() + 24000, data.begin() + 26584, expected.begin() + 13800));
            CHECK(std::equal(data.begin() + 100, data.begin() + 1124, expected.begin() + 16896));

            const std::uint64_t out = at + 32768;
            CHECK(guest.ring.call_now(BlkCommand::read, 0, {{out, 20480, true}}) == BlkStatus::ok);
            CHECK(guest.bytes(out, 20480) == expected);
            guest.fill(out, Bytes(20480, 0));
            CHECK(guest.ring.call_now(
                      BlkCommand::read, 1,
                      {{out + 3, 100, true}, {out + 5000, 924, true}, {out + 8192, 4096, true}}) ==
                  BlkStatus::ok);
            CHECK(guest.bytes(out + 3, 100) ==
                  Bytes(expected.begin() + 512, expected.begin() + 612));
            CHECK(guest.bytes(out + 5000, 924) ==
                  Bytes(expected.begin() + 612, expected.begin() + 1536));
            CHECK(guest.bytes(out + 8192, 4096) ==
                  Bytes(expected.begin() + 1536, expected.begin() + 5632));

            Bytes ranges = zero_range(1, 3, 0);
            const Bytes more = zero_range(16, 16, 1);
            ranges.insert(ranges.end(), more.begin(), more.end());
            guest.fill(at, ranges);
            CHECK(guest.ring.call_now(BlkCommand::discard, 0, {{at, 16, false}}) == BlkStatus::ok);
            CHECK(guest.ring.call_now(BlkCommand::write_zeroes, 0, {{at, 32, false}}) ==
                  BlkStatus::ok);
            std::fill_n(expected.begin() + 512, 1536, std::uint8_t{0});
            std::fill_n(expected.begin() + 8192, 8192, std::uint8_t{0});
            CHECK(served.read(0, 20480) == expected);
        }
    }
}

TEST_CASE("two rings full of requests are all answered, again and again") {
    for (const io::Backend backend : backends()) {
        Served served(backend);
        Guest guest(served.socket);
        TestRing second(guest.memory, TestMemory::kBytes / 2);
        REQUIRE(guest.front.start_ring(guest.memory, second, 1, 0));
        for (std::uint32_t round = 0; round < 50; ++round) {
            for (std::uint16_t slot = 0; slot < TestRing::kSlots; ++slot) {
                int half = 0;
                for (TestRing* ring : {&guest.ring, &second}) {
                    const auto block = static_cast<std::uint64_t>(slot + TestRing::kSlots * half++);
                    guest.fill(ring->data(slot),
                               Bytes(kBlockBytes, static_cast<std::uint8_t>(block + round)));
                    ring->submit(slot, BlkCommand::write, block * 8,
                                 {{ring->data(slot), kBlockBytes, false}});
                }
            }
            for (TestRing* ring : {&guest.ring, &second}) {
                std::set<std::uint16_t> answered;
                for (std::uint16_t slot = 0; slot < TestRing::kSlots; ++slot) {
                    const auto answer = ring->answer();
                    CHECK(answer.status == 0);
                    answered.insert(answer.slot);
                }
                CHECK(answered.size() == TestRing::kSlots);
            }
        }
        for (std::uint64_t block = 0; block < 2 * TestRing::kSlots; ++block) {
            CHECK(served.read(block * kBlockBytes, kBlockBytes) ==
                  Bytes(kBlockBytes, static_cast<std::uint8_t>(block + 49)));
        }
    }
}

TEST_CASE("a ring that is stopped has answered all it took, and goes on from there") {
    for (const io::Backend backend : backends()) {
        Served served(backend);
        Guest guest(served.socket);
        std::uint16_t base = 0;
        for (int round = 0; round < 20; ++round) {
            for (std::uint16_t slot = 0; slot < 8; ++slot) {
                guest.ring.submit(slot, BlkCommand::write, slot * 8,
                                  {{guest.ring.data(slot), kBlockBytes, false}});
            }
            base = static_cast<std::uint16_t>(guest.front.stop_ring(0));
            CHECK(guest.ring.used_index() == base);
            REQUIRE(guest.front.start_ring(guest.memory, guest.ring, 0, base));
            for (int i = 0; i < 8; ++i) {
                CHECK(guest.ring.answer().status == 0);
            }
        }
    }
}

TEST_CASE("memory may be shared anew while requests are under way") {
    for (const io::Backend backend : backends()) {
        Served served(backend);
        Guest guest(served.socket);
        for (int round = 0; round < 30; ++round) {
            for (std::uint16_t slot = 0; slot < 8; ++slot) {
                guest.fill(guest.ring.data(slot),
                           Bytes(kBlockBytes, static_cast<std::uint8_t>(round + slot)));
                guest.ring.submit(slot, BlkCommand::write, slot * 8U,
                                  {{guest.ring.data(slot), kBlockBytes, false}});
            }
            guest.front.share(guest.memory);
            for (int i = 0; i < 8; ++i) {
                CHECK(guest.ring.answer().status == 0);
            }
        }
        CHECK(served.read(7 * kBlockBytes, kBlockBytes) == Bytes(kBlockBytes, 36));
    }
}

TEST_CASE("a disk has one front end: the next one waits until the first has gone") {
    Served served;
    auto first = std::make_unique<Guest>(served.socket);
    CHECK(first->ring.call_now(BlkCommand::flush, 0, {}) == BlkStatus::ok);
    FrontEnd second(served.socket);
    second.send(MessageType::get_queue_num, {});
    CHECK(first->ring.call_now(BlkCommand::flush, 0, {}) == BlkStatus::ok);
    first.reset();
    CHECK(get_le<std::uint64_t>(second.reply(MessageType::get_queue_num).data()) == 256);
}

TEST_CASE("an export that ends answers what it took, says so, and disconnects") {
    for (const io::Backend backend : backends()) {
        Served served(backend);
        Guest guest(served.socket);
        for (std::uint16_t slot = 0; slot < TestRing::kSlots; ++slot) {
            guest.fill(guest.ring.data(slot), Bytes(kBlockBytes, 9));
            guest.ring.submit(slot, BlkCommand::write, slot * 8U,
                              {{guest.ring.data(slot), kBlockBytes, false}});
        }
        const std::uint16_t before = guest.ring.used_index();
        CHECK(served.engine->unexport_volume(kVolume, served.socket, soon()));
        CHECK(guest.front.closed());
        CHECK(!std::filesystem::exists(served.socket));
        const std::uint16_t answered = guest.ring.used_index();
        CHECK(answered >= before);
        // The next connection takes the rest.
        REQUIRE(served.engine->export_vhost_user(kVolume, served.socket, "disk", false, soon()));
        FrontEnd again(served.socket);
        again.negotiate();
        again.share(guest.memory);
        again.give_marks(guest.marks, 2);
        REQUIRE(again.start_ring(guest.memory, guest.ring, 0, answered));
        for (std::uint16_t slot = 0; slot < TestRing::kSlots; ++slot) {
            CHECK(guest.ring.answer().status == 0);
        }
        for (std::uint16_t slot = 0; slot < TestRing::kSlots; ++slot) {
            CHECK(served.read(slot * kBlockBytes, kBlockBytes) == Bytes(kBlockBytes, 9));
        }
        CHECK(served.engine->close_volume(kVolume, soon()));
        CHECK(again.closed());
    }
}

TEST_CASE("a guest obeys its volume's limits; a flush does not wait, nor the end of its ring") {
    for (const io::Backend backend : backends()) {
        Served served(backend);
        VolumeLimits limits;
        limits.operations.rate = 1;
        REQUIRE(served.engine->limit_volume(kVolume, limits, soon()));
        Guest guest(served.socket);
        constexpr std::uint16_t kReads = 12;  // seconds
        for (std::uint16_t number = 0; number < kReads; ++number) {
            guest.ring.submit(number, BlkCommand::read, 0, {{guest.ring.data(number), 4096, true}});
        }
        guest.ring.submit(kReads, BlkCommand::flush, 0, {});
        int reads = 0;
        while (guest.ring.answer().slot != kReads) {
            ++reads;
        }
        CHECK(reads < kReads);
        CHECK(guest.front.stop_ring(0) == kReads + 1);
        CHECK(guest.ring.used_index() == kReads + 1);  // what waited has been let go
        guest.front.disconnect();
        // One that goes while its requests wait holds nobody up.
        Guest other(served.socket);
        for (std::uint16_t number = 0; number < kReads; ++number) {
            other.ring.submit(number, BlkCommand::read, 0, {{other.ring.data(number), 4096, true}});
        }
        other.front.disconnect();
        CHECK(served.engine->close_volume(kVolume, soon()));
    }
}
