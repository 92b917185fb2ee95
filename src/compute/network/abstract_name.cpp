// SPDX-License-Identifier: Apache-2.0
#include "compute/network/abstract_name.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

#include "util/check.h"

namespace kiln::compute {

UniqueFd claim_abstract_name(const std::string& name) {
    UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    INVARIANT(name.size() + 1 < sizeof address.sun_path);
    // The zero byte at the front makes it a name without a file.
    std::memcpy(address.sun_path + 1, name.data(), name.size());
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + name.size());
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) {
        return UniqueFd();
    }
    return fd;
}

}  // namespace kiln::compute
