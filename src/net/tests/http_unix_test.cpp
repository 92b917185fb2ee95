// SPDX-License-Identifier: Apache-2.0
// The server on unix sockets: who came by which, what each may take, opening and closing.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>

#include "net/http_server.h"
#include "net/tests/http_support.h"

using namespace kiln;
using namespace kiln::net;
using namespace kiln::net::testing;

namespace {

// A directory of its own for socket files.
class Folder {
  public:
    Folder() { REQUIRE(::mkdtemp(path_) != nullptr); }
    ~Folder() { CHECK(::rmdir(path_) == 0); }  // every socket file must be gone
    std::string file(const std::string& name) const { return std::string(path_) + "/" + name; }

  private:
    char path_[32] = "/tmp/kiln-http-XXXXXX";
};

HttpServerOptions no_address() {
    HttpServerOptions options;
    options.address.clear();
    return options;
}

void say_listener(const HttpRequest& request, BodyReader&, ResponseWriter& out) {
    (void)out.send(as_bytes(request.listener + " " + request.peer + "."));
}

UnixListenerOptions at(const std::string& path, const std::string& label) {
    UnixListenerOptions options;
    options.path = path;
    options.label = label;
    return options;
}

std::string ask(const std::string& path) {
    RawClient client(path);
    REQUIRE(client.say("GET / HTTP/1.0\r\n\r\n"));
    const std::string answer = client.read_to_end();
    return answer.substr(answer.find("\r\n\r\n") + 4);
}

bool exists(const std::string& path) {
    return ::access(path.c_str(), F_OK) == 0;
}

}  // namespace

TEST_CASE("a request over a unix socket says by which listener it came") {
    const Folder folder;
    TestServer server(say_listener, no_address());
    CHECK(server.port() == 0);
    REQUIRE(server.server().listen_unix(at(folder.file("a"), "i-a")));
    REQUIRE(server.server().listen_unix(at(folder.file("b"), "i-b")));
    CHECK(ask(folder.file("a")) == "i-a unix.");
    CHECK(ask(folder.file("b")) == "i-b unix.");
    server.server().stop(std::chrono::milliseconds(0));
    CHECK_FALSE(exists(folder.file("a")));
}

TEST_CASE("an address and unix sockets are served side by side") {
    const Folder folder;
    TestServer server(say_listener);
    REQUIRE(server.server().listen_unix(at(folder.file("s"), "label")));
    CHECK(ask(folder.file("s")) == "label unix.");
    RawClient client(server.port());
    REQUIRE(client.say(get("/")));
    CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(client.read_until(".") == " 127.");  // no listener's label
    server.server().stop(std::chrono::milliseconds(0));
}

TEST_CASE("a socket file has the rights asked for, and one left by a killed server is replaced") {
    const Folder folder;
    const std::string path = folder.file("s");
    {
        TestServer first(say_listener, no_address());
        REQUIRE(first.server().listen_unix(at(path, "first")));
        // As if it had been killed: the name stays when the server has unlinked its own.
        REQUIRE(::link(path.c_str(), folder.file("kept").c_str()) == 0);
    }
    REQUIRE(::rename(folder.file("kept").c_str(), path.c_str()) == 0);
    TestServer server(say_listener, no_address());
    UnixListenerOptions options = at(path, "second");
    options.mode = 0640;
    options.owner = ::geteuid();
    REQUIRE(server.server().listen_unix(options));
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777U) == 0640);
    CHECK(ask(path) == "second unix.");
    server.server().stop(std::chrono::milliseconds(0));
}

TEST_CASE("what cannot be listened on is refused") {
    const Folder folder;
    TestServer server(say_listener, no_address());
    HttpServer& http = server.server();
    const Status too_long = http.listen_unix(at("/tmp/" + std::string(103, 'x'), "long"));
    REQUIRE_FALSE(too_long);
    CHECK(too_long.error().code() == Code::invalid_argument);
    REQUIRE(write_file_atomic(folder.file("plain"), "text"));
    const Status file = http.listen_unix(at(folder.file("plain"), "file"));
    REQUIRE_FALSE(file);
    CHECK(file.error().code() == Code::already_exists);
    REQUIRE(remove_file(folder.file("plain")));
    REQUIRE(http.listen_unix(at(folder.file("s"), "one")));
    const Status twice = http.listen_unix(at(folder.file("t"), "one"));
    REQUIRE_FALSE(twice);
    CHECK(twice.error().code() == Code::already_exists);
    http.stop(std::chrono::milliseconds(0));
    const Status late = http.listen_unix(at(folder.file("late"), "late"));
    REQUIRE_FALSE(late);
    CHECK(late.error().code() == Code::failed_precondition);
}

