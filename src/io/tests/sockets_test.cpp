// SPDX-License-Identifier: Apache-2.0
// The contract of Sockets, for every backend.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

#include "io/detail/descriptors.h"
#include "io/tests/support.h"

using namespace kiln;
using namespace kiln::io;
using namespace kiln::io::testing;

namespace {

UniqueFd connect_to(const std::string& path) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    REQUIRE(::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    return fd;
}

struct Pair {
    SocketId ours;
    UniqueFd theirs;
};

Pair make_pair(TestReactor& reactor) {
    int fds[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    auto ours = reactor->sockets().adopt(UniqueFd(fds[0]));
    REQUIRE(ours);
    return {*ours, UniqueFd(fds[1])};
}

Result<SocketId> accept_one(TestReactor& reactor, SocketId listener) {
    return reactor.await<SocketId>(
        [&](auto done) { reactor->sockets().accept(listener, std::move(done)); });
}

void send_descriptors(int socket, std::string_view text, const std::vector<int>& descriptors) {
    iovec part{const_cast<char*>(text.data()), text.size()};
    std::vector<char> space(CMSG_SPACE(descriptors.size() * sizeof(int)));
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = space.data();
    message.msg_controllen = space.size();
    cmsghdr* control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(descriptors.size() * sizeof(int));
    std::memcpy(CMSG_DATA(control), descriptors.data(), descriptors.size() * sizeof(int));
    REQUIRE(::sendmsg(socket, &message, 0) == static_cast<ssize_t>(text.size()));
}

bool same_file(int one, int other) {
    struct stat a {};
    struct stat b {};
    return ::fstat(one, &a) == 0 && ::fstat(other, &b) == 0 && a.st_ino == b.st_ino &&
           a.st_dev == b.st_dev;
}

std::size_t open_descriptors() {
    const std::filesystem::directory_iterator all("/proc/self/fd");
    return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

}  // namespace

#define FOR_EACH_BACKEND(reactor)            \
    for (const Backend backend : backends()) \
        if (TestReactor reactor(backend); true)

TEST_CASE("a listener has mode 0600, accepts, and takes its file with it") {
    FOR_EACH_BACKEND(reactor) {
        TempDir dir;
        const std::string path = dir / "s";
        const auto listener = reactor->sockets().listen_unix(path);
        REQUIRE(listener);
        struct stat info {};
        REQUIRE(::stat(path.c_str(), &info) == 0);
        CHECK((info.st_mode & 0777) == 0600);
        UniqueFd client = connect_to(path);
        const auto socket = accept_one(reactor, *listener);
        REQUIRE(socket);
        const ByteView hello = as_bytes("hello");
        CHECK(reactor.await<void>([&](auto done) {
            reactor->sockets().send(*socket, {&hello, 1}, std::move(done));
        }));
        char buffer[8] = {};
        CHECK(::read(client.get(), buffer, sizeof buffer) == 5);
        CHECK(std::string(buffer) == "hello");
        reactor->sockets().close(*socket);
        reactor->sockets().close(*listener);
        CHECK(::stat(path.c_str(), &info) != 0);
    }
}

TEST_CASE("a left-over socket file is replaced, another file is not, and a long path is refused") {
    FOR_EACH_BACKEND(reactor) {
        TempDir dir;
        {
            TestReactor dead(Backend::threads);
            const auto first = dead->sockets().listen_unix(dir / "s");
            REQUIRE(first);
            std::filesystem::create_hard_link(dir / "s", dir / "stale");
        }
        CHECK(std::filesystem::exists(dir / "stale"));
        const auto again = reactor->sockets().listen_unix(dir / "stale");
        CHECK(again);
        REQUIRE(write_file_atomic(dir / "file", "precious"));
        CHECK(reactor->sockets().listen_unix(dir / "file").error().code() == Code::already_exists);
        CHECK(*read_file(dir / "file") == "precious");
        CHECK(reactor->sockets()
                  .listen_unix("/" + std::string(kMaxSocketPathBytes, 'x'))
                  .error()
                  .code() == Code::invalid_argument);
    }
}

TEST_CASE("megabytes pass in many parts, both ways at once") {
    FOR_EACH_BACKEND(reactor) {
        Pair pair = make_pair(reactor);
        std::vector<Bytes> parts;
        std::vector<ByteView> views;
        Bytes all;
        for (int i = 0; i < 2500; ++i) {  // more than one call takes
            parts.emplace_back(1 + static_cast<std::size_t>(i) * 7 % 5000,
                               static_cast<std::uint8_t>(i));
        }
        for (const Bytes& part : parts) {
            views.push_back(part);
            all.insert(all.end(), part.begin(), part.end());
        }
        std::thread echo([&] {
            Bytes buffer(100000);
            std::size_t seen = 0;
            while (seen < all.size()) {
                const ssize_t n = ::read(pair.theirs.get(), buffer.data(), buffer.size());
                if (n <= 0 ||
                    ::send(pair.theirs.get(), buffer.data(), static_cast<std::size_t>(n), 0) != n) {
                    return;
                }
                seen += static_cast<std::size_t>(n);
            }
        });
        bool sent = false;
        reactor->sockets().send(pair.ours, views,
                                [&](Status status) { sent = status.has_value(); });
        Bytes back;
        while (back.size() < all.size()) {
            Bytes buffer(70000);
            const auto n = reactor.await<std::size_t>(
                [&](auto done) { reactor->sockets().receive(pair.ours, buffer, std::move(done)); });
            REQUIRE(n);
            REQUIRE(*n > 0);
            back.insert(back.end(), buffer.begin(),
                        buffer.begin() + static_cast<std::ptrdiff_t>(*n));
        }
        echo.join();
        CHECK(sent);
        CHECK(back == all);
        reactor->sockets().close(pair.ours);
    }
}

TEST_CASE("the peer's close is the end for reading and an error for writing") {
    FOR_EACH_BACKEND(reactor) {
        Pair pair = make_pair(reactor);
        pair.theirs.reset();
        Bytes buffer(10);
        const auto n = reactor.await<std::size_t>(
            [&](auto done) { reactor->sockets().receive(pair.ours, buffer, std::move(done)); });
        REQUIRE(n);
        CHECK(*n == 0);
        const ByteView data = as_bytes("x");
        const auto sent = reactor.await<void>([&](auto done) {
            reactor->sockets().send(pair.ours, {&data, 1}, std::move(done));
        });
        REQUIRE(!sent);
        CHECK(sent.error().code() == Code::unavailable);
        reactor->sockets().close(pair.ours);
    }
}

TEST_CASE("close ends a receive, a send and an accept that wait") {
    FOR_EACH_BACKEND(reactor) {
        TempDir dir;
        Pair pair = make_pair(reactor);
        const auto listener = reactor->sockets().listen_unix(dir / "s");
        REQUIRE(listener);
        int ended = 0;
        bool accept_failed = false;
        Bytes into(10);
        Bytes huge(8 << 20, 1);
        const ByteView view = huge;
        reactor->sockets().receive(pair.ours, into, [&](Result<std::size_t> n) {
            CHECK((!n || *n == 0));
            ++ended;
        });
        reactor->sockets().send(pair.ours, {&view, 1}, [&](Status status) {
            CHECK(!status);
            ++ended;
        });
        reactor->sockets().accept(*listener, [&](Result<SocketId> socket) {
            accept_failed = !socket;
            ++ended;
        });
        // Until the kernel has them.
        bool later = false;
        reactor->scheduler().after(std::chrono::milliseconds(5), [&] { later = true; });
        CHECK(reactor->run_until([&] { return later; }, soon()));
        CHECK(ended == 0);
        reactor->sockets().close(pair.ours);
        reactor->sockets().close(*listener);
        CHECK(reactor->run_until([&] { return ended == 3; }, soon()));
        CHECK(accept_failed);
        // And before the kernel has them.
        Pair second = make_pair(reactor);
        reactor->sockets().receive(second.ours, into, [&](Result<std::size_t>) { ++ended; });
        reactor->sockets().close(second.ours);
        CHECK(reactor->run_until([&] { return ended == 4; }, soon()));
    }
}

TEST_CASE("descriptors come with the bytes they were sent with, and go with ours") {
    FOR_EACH_BACKEND(reactor) {
        Pair pair = make_pair(reactor);
        UniqueFd one(::memfd_create("one", MFD_CLOEXEC));
        REQUIRE(::write(one.get(), "one", 3) == 3);
        UniqueFd two(::memfd_create("two", MFD_CLOEXEC));
        send_descriptors(pair.theirs.get(), "with", {one.get(), two.get()});
        REQUIRE(::send(pair.theirs.get(), "out", 3, 0) == 3);
        Bytes buffer(100);
        const auto receive = [&] {
            return reactor.await<Received>([&](auto done) {
                reactor->sockets().receive_with_descriptors(pair.ours, buffer, std::move(done));
            });
        };
        auto got = receive();
        REQUIRE(got);
        CHECK(as_text(ByteView(buffer).first(got->bytes)).substr(0, 4) == "with");
        REQUIRE(got->descriptors.size() == 2);
        CHECK((::fcntl(got->descriptors[1].get(), F_GETFD) & FD_CLOEXEC) != 0);
        char text[4] = {};
        CHECK(::pread(got->descriptors[0].get(), text, 3, 0) == 3);
        CHECK(std::string(text) == "one");
        if (got->bytes == 4) {
            got = receive();
            REQUIRE(got);
            CHECK(got->bytes == 3);
            CHECK(got->descriptors.empty());
        }

        const ByteView answer = as_bytes("answer");
        CHECK(reactor.await<void>([&](auto done) {
            reactor->sockets().send_with_descriptor(pair.ours, {&answer, 1}, one.get(),
                                                    std::move(done));
        }));
        CHECK(reactor.await<void>([&](auto done) {
            reactor->sockets().send(pair.ours, {&answer, 1}, std::move(done));
        }));
        DescriptorMessage first(buffer);
        ssize_t read = ::recvmsg(pair.theirs.get(), &first.header, MSG_CMSG_CLOEXEC);
        REQUIRE(read >= 6);
        got = first.received(6);
        if (read == 6) {
            read += ::read(pair.theirs.get(), buffer.data(), buffer.size());
        }
        CHECK(read == 12);
        REQUIRE(got);
        REQUIRE(got->descriptors.size() == 1);
        CHECK(same_file(got->descriptors[0].get(), one.get()));

        // The end of the connection is told here as well.
        pair.theirs.reset();
        got = receive();
        REQUIRE(got);
        CHECK(got->bytes == 0);
        reactor->sockets().close(pair.ours);
    }
}

TEST_CASE("more descriptors than a message may have are refused and closed") {
    FOR_EACH_BACKEND(reactor) {
        Pair pair = make_pair(reactor);
        const std::size_t before = open_descriptors();
        {
            UniqueFd event(::eventfd(0, EFD_CLOEXEC));
            send_descriptors(pair.theirs.get(), "x",
                             std::vector<int>(kMaxDescriptors + 1, event.get()));
        }
        Bytes buffer(10);
        const auto got = reactor.await<Received>([&](auto done) {
            reactor->sockets().receive_with_descriptors(pair.ours, buffer, std::move(done));
        });
        REQUIRE(!got);
        CHECK(got.error().code() == Code::resource_exhausted);
        CHECK(open_descriptors() == before);
        reactor->sockets().close(pair.ours);
    }
}

TEST_CASE("an event wakes its waiter once for all signals before, and again for those after") {
    FOR_EACH_BACKEND(reactor) {
        for (const int flags : {0, int{EFD_NONBLOCK}}) {
            UniqueFd theirs(::eventfd(0, EFD_CLOEXEC | flags));
            const auto ours = reactor->sockets().adopt_event(UniqueFd(::dup(theirs.get())));
            REQUIRE(ours);
            int woken = 0;
            const std::function<void()> wait = [&] {
                reactor->sockets().wait_event(*ours, [&](Status status) {
                    if (status) {
                        ++woken;
                        wait();
                    }
                });
            };
            wait();
            for (int round = 1; round <= 3; ++round) {
                REQUIRE(::eventfd_write(theirs.get(), 1) == 0);
                REQUIRE(::eventfd_write(theirs.get(), 5) == 0);
                CHECK(reactor->run_until([&] { return woken == round; }, soon()));
            }
            std::thread peer([&] { ::eventfd_write(theirs.get(), 1); });
            CHECK(reactor->run_until([&] { return woken == 4; }, soon()));
            peer.join();

            // What we signal can be read by those who share it.
            UniqueFd call(::eventfd(0, EFD_CLOEXEC | flags));
            const auto out = reactor->sockets().adopt_event(UniqueFd(::dup(call.get())));
            REQUIRE(out);
            reactor->sockets().signal_event(*out);
            reactor->sockets().signal_event(*out);
            pollfd ready{call.get(), POLLIN, 0};
            CHECK(reactor->run_until([&] { return ::poll(&ready, 1, 0) == 1; }, soon()));
            reactor->sockets().close(*ours);
            reactor->sockets().close(*out);
        }
    }
}

TEST_CASE("close ends the wait for an event, and a full counter holds up nobody") {
    FOR_EACH_BACKEND(reactor) {
        const std::size_t before = open_descriptors();
        // Blocking, as a hostile peer may make it.
        UniqueFd full(::eventfd(0, EFD_CLOEXEC));
        REQUIRE(::eventfd_write(full.get(), 0xfffffffffffffffe) == 0);
        UniqueFd idle(::eventfd(0, EFD_CLOEXEC));
        const auto signalled = reactor->sockets().adopt_event(UniqueFd(::dup(full.get())));
        const auto waited = reactor->sockets().adopt_event(UniqueFd(::dup(idle.get())));
        REQUIRE(signalled);
        REQUIRE(waited);
        reactor->sockets().signal_event(*signalled);
        reactor->sockets().signal_event(*signalled);
        int ended = 0;
        reactor->sockets().wait_event(*waited, [&](Status status) {
            CHECK(!status);
            ++ended;
        });
        bool later = false;
        reactor->scheduler().after(std::chrono::milliseconds(5), [&] { later = true; });
        CHECK(reactor->run_until([&] { return later; }, soon()));
        CHECK(ended == 0);
        reactor->sockets().close(*signalled);
        reactor->sockets().close(*waited);
        CHECK(reactor->run_until([&] { return ended == 1; }, soon()));
        // And before the kernel has it.
        const auto second = reactor->sockets().adopt_event(UniqueFd(::dup(idle.get())));
        REQUIRE(second);
        reactor->sockets().wait_event(*second, [&](Status) { ++ended; });
        reactor->sockets().close(*second);
        CHECK(reactor->run_until([&] { return ended == 2 && open_descriptors() == before + 2; },
                                 soon()));
        // A reactor that ends takes what waits with it.
        const auto last = reactor->sockets().adopt_event(UniqueFd(::dup(idle.get())));
        const auto stuck = reactor->sockets().adopt_event(UniqueFd(::dup(full.get())));
        reactor->sockets().wait_event(*last, [](Status) {});
        reactor->sockets().signal_event(*stuck);
    }
}

TEST_CASE("what is no eventfd is not taken for one") {
    FOR_EACH_BACKEND(reactor) {
        Pair pair = make_pair(reactor);
        for (int fd : {::dup(pair.theirs.get()), ::memfd_create("[eventfd]", MFD_CLOEXEC)}) {
            const auto event = reactor->sockets().adopt_event(UniqueFd(fd));
            REQUIRE(!event);
            CHECK(event.error().code() == Code::invalid_argument);
        }
        reactor->sockets().close(pair.ours);
    }
}
