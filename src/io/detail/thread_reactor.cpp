// SPDX-License-Identifier: Apache-2.0
#include "io/detail/thread_reactor.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>

#include "io/detail/descriptors.h"
#include "io/detail/unix_socket.h"

namespace kiln::io {
namespace {

// Enough to keep a disk's queue busy; a thread costs only its stack.
constexpr std::size_t kDiskThreads = 8;
constexpr std::size_t kMaxParts = 64;
constexpr int kMaxEvents = 64;

bool must_wait(int err) {
    return err == EAGAIN || err == EWOULDBLOCK;
}

}  // namespace

Result<std::unique_ptr<Reactor>> ThreadReactor::create(Clock& clock) {
    UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
    UniqueFd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!epoll || !wake) {
        return Error::from_errno(errno, "create event loop");
    }
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = wake.get();
    if (::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, wake.get(), &event) != 0) {
        return Error::from_errno(errno, "watch event loop");
    }
    return std::unique_ptr<Reactor>(new ThreadReactor(clock, std::move(epoll), std::move(wake)));
}

ThreadReactor::ThreadReactor(Clock& clock, UniqueFd epoll, UniqueFd wake)
    : Loop(clock), epoll_(std::move(epoll)), wake_(std::move(wake)), pool_(*this, kDiskThreads) {}

ThreadReactor::~ThreadReactor() {
    pool_.stop();
    drop_tasks();
    auto sockets = std::move(sockets_);
    sockets_.clear();
    for (auto& [id, socket] : sockets) {
        if (!socket->path.empty()) {
            ::unlink(socket->path.c_str());
        }
    }
}

void ThreadReactor::wake() {
    const std::uint64_t one = 1;
    // Fails only when the counter is full, and then the loop is awake.
    [[maybe_unused]] const ssize_t n = ::write(wake_.get(), &one, sizeof one);
}

void ThreadReactor::wait(std::chrono::nanoseconds timeout) {
    epoll_event events[kMaxEvents];
    const auto ms = std::chrono::ceil<std::chrono::milliseconds>(timeout).count();
    const int n = ::epoll_wait(epoll_.get(), events, kMaxEvents, static_cast<int>(ms));
    for (int i = 0; i < n; ++i) {
        if (events[i].data.fd == wake_.get()) {
            std::uint64_t count = 0;
            [[maybe_unused]] const ssize_t got = ::read(wake_.get(), &count, sizeof count);
            continue;
        }
        // Completions are posted, so no socket is closed, nor its descriptor reused, while this
        // loop runs.
        Socket& socket = get(SocketId{events[i].data.fd});
        try_accept(socket);
        try_receive(socket);
        try_receive_with_descriptors(socket);
        try_send(socket);
        try_event(socket);
    }
}

Result<SocketId> ThreadReactor::add(UniqueFd fd, std::string path) {
    auto socket = std::make_unique<Socket>();
    const int number = fd.get();
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.fd = number;
    if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, number, &event) != 0) {
        return Error::from_errno(errno, "watch socket");
    }
    socket->fd = std::move(fd);
    socket->path = std::move(path);
    sockets_.emplace(number, std::move(socket));
    return SocketId{number};
}

Result<SocketId> ThreadReactor::listen_unix(const std::string& path) {
    TRY_ASSIGN(UniqueFd fd, bind_unix_listener(path, true));
    return add(std::move(fd), path);
}

