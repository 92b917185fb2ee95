// SPDX-License-Identifier: Apache-2.0
#include "net/relay.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "util/fs.h"

namespace kiln::net {
namespace {

constexpr std::size_t kPiece = 64U << 10;

// 0 at the end and after an error, which ends a connection as well.
std::size_t read_some(int fd, MutableByteView out) {
    while (true) {
        const ssize_t n = ::read(fd, out.data(), out.size());
        if (n >= 0) {
            return static_cast<std::size_t>(n);
        }
        if (errno != EINTR) {
            return 0;
        }
    }
}

bool write_all(int fd, ByteView data) {
    while (!data.empty()) {
        // A peer that went away must not be a signal, which would end this program.
        ssize_t n = ::send(fd, data.data(), data.size(), MSG_NOSIGNAL);
        if (n < 0 && errno == ENOTSOCK) {
            n = ::write(fd, data.data(), data.size());
        }
        if (n < 0 && errno != EINTR) {
            return false;
        }
        data = data.subspan(n > 0 ? static_cast<std::size_t>(n) : 0);
    }
    return true;
}

}  // namespace

void relay_into(Tunnel& tunnel, int from, std::optional<std::chrono::seconds> patience) {
    Bytes piece(kPiece);
    while (true) {
        const std::size_t n = read_some(from, piece);
        if (n == 0) {
            tunnel.finish_writing();
            return;
        }
        const Deadline deadline = patience ? Deadline::after(*patience) : Deadline::never();
        if (!tunnel.write(ByteView(piece).first(n), deadline)) {
            tunnel.close();
            ::shutdown(from, SHUT_RD);
            return;
        }
    }
}

void relay_out(Tunnel& tunnel, int to) {
    Bytes piece(kPiece);
    while (true) {
        const auto n = tunnel.read(piece, Deadline::never());
        if (!n || *n == 0) {
            ::shutdown(to, n ? SHUT_WR : SHUT_RDWR);
            return;
        }
        if (!write_all(to, ByteView(piece).first(*n))) {
            tunnel.close();
            return;
        }
    }
}

Result<int> connect_tcp(std::uint32_t address, std::uint16_t port, Deadline deadline) {
    UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!fd) {
        return Error::from_errno(errno, "make a socket");
    }
    sockaddr_in peer{};
    peer.sin_family = AF_INET;
    peer.sin_addr.s_addr = htonl(address);
    peer.sin_port = htons(port);
    const auto unavailable = [](int error) {
        return Error(Code::unavailable, std::string("cannot connect: ") + ::strerror(error));
    };
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&peer), sizeof peer) != 0) {
        if (errno != EINPROGRESS) {
            return unavailable(errno);
        }
        pollfd wait{fd.get(), POLLOUT, 0};
        const int ready = ::poll(&wait, 1, static_cast<int>(deadline.left().count()));
        int error = 0;
        socklen_t length = sizeof error;
        if (ready != 1 || ::getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &length) != 0) {
            return unavailable(ETIMEDOUT);
        }
        if (error != 0) {
            return unavailable(error);
        }
    }
    const int flags = ::fcntl(fd.get(), F_GETFL);
    if (flags < 0 || ::fcntl(fd.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) {
        return Error::from_errno(errno, "set a socket up");
    }
    return fd.release();
}

}  // namespace kiln::net
