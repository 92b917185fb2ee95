// SPDX-License-Identifier: Apache-2.0
// A small blocking vhost-user front end with a guest's memory and drivers of its rings, for tests
// of the protocol. It does what QEMU does: among others, after its back end was killed it goes on
// at the used index and gives the marks of requests in flight back. Thread model: one owner thread.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <map>

#include "block/export/blk_request.h"
#include "block/export/inflight.h"
#include "block/tests/support.h"
#include "util/fs.h"

namespace kiln::block::testing {

using vhost::BlkCommand;
using vhost::BlkStatus;
using vhost::MessageType;

// A guest's memory in one sealed file, of which the first half lies at kLowGuest and the second
// somewhere else.
class TestMemory {
  public:
    static constexpr std::uint64_t kBytes = 8U << 20;
    static constexpr std::uint64_t kLowGuest = 0x1000;
    static constexpr std::uint64_t kHighGuest = 0x100000000;

    explicit TestMemory(unsigned seals = F_SEAL_SHRINK)
        : file(::memfd_create("guest", MFD_CLOEXEC | MFD_ALLOW_SEALING)) {
        REQUIRE(::ftruncate(file.get(), kBytes) == 0);
        REQUIRE(::fcntl(file.get(), F_ADD_SEALS, seals) == 0);
        start = static_cast<std::uint8_t*>(
            ::mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file.get(), 0));
        REQUIRE(start != MAP_FAILED);
    }
    ~TestMemory() { ::munmap(start, kBytes); }
    TestMemory(const TestMemory&) = delete;

    std::uint64_t user(std::uint64_t offset) const {
        return reinterpret_cast<std::uint64_t>(start) + offset;
    }
    static std::uint64_t guest(std::uint64_t offset) {
        return offset < kBytes / 2 ? kLowGuest + offset : kHighGuest + offset - kBytes / 2;
    }
    Bytes table() const {
        Bytes out;
        ByteWriter(out).le<std::uint32_t>(2).le<std::uint32_t>(0);
        for (const std::uint64_t offset : {std::uint64_t{0}, kBytes / 2}) {
            ByteWriter(out).le(guest(offset)).le(kBytes / 2).le(user(offset)).le(offset);
        }
        return out;
    }

    UniqueFd file;
    std::uint8_t* start = nullptr;
};

struct Segment {
    std::uint64_t offset = 0;  // in the memory
    std::uint32_t bytes = 0;
    bool writable = false;
};

// The driver's side of one ring. Each request has a slot of 64 KiB in the memory, whose first page
// holds header and status; its head is the descriptor of the same number times kPerSlot.
class TestRing {
  public:
    static constexpr std::uint16_t kSize = 64;
    static constexpr std::uint16_t kPerSlot = 4;
    static constexpr std::uint16_t kSlots = kSize / kPerSlot;
    static constexpr std::uint64_t kSlotBytes = 64U << 10;

