// SPDX-License-Identifier: Apache-2.0
#include "daemon/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "util/fs.h"

namespace kiln::daemon {

Status tell_service_manager(const std::string& state) {
    const char* name = std::getenv("NOTIFY_SOCKET");
    if (name == nullptr || *name == '\0') {
        return ok();
    }
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const std::size_t length = std::strlen(name);
    if (length >= sizeof address.sun_path) {
        return Error(Code::invalid_argument, "NOTIFY_SOCKET is too long for a unix socket");
    }
    std::memcpy(address.sun_path, name, length);
    if (address.sun_path[0] == '@') {  // a name outside the file system
        address.sun_path[0] = '\0';
    }
    const UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!socket) {
        return Error::from_errno(errno, "make a socket for the service manager");
    }
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    if (::sendto(socket.get(), state.data(), state.size(), MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&address), size) < 0) {
        return Error::from_errno(errno, std::string("tell the service manager at ") + name);
    }
    return ok();
}

}  // namespace kiln::daemon
