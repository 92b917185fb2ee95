// SPDX-License-Identifier: Apache-2.0
#include "net/detail/listen.h"

#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>

namespace kiln::net::detail {

namespace {

struct AddressListDeleter {
    void operator()(addrinfo* list) const { ::freeaddrinfo(list); }
};

std::string address_text(const sockaddr_storage& address, socklen_t size) {
    if (address.ss_family == AF_UNIX) {
        return "unix";  // a client's end has no name
    }
    char host[NI_MAXHOST] = "";
    char service[NI_MAXSERV] = "";
    if (::getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof(host),
                      service, sizeof(service), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
        return "unknown";
    }
    const bool v6 = address.ss_family == AF_INET6;
    return (v6 ? "[" + std::string(host) + "]" : std::string(host)) + ":" + service;
}

Status remove_stale(const std::string& path) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) != 0) {
        return errno == ENOENT ? ok() : Error::from_errno(errno, "stat " + path);
    }
    if (!S_ISSOCK(info.st_mode)) {
        return Error(Code::already_exists, path + " exists and is not a socket");
    }
    return remove_file(path);
}

// The file's rights, then its owner, then the backlog: nobody can connect before listen().
Status open_to(int fd, const UnixListenerOptions& options) {
    if (::chmod(options.path.c_str(), options.mode) != 0) {
        return Error::from_errno(errno, "chmod " + options.path);
    }
    if (options.owner && ::lchown(options.path.c_str(), *options.owner, *options.owner) != 0) {
        return Error::from_errno(errno, "chown " + options.path);
    }
    if (::listen(fd, kListenBacklog) != 0) {
        return Error::from_errno(errno, "listen on " + options.path);
    }
    return ok();
}

}  // namespace

Result<UniqueFd> listen_on(const std::string& address, std::uint16_t port) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV | AI_PASSIVE;
    addrinfo* found = nullptr;
    if (::getaddrinfo(address.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) {
        return Error(Code::invalid_argument, "not a numeric address: " + address);
    }
    const std::unique_ptr<addrinfo, AddressListDeleter> list(found);
    UniqueFd fd(::socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
        return Error::from_errno(errno, "socket");
    }
    const int on = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (::bind(fd.get(), found->ai_addr, found->ai_addrlen) != 0 ||
        ::listen(fd.get(), kListenBacklog) != 0) {
        return Error::from_errno(errno, "listen on " + address + ":" + std::to_string(port));
    }
    return fd;
}

Result<std::uint16_t> local_port(int fd) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
        return Error::from_errno(errno, "getsockname");
    }
    return ntohs(address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port
                                               : reinterpret_cast<sockaddr_in&>(address).sin_port);
}

Result<UniqueFd> listen_on(const UnixListenerOptions& options) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (options.path.empty() || options.path.size() >= sizeof(address.sun_path)) {
        return Error(Code::invalid_argument, "a socket path has 1 to " +
                                                 std::to_string(sizeof(address.sun_path) - 1) +
                                                 " bytes: " + options.path);
    }
    std::memcpy(address.sun_path, options.path.data(), options.path.size());
    TRY(remove_stale(options.path));
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (!fd) {
        return Error::from_errno(errno, "socket");
    }
    if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
        return Error::from_errno(errno, "bind " + options.path);
    }
    if (Status opened = open_to(fd.get(), options); !opened) {
        ::unlink(options.path.c_str());
        return std::move(opened).error();
    }
    return fd;
}

Accepted accept_from(int listener) {
    sockaddr_storage address{};
    socklen_t size = sizeof(address);
    UniqueFd fd(::accept4(listener, reinterpret_cast<sockaddr*>(&address), &size,
                          SOCK_NONBLOCK | SOCK_CLOEXEC));
    const int error = fd ? 0 : errno;
    std::string peer = fd ? address_text(address, size) : std::string();
    return {std::move(fd), error, std::move(peer)};
}

}  // namespace kiln::net::detail