    TestRing(TestMemory& memory, std::uint64_t base)
        : memory_(memory),
          base_(base),
          kick(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          call(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
          error(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}
    std::uint64_t descriptors() const { return base_; }
    std::uint64_t available() const { return base_ + 16 * kSize; }
    std::uint64_t used() const { return base_ + 16 * kSize + 256; }
    std::uint64_t slot(std::uint16_t number) const { return base_ + (number + 1) * kSlotBytes; }
    std::uint64_t data(std::uint16_t number) const { return slot(number) + 4096; }
    std::uint16_t used_index() const { return get_le<std::uint16_t>(at(used() + 2)); }

    void descriptor(std::uint16_t index, std::uint64_t address, std::uint32_t bytes,
                    std::uint16_t flags, std::uint16_t next) {
        put_descriptor(at(descriptors() + 16U * index), address, bytes, flags, next);
    }
    static void put_descriptor(std::uint8_t* to, std::uint64_t address, std::uint32_t bytes,
                               std::uint16_t flags, std::uint16_t next) {
        put_le(to, address);
        put_le(to + 8, bytes);
        put_le(to + 12, flags);
        put_le(to + 14, next);
    }
    // Header, data, status; a table of their own when they are too many for the slot.
    void fill(std::uint16_t number, BlkCommand command, std::uint64_t sector,
              const std::vector<Segment>& parts) {
        std::uint8_t* head = at(slot(number));
        put_le(head, static_cast<std::uint32_t>(command));
        put_le<std::uint32_t>(head + 4, 0);
        put_le(head + 8, sector);
        head[16] = 0xff;
        std::vector<Segment> chain{{slot(number), 16, false}};
        chain.insert(chain.end(), parts.begin(), parts.end());
        chain.push_back({slot(number) + 16, 1, true});
        const bool indirect = chain.size() > kPerSlot;
        const auto first = static_cast<std::uint16_t>(indirect ? 0 : number * kPerSlot);
        const std::uint64_t table = slot(number) + 64;
        for (std::uint16_t i = 0; i < chain.size(); ++i) {
            const auto flags = static_cast<std::uint16_t>((i + 1U < chain.size() ? 1 : 0) |
                                                          (chain[i].writable ? 2 : 0));
            put_descriptor(at(indirect ? table + 16U * i : descriptors() + 16U * (first + i)),
                           TestMemory::guest(chain[i].offset), chain[i].bytes, flags,
                           static_cast<std::uint16_t>(first + i + 1));
        }
        if (indirect) {
            descriptor(static_cast<std::uint16_t>(number * kPerSlot), TestMemory::guest(table),
                       static_cast<std::uint32_t>(16 * chain.size()), 4, 0);
        }
    }
    void publish(std::uint16_t head) {
        put_le(at(available() + 4 + 2U * (next_ % kSize)), head);
        vhost::store_shared(at(available() + 2), ++next_);
    }
    void set_available(std::uint16_t position) {
        next_ = position;
        vhost::store_shared(at(available() + 2), position);
    }
    void notify() { REQUIRE(::eventfd_write(kick.get(), 1) == 0); }
    void submit(std::uint16_t number, BlkCommand command, std::uint64_t sector,
                const std::vector<Segment>& parts) {
        fill(number, command, sector, parts);
        publish(static_cast<std::uint16_t>(number * kPerSlot));
        notify();
    }
    // The next entry of the used ring: its slot. Waits for the notification, as a driver does.
    struct Answer {
        std::uint16_t slot = 0;
        std::uint32_t written = 0;
        int status = -1;
    };
    Answer answer() {
        while (vhost::load_shared<std::uint16_t>(at(used() + 2)) == seen_) {
            // For event_idx: the next one is wanted. Then look again, before sleeping.
            vhost::store_shared(at(available() + 4 + 2U * kSize), seen_);
            std::atomic_thread_fence(std::memory_order_seq_cst);
            if (vhost::load_shared<std::uint16_t>(at(used() + 2)) != seen_) {
                break;
            }
            pollfd ready{call.get(), POLLIN, 0};
            REQUIRE(::poll(&ready, 1, 20000) == 1);
            eventfd_t count = 0;
            ::eventfd_read(call.get(), &count);
        }
        const std::uint8_t* entry = at(used() + 4 + 8U * (seen_++ % kSize));
        const auto head = get_le<std::uint32_t>(entry);
        REQUIRE(head % kPerSlot == 0);
        const auto number = static_cast<std::uint16_t>(head / kPerSlot);
        return {number, get_le<std::uint32_t>(entry + 4), *at(slot(number) + 16)};
    }
    BlkStatus call_now(BlkCommand command, std::uint64_t sector,
                       const std::vector<Segment>& parts) {
        submit(0, command, sector, parts);
        const Answer got = answer();
        REQUIRE(got.slot == 0);
        return static_cast<BlkStatus>(got.status);
    }
    // Forgets everything, as a driver that resets its device.
    void reset() {
        std::fill_n(at(base_), kSlotBytes, std::uint8_t{0});
        next_ = seen_ = 0;
    }
    bool has(const UniqueFd& event, int wait_ms) {
        pollfd ready{event.get(), POLLIN, 0};
        return ::poll(&ready, 1, wait_ms) == 1;
    }
    std::uint8_t* at(std::uint64_t offset) const { return memory_.start + offset; }

  private:
    TestMemory& memory_;
    const std::uint64_t base_;
    std::uint16_t next_ = 0;
    std::uint16_t seen_ = 0;

  public:
    UniqueFd kick;
    UniqueFd call;
    UniqueFd error;
};

class FrontEnd {
  public:
    static constexpr std::uint32_t kNeedReply = 8;
    static constexpr std::uint64_t kProtocol =
        vhost::kProtocolReplyAck | vhost::kProtocolConfig | vhost::kProtocolInflight;

    explicit FrontEnd(const std::string& path)
        : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, path.c_str(), path.size());
        REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
        const timeval limit{.tv_sec = 20, .tv_usec = 0};  // a hang becomes a failure
        ::setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    }

