// SPDX-License-Identifier: Apache-2.0
#include "io/detail/unix_socket.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>

#include "io/sockets.h"

namespace kiln::io {
namespace {

constexpr int kBacklog = 128;

Status remove_stale(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        if (errno == ENOENT) {
            return ok();
        }
        return Error::from_errno(errno, "stat " + path);
    }
    if (!S_ISSOCK(info.st_mode)) {
        return Error(Code::already_exists, path + " exists and is not a socket");
    }
    return remove_file(path);
}

}  // namespace

Result<UniqueFd> bind_unix_listener(const std::string& path, bool nonblocking) {
    if (path.empty() || path.size() > kMaxSocketPathBytes) {
        return Error(
            Code::invalid_argument,
            "a socket path has 1 to " + std::to_string(kMaxSocketPathBytes) + " bytes: " + path);
    }
    TRY(remove_stale(path));
    UniqueFd fd(
        ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (nonblocking ? SOCK_NONBLOCK : 0), 0));
    if (!fd) {
        return Error::from_errno(errno, "socket");
    }
    // Before bind, so that the file never exists with wider rights; the umask can only narrow it.
    if (::fchmod(fd.get(), 0600) != 0) {
        return Error::from_errno(errno, "chmod of a socket");
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        return Error::from_errno(errno, "bind " + path);
    }
    if (::listen(fd.get(), kBacklog) != 0) {
        const int err = errno;
        ::unlink(path.c_str());
        return Error::from_errno(err, "listen " + path);
    }
    return fd;
}

void widen_sends(int socket) {
    constexpr int kWanted = 4 << 20;  // the system takes less, silently
    (void)::setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &kWanted, sizeof kWanted);
}

Error socket_error(int err, const char* what) {
    if (err == EPIPE || err == ECONNRESET || err == ENOTCONN) {
        return Error(Code::unavailable, std::string(what) + ": the peer has closed");
    }
    if (err == ECANCELED || err == EINVAL) {
        return Error(Code::cancelled, std::string(what) + ": the socket was closed");
    }
    return Error::from_errno(err, what);
}

}  // namespace kiln::io
