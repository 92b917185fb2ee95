// SPDX-License-Identifier: Apache-2.0
#include "net/http_client.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <thread>

#include "crypto/hash.h"
#include "net/tests/http_support.h"
#include "util/encoding.h"

using namespace kiln;
using namespace kiln::net;
using namespace kiln::net::testing;
using std::chrono::milliseconds;

namespace {

std::unique_ptr<HttpClient> connect(const std::string& url) {
    return std::move(*HttpClient::create(url));
}

// Accepts one connection after the other and says `answer` to whatever comes, then closes.
class Answerer {
  public:
    explicit Answerer(std::string answer)
        : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
        sockaddr_in address{};
        address.sin_family = AF_INET;
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        socklen_t size = sizeof(address);
        REQUIRE(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) == 0);
        REQUIRE(::listen(listener_.get(), 8) == 0);
        ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
        url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
        thread_ = std::thread([this, answer = std::move(answer)] {
            while (true) {
                const UniqueFd fd(::accept(listener_.get(), nullptr, nullptr));
                if (!fd) {
                    return;
                }
                char request[4096];
                (void)!::recv(fd.get(), request, sizeof(request), 0);
                (void)!::send(fd.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
                ::shutdown(fd.get(), SHUT_WR);
                (void)!::recv(fd.get(), request, sizeof(request), 0);
            }
        });
    }
    ~Answerer() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
    }
    const std::string& url() const { return url_; }

  private:
    UniqueFd listener_;
    std::string url_;
    std::thread thread_;
};

}  // namespace

TEST_CASE("URLs are taken apart, and what is no http URL is refused") {
    const Url plain = *parse_url("http://127.0.0.1:4566");
    CHECK(plain.host == "127.0.0.1");
    CHECK(plain.port == 4566);
    CHECK(plain.path == "/");
    CHECK(plain.host_header() == "127.0.0.1:4566");
    const Url full = *parse_url("HTTPS://Example.com/a/b?c#d");
    CHECK(full.scheme == "https");
    CHECK(full.port == 443);
    CHECK(full.path == "/a/b?c");
    CHECK(full.host_header() == "Example.com");
    CHECK(parse_url("http://[::1]:80/")->host_header() == "[::1]");
    CHECK(parse_url("http://[::1]:81")->host == "::1");
    CHECK(parse_url("http://h?x")->path == "/?x");
    for (const char* bad : {"", "127.0.0.1:4566", "ftp://h", "http://", "http://:80", "http://h:0",
                            "http://h:65536", "http://h:x", "http://u@h", "http://[::1",
                            "http://[::1]x", "http://a:b:c", "http://a b", "http://a\r\nb"}) {
        CAPTURE(bad);
        CHECK(parse_url(bad).error().code() == Code::invalid_argument);
    }
    CHECK(HttpClient::create("ftp://h").error().code() == Code::invalid_argument);
}

TEST_CASE(
    "requests go over one connection while the server keeps it, and over a new one when it did "
    "not") {
    std::set<std::string> peers;
    HttpServerOptions options;
    options.idle_timeout = milliseconds(100);
    TestServer server(
        [&](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
            peers.insert(request.peer);
            echo(request, body, out);
        },
        options);
    const auto client = connect(server.url());
    CHECK(client->host_header() == "127.0.0.1:" + std::to_string(server.port()));
    for (int i = 0; i < 3; ++i) {
        const Result<ClientResponse> response =
            client->send({.method = "POST", .target = "/p?q", .body = as_bytes("data")}, soon());
        REQUIRE(response.has_value());
        CHECK(response->status == 200);
        CHECK(response->headers.get("content-type") == "text/plain");
        CHECK(response->body == "POST /p ? q\ndata");
    }
    CHECK(peers.size() == 1);
    std::this_thread::sleep_for(milliseconds(250));  // the server's patience
    CHECK(client->send({.target = "/"}, soon())->status == 200);
    CHECK(peers.size() == 2);
    CHECK(client->send({.method = "HEAD", .target = "/"}, soon())->body.empty());
    CHECK(client->send({.target = "/x"}, soon())->body == "GET /x ? \n");
}