    void send_raw(ByteView bytes, const std::vector<int>& descriptors = {}) {
        iovec part{const_cast<std::uint8_t*>(bytes.data()), bytes.size()};
        std::vector<char> space(CMSG_SPACE(descriptors.size() * sizeof(int)));
        msghdr message{};
        message.msg_iov = &part;
        message.msg_iovlen = 1;
        if (!descriptors.empty()) {
            message.msg_control = space.data();
            message.msg_controllen = space.size();
            cmsghdr* control = CMSG_FIRSTHDR(&message);
            control->cmsg_level = SOL_SOCKET;
            control->cmsg_type = SCM_RIGHTS;
            control->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
            std::memcpy(CMSG_DATA(control), descriptors.data(), descriptors.size() * sizeof(int));
        }
        REQUIRE(::sendmsg(fd_.get(), &message, MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size()));
    }
    void send(MessageType type, ByteView payload, const std::vector<int>& descriptors = {},
              std::uint32_t flags = 1) {
        Bytes out;
        ByteWriter(out)
            .le(static_cast<std::uint32_t>(type))
            .le(flags)
            .le(static_cast<std::uint32_t>(payload.size()))
            .bytes(payload);
        send_raw(out, descriptors);
    }
    // The payload of the answer.
    Bytes reply(MessageType type, UniqueFd* descriptor = nullptr) {
        Bytes head = receive(vhost::kHeaderBytes, descriptor);
        CHECK(get_le<std::uint32_t>(head.data()) == static_cast<std::uint32_t>(type));
        CHECK(get_le<std::uint32_t>(&head[4]) == 5);
        return receive(get_le<std::uint32_t>(&head[8]), nullptr);
    }
    Bytes ask(MessageType type, ByteView payload = {}) {
        send(type, payload);
        return reply(type);
    }
    std::uint64_t ask_number(MessageType type) {
        const Bytes answer = ask(type);
        REQUIRE(answer.size() == 8);
        return get_le<std::uint64_t>(answer.data());
    }
    // Whether the device did it.
    bool tell(MessageType type, ByteView payload, const std::vector<int>& descriptors = {}) {
        send(type, payload, descriptors, 1 | kNeedReply);
        const Bytes answer = reply(type);
        REQUIRE(answer.size() == 8);
        return get_le<std::uint64_t>(answer.data()) == 0;
    }
    bool closed() {
        std::uint8_t byte;
        ssize_t n = -1;
        do {
            n = ::recv(fd_.get(), &byte, 1, 0);
        } while (n < 0 && errno == EINTR);
        return n == 0 || (n < 0 && errno == ECONNRESET);
    }
    void disconnect() { fd_.reset(); }

