// SPDX-License-Identifier: Apache-2.0
#include "net/tests/http_support.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <thread>

#include "net/detail/stream.h"

namespace kiln::net::testing {

TestServer::TestServer(HttpHandler handler, HttpServerOptions options, std::size_t threads,
                       std::size_t queue)
    : executor_("test-http", threads, queue) {
    Result<std::unique_ptr<HttpServer>> server =
        HttpServer::create(std::move(options), executor_, std::move(handler));
    REQUIRE_MESSAGE(server.has_value(), server.error().message());
    server_ = std::move(*server);
}

RawClient::RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
}

RawClient::RawClient(const std::string& socket_path)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    REQUIRE(socket_path.size() < sizeof(address.sun_path));
    std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
    REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0);
}

bool RawClient::say(std::string_view text) {
    while (!text.empty()) {
        const ssize_t count = ::send(fd_.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (count <= 0) {
            return false;
        }
        text.remove_prefix(static_cast<std::size_t>(count));
    }
    return true;
}

std::string RawClient::read_some() {
    if (!pending_.empty()) {
        return std::exchange(pending_, {});
    }
    std::string buffer(64U << 10, '\0');
    if (at_end_ || !detail::wait_ready(fd_.get(), detail::Wait::readable, soon())) {
        return {};
    }
    const ssize_t count = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    at_end_ = count <= 0;
    buffer.resize(at_end_ ? 0 : static_cast<std::size_t>(count));
    return buffer;
}

std::string RawClient::read_until(std::string_view text) {
    std::string seen;
    while (true) {
        const std::string more = read_some();
        seen += more;
        if (const std::size_t at = text.empty() ? seen.npos : seen.find(text); at != seen.npos) {
            pending_ = seen.substr(at + text.size());
            seen.resize(at + text.size());
            return seen;
        }
        if (more.empty()) {
            return seen;
        }
    }
}

void RawClient::reset() {
    const linger hard{.l_onoff = 1, .l_linger = 0};
    ::setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    fd_.reset();
}

std::string get(std::string_view path) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: test\r\n\r\n";
}

std::string status_line(const std::string& answer) {
    return answer.substr(0, answer.find('\r'));
}

void echo(const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
    const Result<Bytes> data = body.read_all(1U << 20, soon());
    if (!data) {
        out.set_status(400);
        (void)out.send(as_bytes(data.error().message()));
        return;
    }
    const std::string text = request.method + " " + request.path + " ? " + request.query + "\n";
    out.headers().set("Content-Type", "text/plain");
    (void)out.send(as_bytes(text + std::string(as_text(*data))));
}

bool eventually(const std::function<bool()>& condition) {
    const Deadline deadline = soon();
    while (!condition()) {
        if (deadline.passed()) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

}  // namespace kiln::net::testing