TEST_CASE(
    "a closed listener ends its connections, finishes its requests, and can be opened again") {
    const Folder folder;
    std::promise<void> go;
    std::promise<void> begun;
    std::shared_future<void> gate = go.get_future().share();
    TestServer server(
        [&](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
            if (request.path == "/slow") {
                begun.set_value();
                gate.wait();
            }
            say_listener(request, body, out);
        },
        no_address());
    HttpServer& http = server.server();
    const std::string path = folder.file("s");
    REQUIRE(http.listen_unix(at(path, "a")));
    REQUIRE(http.listen_unix(at(folder.file("other"), "b")));
    RawClient idle(path);
    REQUIRE(idle.say(get("/")));
    CHECK(idle.read_until("unix.").starts_with("HTTP/1.1 200"));
    RawClient other(folder.file("other"));
    RawClient busy(path);
    REQUIRE(busy.say(get("/slow")));
    begun.get_future().wait();
    http.close_listener("a");
    http.close_listener("a");  // once more is no error
    CHECK_FALSE(exists(path));
    CHECK(idle.read_to_end().empty());
    CHECK(idle.at_end());
    REQUIRE(http.listen_unix(at(path, "a")));
    go.set_value();
    CHECK(busy.read_to_end().ends_with("a unix."));
    CHECK(busy.at_end());
    REQUIRE(other.say(get("/")));
    CHECK(other.read_until("unix.").ends_with("b unix."));
    CHECK(ask(path) == "a unix.");
    http.stop(std::chrono::milliseconds(0));
}

TEST_CASE("one listener cannot take the threads of the others") {
    const Folder folder;
    std::promise<void> go;
    std::shared_future<void> gate = go.get_future().share();
    std::atomic<int> waiting = 0;
    TestServer server(
        [&](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
            if (request.listener == "greedy") {
                ++waiting;
                gate.wait();
            }
            say_listener(request, body, out);
        },
        no_address(), 3, 8);
    UnixListenerOptions greedy = at(folder.file("g"), "greedy");
    greedy.max_requests = 2;
    greedy.max_connections = 6;
    REQUIRE(server.server().listen_unix(greedy));
    REQUIRE(server.server().listen_unix(at(folder.file("m"), "modest")));
    std::vector<std::unique_ptr<RawClient>> clients;
    for (int i = 0; i < 8; ++i) {  // two of them beyond the listener's connections
        clients.push_back(std::make_unique<RawClient>(greedy.path));
        REQUIRE(clients.back()->say("GET / HTTP/1.0\r\n\r\n"));
    }
    REQUIRE(eventually([&] { return waiting == 2; }));
    for (int i = 0; i < 5; ++i) {
        CHECK(ask(folder.file("m")) == "modest unix.");
    }
    CHECK(waiting == 2);
    go.set_value();
    for (const auto& client : clients) {
        CHECK(client->read_to_end().ends_with("greedy unix."));
    }
    CHECK(waiting == 8);
    server.server().stop(std::chrono::milliseconds(0));
}

TEST_CASE("requests waiting for their turn are carried out when the executor is full or ends") {
    const Folder folder;
    std::promise<void> go;
    std::shared_future<void> gate = go.get_future().share();
    std::atomic<int> seen = 0;
    {
        TestServer server(
            [&](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
                ++seen;
                gate.wait();
                say_listener(request, body, out);
            },
            no_address(), 1, 1);
        UnixListenerOptions options = at(folder.file("s"), "s");
        options.max_requests = 1;
        REQUIRE(server.server().listen_unix(options));
        std::vector<std::unique_ptr<RawClient>> clients;
        for (int i = 0; i < 4; ++i) {
            clients.push_back(std::make_unique<RawClient>(options.path));
            REQUIRE(clients.back()->say("GET / HTTP/1.0\r\n\r\n"));
        }
        REQUIRE(eventually([&] { return seen == 1; }));
        REQUIRE(server.executor().submit([&] { gate.wait(); }));  // the queue is full now
        go.set_value();
        for (const auto& client : clients) {
            CHECK(client->read_to_end().ends_with("s unix."));
        }
    }
    CHECK(seen == 4);
}

TEST_CASE("a body that nobody reads closes the connection where nothing is to be skipped") {
    HttpServerOptions options;
    options.max_drain_bytes = 0;
    TestServer server(say_listener, options);
    RawClient client(server.port());
    REQUIRE(client.say("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\n"));
    CHECK(client.read_to_end().find("\r\nConnection: close\r\n") != std::string::npos);
}