TEST_CASE("a body streams from its source, after the server's 100-continue") {
    TestServer server([](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
        CHECK(request.headers.get("Expect") == "100-continue");
        crypto::Sha256 hash;
        Bytes piece(300'000);
        for (Result<std::size_t> count = body.read(piece, soon()); count && *count > 0;
             count = body.read(piece, soon())) {
            hash.update(ByteView(piece).first(*count));
        }
        (void)out.send(as_bytes(hex_encode(hash.finish())));
    });
    crypto::Sha256 expected;
    std::uint8_t next = 0;
    const BodySource source = [&](MutableByteView out) -> Result<std::size_t> {
        const std::size_t count = std::min<std::size_t>(out.size(), 77'777);
        std::fill_n(out.begin(), count, next++);
        expected.update(out.first(count));
        return count;
    };
    const Result<ClientResponse> response =
        connect(server.url())
            ->send({.method = "PUT", .source = source, .length = 16U << 20}, soon());
    REQUIRE(response.has_value());
    CHECK(response->body == hex_encode(expected.finish()));
}

TEST_CASE(
    "a refused upload returns the refusal: before the body with 100-continue, in its middle "
    "without") {
    TestServer server([](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
        Bytes piece(100);
        if (request.path == "/middle") {
            CHECK(body.read(piece, soon()).has_value());
        }
        out.set_status(403);
        (void)out.send(as_bytes("not you"));
    });
    for (const std::string path : {"/before", "/middle"}) {
        std::uint64_t given = 0;
        const BodySource source = [&](MutableByteView out) -> Result<std::size_t> {
            given += out.size();
            return out.size();
        };
        const auto client = connect(server.url());
        const Result<ClientResponse> response = client->send(
            {.method = "PUT", .target = path, .source = source, .length = 1U << 30}, soon());
        REQUIRE(response.has_value());
        CHECK(response->status == 403);
        CHECK(response->body == "not you");
        CHECK((path == "/before" ? given == 0 : given < 64U << 20));
        CHECK(client->send({.target = "/before"}, soon())->status == 403);
    }
}

TEST_CASE("an answer goes to a sink if it is a success, and is collected if it is an error") {
    TestServer server([](const HttpRequest& request, BodyReader&, ResponseWriter& out) {
        out.set_status(request.path == "/ok" ? 200 : 404);
        REQUIRE(out.begin(std::nullopt).has_value());
        for (int i = 0; i < 100; ++i) {
            (void)out.write(Bytes(10'000, 'x'));
        }
        (void)out.finish();
    });
    const auto client = connect(server.url());
    std::uint64_t got = 0;
    const BodySink sink = [&](ByteView data) -> Status {
        got += data.size();
        return ok();
    };
    CHECK(client->send({.target = "/ok"}, soon(), sink)->body.empty());
    CHECK(got == 1'000'000);
    CHECK(client->send({.target = "/missing"}, soon(), sink)->body.size() == 1'000'000);
    CHECK(got == 1'000'000);
    CHECK(client->send({.target = "/ok"}, soon(), 999'999).error().code() ==
          Code::resource_exhausted);
    const BodySink failing = [](ByteView) -> Status { return Error(Code::out_of_space, "full"); };
    CHECK(client->send({.target = "/ok"}, soon(), failing).error().code() == Code::out_of_space);
    CHECK(client->send({.target = "/ok"}, soon())->body.size() ==
          1'000'000);  // over a new connection
}

TEST_CASE(
    "what goes wrong is told apart: no server, silence, a cut answer, nonsense, a short source") {
    std::string dead_url;
    {
        TestServer gone(echo);
        dead_url = gone.url();
    }
    const Error dead = connect(dead_url)->send({}, soon()).error();
    CHECK(dead.code() == Code::unavailable);
    CHECK(dead.message().find("127.0.0.1") != std::string::npos);

    TestServer slow([](const HttpRequest&, BodyReader& body, ResponseWriter& out) {
        (void)body.read_all(10, soon());
        std::this_thread::sleep_for(milliseconds(200));
        (void)out.send({});
    });
    CHECK(connect(slow.url())->send({}, Deadline::after(milliseconds(30))).error().code() ==
          Code::deadline_exceeded);
    const BodySource empty = [](MutableByteView) -> Result<std::size_t> { return 0; };
    CHECK(connect(slow.url())
              ->send({.method = "PUT", .source = empty, .length = 5}, soon())
              .error()
              .code() == Code::invalid_argument);
    CHECK(connect(slow.url())->send({.headers = {{"X", "a\r\nb"}}}, soon()).error().code() ==
          Code::invalid_argument);
    CHECK(connect(slow.url())->send({.target = "/a b"}, soon()).error().code() ==
          Code::invalid_argument);

    const auto code = [](const std::string& answer) {
        Answerer server(answer);
        const Result<ClientResponse> response = connect(server.url())->send({}, soon());
        return response ? Code::internal : response.error().code();
    };
    CHECK(code("") == Code::unavailable);
    CHECK(code("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc") == Code::unavailable);
    CHECK(code("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n") ==
          Code::unavailable);
    CHECK(code("SSH-2.0-OpenSSH\r\n\r\n") == Code::invalid_argument);
    Answerer until_close("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\nall of it");
    CHECK(connect(until_close.url())->send({}, soon())->body == "all of it");
}

TEST_CASE("upgrade() gives a tunnel, or the server's answer when it declines") {
    TestServer server([](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
        Result<std::unique_ptr<Tunnel>> tunnel = out.upgrade("kiln-tcp");
        if (!tunnel) {
            echo(request, body, out);
            return;
        }
        Bytes buffer(1000);
        for (Result<std::size_t> count = (*tunnel)->read(buffer, soon()); count && *count > 0;
             count = (*tunnel)->read(buffer, soon())) {
            REQUIRE((*tunnel)->write(ByteView(buffer).first(*count), soon()).has_value());
        }
    });
    const auto client = connect(server.url());
    Result<HttpClient::Upgraded> other = client->upgrade({.target = "/x"}, "other", soon());
    REQUIRE(other.has_value());
    CHECK(other->tunnel == nullptr);
    CHECK(other->response.body == "GET /x ? \n");
    Result<HttpClient::Upgraded> upgraded = client->upgrade({.target = "/x"}, "kiln-tcp", soon());
    REQUIRE(upgraded.has_value());
    REQUIRE(upgraded->tunnel != nullptr);
    CHECK(upgraded->response.status == 101);
    CHECK(client->send({.target = "/y"}, soon())->body ==
          "GET /y ? \n");  // the client is free again
    Bytes buffer(100);
    for (const char* word : {"one", "two"}) {
        REQUIRE(upgraded->tunnel->write(as_bytes(word), soon()).has_value());
        CHECK(as_text(ByteView(buffer).first(*upgraded->tunnel->read(buffer, soon()))) == word);
    }
    upgraded->tunnel->finish_writing();
    CHECK(*upgraded->tunnel->read(buffer, soon()) == 0);
}
