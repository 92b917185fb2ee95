// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>

namespace kiln::compute {
namespace {

// One client and one waiting is all that ever happens; a few more cost nothing.
constexpr int kBacklog = 8;
// Every neighbour connects for itself.
constexpr int kFramesBacklog = 128;

Result<sockaddr_un> address_of(const std::string& path) {
    if (path.empty() || path.size() > kMaxSocketPathBytes) {
        return Error(Code::invalid_argument,
                     "socket path must have 1 to 107 bytes, choose a shorter directory: " + path);
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    return address;
}

Result<UniqueFd> listen_at(const std::string& path, int type, int backlog) {
    TRY_ASSIGN(const sockaddr_un address, address_of(path));
    TRY(remove_file(path));
    UniqueFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC, 0));
    if (!socket) {
        return Error::from_errno(errno, "socket");
    }
    // Before bind: the file takes its mode from the descriptor (and the umask), so it is never open
    // to others.
    if (::fchmod(socket.get(), 0600) != 0) {
        return Error::from_errno(errno, "fchmod " + path);
    }
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return Error::from_errno(errno, "bind " + path);
    }
    if (::listen(socket.get(), backlog) != 0) {
        return Error::from_errno(errno, "listen " + path);
    }
    return socket;
}

Result<UniqueFd> connect_to(const std::string& path, int type) {
    TRY_ASSIGN(const sockaddr_un address, address_of(path));
    UniqueFd socket(::socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket) {
        return Error::from_errno(errno, "socket");
    }
    if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return Error(Code::unavailable, "connect " + path + ": " + std::strerror(errno));
    }
    return socket;
}

}  // namespace

Result<UniqueFd> listen_unix(const std::string& path) {
    return listen_at(path, SOCK_STREAM, kBacklog);
}

Result<UniqueFd> connect_unix(const std::string& path) {
    return connect_to(path, SOCK_STREAM);
}

Result<UniqueFd> listen_frames(const std::string& path, unsigned mode) {
    TRY_ASSIGN(UniqueFd socket, listen_at(path, SOCK_SEQPACKET | SOCK_NONBLOCK, kFramesBacklog));
    // Afterwards, as the umask takes from what bind() gives.
    if (::chmod(path.c_str(), mode) != 0) {
        return Error::from_errno(errno, "chmod " + path);
    }
    return socket;
}

Result<UniqueFd> connect_frames(const std::string& path) {
    return connect_to(path, SOCK_SEQPACKET);
}

}  // namespace kiln::compute
