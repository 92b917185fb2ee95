// SPDX-License-Identifier: Apache-2.0
// vhost_load: requests of 4 KiB to a vhost-user-blk device, as a guest's driver makes them, one
// queue, notifications as the event indexes say. Prints how many were answered in a second.
//
//     vhost_load SOCKET fill BYTES                        every block once, 32 in flight
//     vhost_load SOCKET read|write BYTES DEPTH SECONDS    anywhere in the first BYTES
//
// It works with any back end that knows marks of requests in flight. Anything unexpected ends it
// with status 1 and a line on stderr. Thread model: one thread.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <chrono>
#include <cstdio>
#include <random>

#include "block/tests/vhost_front_end.h"
#include "util/strings.h"

namespace {

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

constexpr std::uint16_t kRingSize = 128;
constexpr unsigned kMaxDepth = kRingSize / 3;  // header, data and status each take a descriptor
constexpr std::uint16_t kNext = 1;             // flags of a descriptor
constexpr std::uint16_t kWritable = 2;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "vhost_load: %s\n", what);
    std::exit(1);
}

// One queue with a slot for each request in flight.
class Queue {
  public:
    Queue(FrontEnd& front, TestMemory& memory)
        : memory_(memory),
          kick_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          call_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        front.send(MessageType::get_inflight_fd, FrontEnd::place(0, 1, kRingSize));
        const Bytes place = front.reply(MessageType::get_inflight_fd, &marks_);
        CHECK(front.tell(MessageType::set_inflight_fd,
                         FrontEnd::place(get_le<std::uint64_t>(place.data()), 1, kRingSize),
                         {marks_.get()}));
        Bytes address;
        ByteWriter(address)
            .le<std::uint32_t>(0)
            .le<std::uint32_t>(0)
            .le(memory.user(kDescriptors))
            .le(memory.user(kUsed))
            .le(memory.user(kAvailable))
            .le<std::uint64_t>(0);
        CHECK(front.tell(MessageType::set_vring_num, FrontEnd::state(0, kRingSize)));
        CHECK(front.tell(MessageType::set_vring_base, FrontEnd::state(0, 0)));
        CHECK(front.tell(MessageType::set_vring_addr, address));
        CHECK(front.tell(MessageType::set_vring_call, FrontEnd::number(0), {call_.get()}));
        CHECK(front.tell(MessageType::set_vring_kick, FrontEnd::number(0), {kick_.get()}));
        CHECK(front.tell(MessageType::set_vring_enable, FrontEnd::state(0, 1)));
    }

    void put(unsigned slot, BlkCommand command, std::uint64_t block) {
        std::uint8_t* const header = at(kHeaders + 32 * slot);
        put_le(header, static_cast<std::uint32_t>(command));
        put_le<std::uint32_t>(header + 4, 0);
        put_le(header + 8, block * (kBlockBytes / 512));
        header[16] = 0xff;
        const std::uint16_t direction = command == BlkCommand::read ? kWritable : 0;
        const auto first = static_cast<std::uint16_t>(3 * slot);
        descriptor(first, kHeaders + 32 * slot, 16, kNext);
        descriptor(first + 1, kData + kBlockBytes * slot, kBlockBytes, kNext | direction);
        descriptor(first + 2, kHeaders + 32 * slot + 16, 1, kWritable);
        put_le(at(kAvailable + 4 + 2U * (next_ % kRingSize)), first);
        vhost::store_shared(at(kAvailable + 2), ++next_);
    }

    // Tells the back end of what was put since the last call, if it wants to know.
    void notify() {
        std::atomic_thread_fence(std::memory_order_seq_cst);
        const auto wanted = vhost::load_shared<std::uint16_t>(at(kUsed + 4 + 8U * kRingSize));
        if (static_cast<std::uint16_t>(next_ - wanted - 1) <
            static_cast<std::uint16_t>(next_ - told_)) {
            REQUIRE(::eventfd_write(kick_.get(), 1) == 0);
        }
        told_ = next_;
    }

    // Calls `answered(slot)` for at least one request.
    template <class Answered>
    void wait(const Answered& answered) {
        while (seen_ == vhost::load_shared<std::uint16_t>(at(kUsed + 2))) {
            vhost::store_shared(at(kAvailable + 4 + 2U * kRingSize), seen_);
            std::atomic_thread_fence(std::memory_order_seq_cst);
            if (seen_ == vhost::load_shared<std::uint16_t>(at(kUsed + 2))) {
                pollfd ready{call_.get(), POLLIN, 0};
                REQUIRE(::poll(&ready, 1, 20000) == 1);
                eventfd_t count = 0;
                ::eventfd_read(call_.get(), &count);
            }
        }
        while (seen_ != vhost::load_shared<std::uint16_t>(at(kUsed + 2))) {
            const auto head = get_le<std::uint32_t>(at(kUsed + 4 + 8U * (seen_++ % kRingSize)));
            REQUIRE(head % 3 == 0);
            const unsigned slot = head / 3;
            REQUIRE(*at(kHeaders + 32 * slot + 16) == 0);
            answered(slot);
        }
    }

  private:
    static constexpr std::uint64_t kDescriptors = 0;
    static constexpr std::uint64_t kAvailable = 4096;
    static constexpr std::uint64_t kUsed = 8192;
    static constexpr std::uint64_t kHeaders = 16384;
    static constexpr std::uint64_t kData = 65536;

    std::uint8_t* at(std::uint64_t offset) const { return memory_.start + offset; }
    void descriptor(unsigned index, std::uint64_t offset, std::uint32_t bytes, unsigned flags) {
        TestRing::put_descriptor(at(kDescriptors + 16U * index), TestMemory::guest(offset), bytes,
                                 static_cast<std::uint16_t>(flags),
                                 static_cast<std::uint16_t>(index + 1));
    }

    TestMemory& memory_;
    UniqueFd kick_;
    UniqueFd call_;
    UniqueFd marks_;
    std::uint16_t next_ = 0;
    std::uint16_t told_ = 0;
    std::uint16_t seen_ = 0;
};