Result<SocketId> ThreadReactor::adopt(UniqueFd socket) {
    const int flags = ::fcntl(socket.get(), F_GETFL);
    if (flags < 0 || ::fcntl(socket.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
        return Error::from_errno(errno, "set socket non-blocking");
    }
    return add(std::move(socket), {});
}

ThreadReactor::Socket& ThreadReactor::get(SocketId id) {
    const auto found = sockets_.find(id.value);
    INVARIANT(found != sockets_.end());
    return *found->second;
}

void ThreadReactor::accept(SocketId listener, Callback<Result<SocketId>> done) {
    Socket& socket = get(listener);
    INVARIANT(!socket.accept_done);
    socket.accept_done = std::move(done);
    try_accept(socket);
}

void ThreadReactor::try_accept(Socket& socket) {
    if (!socket.accept_done) {
        return;
    }
    UniqueFd fd(::accept4(socket.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!fd && (must_wait(errno) || errno == EINTR || errno == ECONNABORTED)) {
        return;
    }
    Result<SocketId> result = SocketId{};
    if (fd) {
        widen_sends(fd.get());
        result = add(std::move(fd), {});
    } else {
        result = socket_error(errno, "accept");
    }
    post([done = std::move(socket.accept_done), result = std::move(result)]() mutable {
        done(std::move(result));
    });
}

void ThreadReactor::receive(SocketId id, MutableByteView into, Callback<Result<std::size_t>> done) {
    Socket& socket = get(id);
    INVARIANT(!socket.receive_done && !into.empty());
    socket.receive_done = std::move(done);
    socket.receive_into = into;
    try_receive(socket);
}

void ThreadReactor::try_receive(Socket& socket) {
    if (!socket.receive_done) {
        return;
    }
    const ssize_t n =
        ::recv(socket.fd.get(), socket.receive_into.data(), socket.receive_into.size(), 0);
    if (n < 0 && (must_wait(errno) || errno == EINTR)) {
        return;
    }
    auto result = n >= 0 ? Result<std::size_t>(static_cast<std::size_t>(n))
                         : Result<std::size_t>(socket_error(errno, "receive"));
    post([done = std::move(socket.receive_done), result = std::move(result)]() mutable {
        done(std::move(result));
    });
}

void ThreadReactor::receive_with_descriptors(SocketId id, MutableByteView into,
                                             Callback<Result<Received>> done) {
    Socket& socket = get(id);
    INVARIANT(!socket.receive_done && !socket.received_done && !into.empty());
    socket.received_done = std::move(done);
    socket.receive_into = into;
    try_receive_with_descriptors(socket);
}

void ThreadReactor::try_receive_with_descriptors(Socket& socket) {
    if (!socket.received_done) {
        return;
    }
    DescriptorMessage message(socket.receive_into);
    const ssize_t n = ::recvmsg(socket.fd.get(), &message.header, MSG_CMSG_CLOEXEC);
    if (n < 0 && (must_wait(errno) || errno == EINTR)) {
        return;
    }
    auto result = n >= 0 ? message.received(static_cast<std::size_t>(n))
                         : Result<Received>(socket_error(errno, "receive"));
    post([done = std::move(socket.received_done), result = std::move(result)]() mutable {
        done(std::move(result));
    });
}

void ThreadReactor::send_with_descriptor(SocketId id, std::span<const ByteView> parts,
                                         int descriptor, Callback<Status> done) {
    Socket& socket = get(id);
    INVARIANT(!socket.send_done);
    socket.send_done = std::move(done);
    socket.send_descriptor = descriptor;
    socket.send_parts.assign(parts.begin(), parts.end());
    socket.send_at = 0;
    try_send(socket);
}

void ThreadReactor::try_send(Socket& socket) {
    if (!socket.send_done) {
        return;
    }
    Status result = ok();
    while (socket.send_at < socket.send_parts.size()) {
        std::array<iovec, kMaxParts> vectors;
        std::size_t count = 0;
        for (std::size_t i = socket.send_at; i < socket.send_parts.size() && count < kMaxParts;
             ++i) {
            const ByteView part = socket.send_parts[i];
            vectors[count++] = iovec{const_cast<std::uint8_t*>(part.data()), part.size()};
        }
        msghdr message{};
        message.msg_iov = vectors.data();
        message.msg_iovlen = count;
        DescriptorSpace space;
        if (socket.send_descriptor >= 0) {
            space.attach(message, socket.send_descriptor);
        }
        const ssize_t n = ::sendmsg(socket.fd.get(), &message, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0 && must_wait(errno)) {
            return;
        }
        if (n < 0) {
            result = socket_error(errno, "send");
            break;
        }
        socket.send_descriptor = -1;
        auto left = static_cast<std::size_t>(n);
        while (socket.send_at < socket.send_parts.size() &&
               left >= socket.send_parts[socket.send_at].size()) {
            left -= socket.send_parts[socket.send_at++].size();
        }
        if (left > 0) {
            socket.send_parts[socket.send_at] = socket.send_parts[socket.send_at].subspan(left);
        }
    }
    post([done = std::move(socket.send_done), result = std::move(result)]() mutable {
        done(std::move(result));
    });
}

Result<SocketId> ThreadReactor::adopt_event(UniqueFd event) {
    TRY(check_event(event.get()));
    return add(std::move(event), {});
}

void ThreadReactor::wait_event(SocketId id, Callback<Status> done) {
    Socket& socket = get(id);
    INVARIANT(!socket.event_done);
    socket.event_done = std::move(done);
    try_event(socket);
}

void ThreadReactor::try_event(Socket& socket) {
    if (!socket.event_done) {
        return;
    }
    const int err = take_event(socket.fd.get());
    if (must_wait(err) || err == EINTR) {
        return;
    }
    post([done = std::move(socket.event_done), err]() mutable {
        done(err == 0 ? ok() : Status(Error::from_errno(err, "wait for an event")));
    });
}

void ThreadReactor::signal_event(SocketId id) {
    // There is no write that cannot block whatever the peer did to the descriptor. One that fills
    // the counter on purpose, between the question and the write, is not provided for here.
    pollfd room{get(id).fd.get(), POLLOUT, 0};
    if (::poll(&room, 1, 0) == 1 && (room.revents & POLLOUT) != 0) {
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = ::write(room.fd, &one, sizeof one);
    }
}

void ThreadReactor::close(SocketId id) {
    const auto found = sockets_.find(id.value);
    if (found == sockets_.end()) {
        return;
    }
    auto socket = std::move(found->second);
    sockets_.erase(found);
    if (!socket->path.empty()) {
        ::unlink(socket->path.c_str());
    }
    ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, socket->fd.get(), nullptr);
    // Completions come from the loop, and the descriptor goes with the last of them.
    post([socket = std::move(socket)]() mutable {
        const Error error(Code::cancelled, "the socket was closed");
        if (socket->accept_done) {
            socket->accept_done(error);
        }
        if (socket->receive_done) {
            socket->receive_done(error);
        }
        if (socket->received_done) {
            socket->received_done(error);
        }
        if (socket->send_done) {
            socket->send_done(error);
        }
        if (socket->event_done) {
            socket->event_done(error);
        }
    });
}

}  // namespace kiln::io
