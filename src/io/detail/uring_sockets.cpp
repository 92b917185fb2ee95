// SPDX-License-Identifier: Apache-2.0
// UringReactor: sockets and events.
#include <liburing.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "io/detail/unix_socket.h"
#include "io/detail/uring_loop.h"

namespace kiln::io {
namespace {

constexpr std::size_t kMaxParts = 1024;  // IOV_MAX

}  // namespace

SocketId UringReactor::add(UniqueFd fd, std::string path) {
    const int number = fd.get();
    auto socket = std::make_unique<Socket>();
    socket->fd = std::move(fd);
    socket->path = std::move(path);
    sockets_.emplace(number, std::move(socket));
    return SocketId{number};
}

Result<SocketId> UringReactor::listen_unix(const std::string& path) {
    TRY_ASSIGN(UniqueFd fd, bind_unix_listener(path, false));
    return add(std::move(fd), path);
}

Result<SocketId> UringReactor::adopt(UniqueFd socket) {
    return add(std::move(socket), {});
}

UringReactor::Pending* UringReactor::begin(SocketId id, Kind kind) {
    const auto found = sockets_.find(id.value);
    INVARIANT(found != sockets_.end() && !found->second->closing);
    ++found->second->in_flight;
    ++in_flight_;
    Pending* pending = take_pending(kind);
    pending->socket = id;
    return pending;
}

bool UringReactor::release(SocketId id) {
    const auto found = sockets_.find(id.value);
    INVARIANT(found != sockets_.end());
    Socket& socket = *found->second;
    --socket.in_flight;
    if (socket.closing && socket.in_flight == 0 && !dropping_) {
        sockets_.erase(found);
        return false;
    }
    return !socket.closing;
}

void UringReactor::accept(SocketId listener, AcceptDone done) {
    Pending* pending = begin(listener, Kind::accept);
    pending->done = std::move(done);
    io_uring_sqe* sqe = next_sqe(pending);
    io_uring_prep_accept(sqe, static_cast<int>(listener.value), nullptr, nullptr, SOCK_CLOEXEC);
    io_uring_sqe_set_data(sqe, pending);
}

void UringReactor::complete_accept(Pending* pending, int result) {
    --in_flight_;
    UniqueFd accepted(result >= 0 ? result : -1);
    const bool open = release(pending->socket);
    auto done = std::move(std::get<AcceptDone>(pending->done));
    recycle(pending);
    if (dropping_) {
        return;
    }
    if (!open) {
        done(Error(Code::cancelled, "accept: the socket was closed"));
    } else if (accepted) {
        widen_sends(accepted.get());
        done(add(std::move(accepted), {}));
    } else {
        done(socket_error(-result, "accept"));
    }
}

void UringReactor::receive(SocketId id, MutableByteView into, ReceiveDone done) {
    INVARIANT(!into.empty());
    Pending* pending = begin(id, Kind::receive);
    pending->done = std::move(done);
    io_uring_sqe* sqe = next_sqe(pending);
    io_uring_prep_recv(sqe, static_cast<int>(id.value), into.data(), into.size(), 0);
    io_uring_sqe_set_data(sqe, pending);
}

void UringReactor::complete_receive(Pending* pending, int result) {
    --in_flight_;
    const bool open = release(pending->socket);
    auto done = std::move(std::get<ReceiveDone>(pending->done));
    recycle(pending);
    if (dropping_) {
        return;
    }
    if (result < 0) {
        done(socket_error(-result, "receive"));
    } else if (!open && result == 0) {
        done(Error(Code::cancelled, "receive: the socket was closed"));
    } else {
        done(static_cast<std::size_t>(result));
    }
}

void UringReactor::receive_with_descriptors(SocketId id, MutableByteView into, ReceivedDone done) {
    INVARIANT(!into.empty());
    Pending* pending = begin(id, Kind::received);
    pending->done = std::move(done);
    pending->parts.push_back(iovec{into.data(), into.size()});
    pending->message = msghdr{};
    pending->message.msg_iov = pending->parts.data();
    pending->message.msg_iovlen = 1;
    pending->space.receive(pending->message);
    io_uring_sqe* sqe = next_sqe(pending);
    io_uring_prep_recvmsg(sqe, static_cast<int>(id.value), &pending->message, MSG_CMSG_CLOEXEC);
    io_uring_sqe_set_data(sqe, pending);
}

void UringReactor::complete_received(Pending* pending, int result) {
    --in_flight_;
    const bool open = release(pending->socket);
    auto done = std::move(std::get<ReceivedDone>(pending->done));
    Result<Received> received =
        result < 0 ? Result<Received>(socket_error(-result, "receive"))
                   : take_descriptors(pending->message, static_cast<std::size_t>(result));
    recycle(pending);
    if (dropping_) {
        return;
    }
    if (!open && result == 0) {
        done(Error(Code::cancelled, "receive: the socket was closed"));
    } else {
        done(std::move(received));
    }
}

void UringReactor::send_with_descriptor(SocketId id, std::span<const ByteView> parts,
                                        int descriptor, SendDone done) {
    Pending* pending = begin(id, Kind::send);
    pending->done = std::move(done);
    pending->descriptor = descriptor;
    for (const ByteView part : parts) {
        if (!part.empty()) {
            pending->parts.push_back(iovec{const_cast<std::uint8_t*>(part.data()), part.size()});
        }
    }
    INVARIANT(!pending->parts.empty());
    prepare_send(pending);
}

void UringReactor::prepare_send(Pending* pending) {
    // `moved` counts the parts already sent whole.
    pending->message = msghdr{};
    pending->message.msg_iov = pending->parts.data() + pending->moved;
    pending->message.msg_iovlen = std::min(pending->parts.size() - pending->moved, kMaxParts);
    if (pending->descriptor >= 0) {
        pending->space.attach(pending->message, pending->descriptor);
    }
    io_uring_sqe* sqe = next_sqe(pending);
    io_uring_prep_sendmsg(sqe, static_cast<int>(pending->socket.value), &pending->message,
                          MSG_NOSIGNAL);
    io_uring_sqe_set_data(sqe, pending);
}

bool UringReactor::advance_send(Pending& pending, std::size_t sent) {
    while (pending.moved < pending.parts.size() && sent >= pending.parts[pending.moved].iov_len) {
        sent -= pending.parts[pending.moved++].iov_len;
    }
    if (sent > 0) {
        iovec& part = pending.parts[pending.moved];
        part.iov_base = static_cast<std::uint8_t*>(part.iov_base) + sent;
        part.iov_len -= sent;
    }
    return pending.moved == pending.parts.size();
}

void UringReactor::complete_send(Pending* pending, int result) {
    const bool retry = result == -EINTR || result == -EAGAIN;
    if (result > 0) {
        pending->descriptor = -1;
    }
    if (!dropping_ &&
        (retry || (result > 0 && !advance_send(*pending, static_cast<std::size_t>(result))))) {
        prepare_send(pending);
        return;
    }
    --in_flight_;
    release(pending->socket);
    auto done = std::move(std::get<SendDone>(pending->done));
    recycle(pending);
    if (dropping_) {
        return;
    }
    done(result < 0 ? Status(socket_error(-result, "send")) : ok());
}

// --- events ---

Result<SocketId> UringReactor::adopt_event(UniqueFd event) {
    TRY(check_event(event.get()));
    return add(std::move(event), {});
}

void UringReactor::wait_event(SocketId id, SendDone done) {
    Pending* pending = begin(id, Kind::event);
    pending->done = std::move(done);
    sockets_.at(id.value)->event = pending;
    arm_event(pending);
}

void UringReactor::arm_event(Pending* pending) {
    io_uring_sqe* sqe = next_sqe(pending);
    io_uring_prep_poll_add(sqe, static_cast<int>(pending->socket.value), POLLIN);
    io_uring_sqe_set_data(sqe, pending);
}

void UringReactor::complete_event(Pending* pending, int result) {
    Socket& socket = *sockets_.at(pending->socket.value);
    const int err = result < 0        ? -result
                    : !socket.closing ? take_event(static_cast<int>(pending->socket.value))
                                      : ECANCELED;
    if (err == EAGAIN || err == EINTR) {
        arm_event(pending);  // somebody else was faster
        return;
    }
    --in_flight_;
    socket.event = nullptr;
    release(pending->socket);
    auto done = std::move(std::get<SendDone>(pending->done));
    recycle(pending);
    if (!dropping_) {
        done(err == 0 ? ok() : Status(socket_error(err, "wait for an event")));
    }
}

// By the ring, since a write to a descriptor that a peer may have made blocking could block here.
// One at a time: what is signalled meanwhile is signalled after it.
void UringReactor::signal_event(SocketId id) {
    Socket& socket = *sockets_.at(id.value);
    INVARIANT(!socket.closing);
    if (socket.signal != nullptr) {
        socket.signal_again = true;
        return;
    }
    socket.signal = begin(id, Kind::signal);
    write_signal(socket.signal);
}

void UringReactor::write_signal(Pending* pending) {
    io_uring_sqe* sqe = next_sqe(pending);
    io_uring_prep_write(sqe, static_cast<int>(pending->socket.value), &pending->count,
                        sizeof pending->count, 0);
    io_uring_sqe_set_data(sqe, pending);
}

void UringReactor::complete_signal(Pending* pending) {
    Socket& socket = *sockets_.at(pending->socket.value);
    if (std::exchange(socket.signal_again, false) && !socket.closing) {
        write_signal(pending);
        return;
    }
    --in_flight_;
    socket.signal = nullptr;
    release(pending->socket);
    recycle(pending);
}

void UringReactor::cancel_events(Socket& socket) {
    for (Pending* pending : {socket.event, socket.signal}) {
        if (pending != nullptr) {
            Pending* cancel = take_pending(Kind::cancel);
            ++in_flight_;
            io_uring_sqe* sqe = next_sqe(cancel);
            io_uring_prep_cancel(sqe, pending, 0);
            io_uring_sqe_set_data(sqe, cancel);
        }
    }
}

void UringReactor::close(SocketId id) {
    const auto found = sockets_.find(id.value);
    if (found == sockets_.end() || found->second->closing) {
        return;
    }
    Socket& socket = *found->second;
    socket.closing = true;
    if (!socket.path.empty()) {
        ::unlink(socket.path.c_str());
    }
    if (socket.in_flight == 0) {
        sockets_.erase(found);
        return;
    }
    // What is still only queued must reach the kernel first: it would otherwise name a closed
    // descriptor.
    io_uring_submit(ring_.get());
    ::shutdown(socket.fd.get(), SHUT_RDWR);  // ends an accept, a receive and a send alike
    cancel_events(socket);
}

}  // namespace kiln::io
