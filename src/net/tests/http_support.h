// SPDX-License-Identifier: Apache-2.0
// What the HTTP tests share: a server on a free port with its executor, and a raw socket that says
// exactly what a test wants said. Every wait ends after kPatience. Thread model: as the classes
// used; a RawClient has one owner thread.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "net/http_client.h"
#include "net/http_server.h"
#include "util/fs.h"

namespace kiln::net::testing {

inline constexpr std::chrono::seconds kPatience{20};
inline Deadline soon() {
    return Deadline::after(kPatience);
}

// Stops when it leaves the scope, executor last.
class TestServer {
  public:
    explicit TestServer(HttpHandler handler, HttpServerOptions options = {},
                        std::size_t threads = 4, std::size_t queue = 64);
    std::uint16_t port() const { return server_->port(); }
    std::string url() const { return "http://127.0.0.1:" + std::to_string(port()); }
    HttpServer& server() { return *server_; }
    Executor& executor() { return executor_; }

  private:
    Executor executor_;
    std::unique_ptr<HttpServer> server_;
};

class RawClient {
  public:
    explicit RawClient(std::uint16_t port);
    explicit RawClient(const std::string& socket_path);
    // False when the peer is gone.
    bool say(std::string_view text);
    // Reads until `text` was seen, the peer closes or patience ends; returns what came, from the
    // last call on.
    std::string read_until(std::string_view text);
    // What comes next; empty at the end or when patience ends.
    std::string read_some();
    std::string read_to_end() { return read_until(std::string_view()); }
    bool at_end() const { return at_end_; }
    void reset();  // closes with RST
    int fd() const { return fd_.get(); }

  private:
    UniqueFd fd_;
    std::string pending_;
    bool at_end_ = false;
};

std::string get(std::string_view path);  // a whole GET request
std::string status_line(const std::string& answer);
// Answers with what it was asked: "METHOD PATH ? QUERY\nBODY".
void echo(const HttpRequest& request, BodyReader& body, ResponseWriter& out);
// Asks again until the condition holds; false when patience ends.
bool eventually(const std::function<bool()>& condition);

}  // namespace kiln::net::testing
