// SPDX-License-Identifier: Apache-2.0
#include "daemon/service_manager.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "util/fs.h"

using namespace kiln;
using namespace kiln::daemon;

namespace {

// A service manager's socket; a name that begins with '@' lies outside the file system.
UniqueFd listen_at(const std::string& name) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name[0] == '@') {
        address.sun_path[0] = '\0';
    }
    UniqueFd socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    REQUIRE(::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
    return socket;
}

std::string received(const UniqueFd& socket) {
    char text[64];
    const ssize_t n = ::recv(socket.get(), text, sizeof text, 0);
    return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : "";
}

}  // namespace

TEST_CASE("a service manager that waits is told, by either kind of socket name") {
    const std::string id = std::to_string(::getpid());
    for (const std::string& name : {"/tmp/kiln-notify-" + id, "@kiln-notify-" + id}) {
        CAPTURE(name);
        const UniqueFd manager = listen_at(name);
        ::setenv("NOTIFY_SOCKET", name.c_str(), 1);
        CHECK(tell_service_manager("READY=1"));
        ::unsetenv("NOTIFY_SOCKET");
        CHECK(received(manager) == "READY=1");
        ::unlink(name.c_str());
    }
}

TEST_CASE("nobody is told where nobody waits, and one that is gone is an error") {
    CHECK(tell_service_manager("READY=1"));
    ::setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    CHECK_FALSE(tell_service_manager("READY=1"));
    ::setenv("NOTIFY_SOCKET", std::string(200, 'x').c_str(), 1);
    CHECK_FALSE(tell_service_manager("READY=1"));
    ::unsetenv("NOTIFY_SOCKET");
}