    static Bytes number(std::uint64_t value) {
        Bytes out;
        ByteWriter(out).le(value);
        return out;
    }
    static Bytes state(std::uint32_t index, std::uint32_t value) {
        Bytes out;
        ByteWriter(out).le(index).le(value);
        return out;
    }
    static Bytes place(std::uint64_t bytes, std::uint16_t queues, std::uint16_t size) {
        Bytes out;
        ByteWriter(out).le(bytes).le<std::uint64_t>(0).le(queues).le(size).le<std::uint32_t>(0);
        return out;
    }
    static Bytes address(const TestMemory& memory, const TestRing& ring, std::uint32_t index) {
        Bytes out;
        ByteWriter(out)
            .le(index)
            .le<std::uint32_t>(0)
            .le(memory.user(ring.descriptors()))
            .le(memory.user(ring.used()))
            .le(memory.user(ring.available()))
            .le<std::uint64_t>(0);
        return out;
    }

    void negotiate(std::uint64_t without = 0) {
        const auto offered = ask_number(MessageType::get_features);
        ask_number(MessageType::get_protocol_features);
        send(MessageType::set_protocol_features, number(kProtocol));
        send(MessageType::set_owner, {});
        CHECK(tell(MessageType::set_features, number(offered & ~without)));
    }
    void share(const TestMemory& memory) {
        CHECK(tell(MessageType::set_mem_table, memory.table(),
                   {memory.file.get(), memory.file.get()}));
    }
    // Memory for marks, from the device, given back to it.
    UniqueFd make_marks(std::uint16_t queues, std::uint64_t* bytes = nullptr) {
        UniqueFd file;
        send(MessageType::get_inflight_fd, place(0, queues, TestRing::kSize));
        const Bytes answer = reply(MessageType::get_inflight_fd, &file);
        REQUIRE(answer.size() == 24);
        REQUIRE(file);
        if (bytes != nullptr) {
            *bytes = get_le<std::uint64_t>(answer.data());
        }
        give_marks(file, queues);
        return file;
    }
    void give_marks(const UniqueFd& file, std::uint16_t queues) {
        CHECK(tell(
            MessageType::set_inflight_fd,
            place(vhost::InflightArea::bytes_for(queues, TestRing::kSize), queues, TestRing::kSize),
            {file.get()}));
    }
    bool start_ring(const TestMemory& memory, const TestRing& ring, std::uint32_t index,
                    std::uint16_t base) {
        CHECK(tell(MessageType::set_vring_num, state(index, TestRing::kSize)));
        CHECK(tell(MessageType::set_vring_base, state(index, base)));
        CHECK(tell(MessageType::set_vring_addr, address(memory, ring, index)));
        CHECK(tell(MessageType::set_vring_err, number(index), {ring.error.get()}));
        CHECK(tell(MessageType::set_vring_call, number(index), {ring.call.get()}));
        CHECK(tell(MessageType::set_vring_kick, number(index), {ring.kick.get()}));
        return tell(MessageType::set_vring_enable, state(index, 1));
    }
    std::uint32_t stop_ring(std::uint32_t index) {
        const Bytes answer = ask(MessageType::get_vring_base, state(index, 0));
        REQUIRE(answer.size() == 8);
        return get_le<std::uint32_t>(&answer[4]);
    }

  private:
    Bytes receive(std::size_t count, UniqueFd* descriptor) {
        Bytes bytes(count);
        std::size_t got = 0;
        while (got < count) {
            alignas(cmsghdr) char space[CMSG_SPACE(sizeof(int))];
            iovec part{bytes.data() + got, count - got};
            msghdr message{};
            message.msg_iov = &part;
            message.msg_iovlen = 1;
            message.msg_control = space;
            message.msg_controllen = sizeof space;
            const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            REQUIRE(n > 0);
            if (const cmsghdr* control = CMSG_FIRSTHDR(&message); control != nullptr) {
                int fd = -1;
                std::memcpy(&fd, CMSG_DATA(control), sizeof fd);
                REQUIRE(descriptor != nullptr);
                descriptor->reset(fd);
            }
            got += static_cast<std::size_t>(n);
        }
        return bytes;
    }
    UniqueFd fd_;
};

}  // namespace kiln::block::testing