struct Load {
    BlkCommand command = BlkCommand::write;
    bool fill = false;
    std::uint64_t blocks = 0;
    unsigned depth = 32;
    std::chrono::duration<double> seconds{};
};

Load parse(int count, char** words) {
    const std::string_view what = count > 2 ? words[2] : "";
    const auto bytes = count > 3 ? parse_int<std::uint64_t>(words[3]) : std::nullopt;
    Load load{.fill = what == "fill", .blocks = bytes.value_or(0) / kBlockBytes};
    if ((!load.fill && what != "read" && what != "write") || count != (load.fill ? 4 : 6) ||
        load.blocks == 0) {
        fail("usage: vhost_load SOCKET fill BYTES | SOCKET read|write BYTES DEPTH SECONDS");
    }
    if (!load.fill) {
        load.command = what == "read" ? BlkCommand::read : BlkCommand::write;
        load.depth = parse_int<unsigned>(words[4]).value_or(0);
        load.seconds = std::chrono::duration<double>(std::atof(words[5]));
    }
    if (load.depth == 0 || load.depth > kMaxDepth) {
        fail("at most 42 requests in flight");
    }
    return load;
}

// Requests for each second.
double run(Queue& queue, const Load& load) {
    using Clock = std::chrono::steady_clock;
    std::mt19937_64 random(1);
    std::uint64_t given = 0;
    std::uint64_t done = 0;
    const auto begin = Clock::now();
    const auto more = [&] {
        return load.fill ? given < load.blocks : Clock::now() - begin < load.seconds;
    };
    const auto put = [&](unsigned slot) {
        queue.put(slot, load.command, load.fill ? given : random() % load.blocks);
        ++given;
    };
    for (unsigned slot = 0; slot < load.depth && more(); ++slot) {
        put(slot);
    }
    while (done < given) {
        queue.notify();
        queue.wait([&](unsigned slot) {
            ++done;
            if (more()) {
                put(slot);
            }
        });
    }
    return static_cast<double>(done) / std::chrono::duration<double>(Clock::now() - begin).count();
}

}  // namespace

int main(int count, char** words) {
    doctest::Context context;  // for the checks of the front end
    context.setAsDefaultForAssertsOutOfTestCases();
    context.setAssertHandler([](const doctest::AssertData& data) {
        if (data.m_failed) {
            fail(data.m_expr);
        }
    });
    const Load load = parse(count, words);
    TestMemory memory(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    FrontEnd front(words[1]);
    front.negotiate();
    front.share(memory);
    Queue queue(front, memory);
    std::printf("%.1f\n", run(queue, load));
    front.stop_ring(0);
    return 0;
}
