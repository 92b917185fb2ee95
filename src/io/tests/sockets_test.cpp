// SPDX-License-Identifier: Apache-2.0
// The contract of Sockets, for every backend.
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <thread>

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
