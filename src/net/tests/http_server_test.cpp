// SPDX-License-Identifier: Apache-2.0
// The server against raw sockets: what it reads and answers on a connection.
#include "net/http_server.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <future>
#include <thread>

#include "crypto/hash.h"
#include "net/detail/stream.h"
#include "net/tests/http_support.h"
#include "util/encoding.h"

using namespace kiln;
using namespace kiln::net;
using namespace kiln::net::testing;
using std::chrono::milliseconds;

TEST_CASE("a connection carries several requests, also pipelined ones, in order") {
    TestServer server(echo);
    RawClient client(server.port());
    REQUIRE(client.say(get("/a%20b?x=1&y")));
    const std::string first = client.read_until("x=1&y\n");
    CHECK(first.starts_with("HTTP/1.1 200 OK\r\n"));
    CHECK(first.find("Content-Type: text/plain\r\n") != first.npos);
    CHECK(first.find("Connection:") == first.npos);
    CHECK(first.ends_with("\r\n\r\nGET /a%20b ? x=1&y\n"));
    REQUIRE(client.say("POST /1 HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n\r\nabc" + get("/2") +
                       get("/3")));
    CHECK(client.read_until("abc").ends_with("POST /1 ? \nabc"));
    CHECK(client.read_until("GET /2 ? \n").starts_with("HTTP/1.1 200"));
    CHECK(client.read_until("GET /3 ? \n").starts_with("HTTP/1.1 200"));
}

TEST_CASE("Connection: close and HTTP/1.0 end the connection after the answer") {
    TestServer server(echo);
    RawClient closing(server.port());
    REQUIRE(closing.say("GET / HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n"));
    CHECK(closing.read_to_end().find("\r\nConnection: close\r\n") != std::string::npos);
    CHECK(closing.at_end());
    RawClient old(server.port());
    REQUIRE(old.say("GET / HTTP/1.0\r\n\r\n"));
    CHECK(old.read_to_end().ends_with("GET / ? \n"));
    CHECK(old.at_end());
}

TEST_CASE("a target with scheme and host is taken apart like a plain one") {
    TestServer server(echo);
    RawClient client(server.port());
    REQUIRE(client.say("GET http://elsewhere:80/p/q?r HTTP/1.1\r\nHost: t\r\n\r\n"));
    CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
    CHECK(client.read_until("\n") == "GET /p/q ? r\n");
}

TEST_CASE("Expect: 100-continue is answered when the handler asks for the body, and not before") {
    std::promise<void> go;
    std::shared_future<void> gate = go.get_future().share();
    TestServer server([&](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
        gate.wait();
        if (request.path == "/refuse") {
            out.set_status(403);
            (void)out.send({});
            return;
        }
        echo(request, body, out);
    });
    const std::string fields =
        "HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    RawClient client(server.port());
    REQUIRE(client.say("PUT /x " + fields));
    CHECK_FALSE(
        detail::wait_ready(client.fd(), detail::Wait::readable, Deadline::after(milliseconds(50)))
            .has_value());
    go.set_value();
    CHECK(client.read_until("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    REQUIRE(client.say("hello"));
    CHECK(client.read_until("hello").starts_with("HTTP/1.1 200 OK\r\n"));

    RawClient refused(server.port());
    REQUIRE(refused.say("PUT /refuse " + fields));
    const std::string answer = refused.read_to_end();
    CHECK(status_line(answer) == "HTTP/1.1 403 Forbidden");
    CHECK(answer.find("Connection: close") != answer.npos);  // whether the body follows is open
}

TEST_CASE("an expectation other than 100-continue is refused with 417") {
    TestServer server(echo);
    RawClient client(server.port());
    REQUIRE(client.say("GET / HTTP/1.1\r\nHost: t\r\nExpect: coffee\r\n\r\n"));
    CHECK(status_line(client.read_to_end()) == "HTTP/1.1 417 Expectation Failed");
}

TEST_CASE("HEAD is answered with the header of the answer only") {
    TestServer server([](const HttpRequest& request, BodyReader&, ResponseWriter& out) {
        if (request.path == "/whole") {
            (void)out.send(as_bytes("content"));
        } else {
            CHECK(out.begin(std::nullopt).has_value());
            CHECK(out.write(as_bytes("content")).has_value());
            CHECK(out.finish().has_value());
        }
    });
    RawClient client(server.port());
    REQUIRE(client.say(
        "HEAD /whole HTTP/1.1\r\nHost: t\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: t\r\n\r\n" +
        get("/whole")));
    CHECK(client.read_until("\r\n\r\n").find("Content-Length: 7\r\n") != std::string::npos);
    CHECK(client.read_until("\r\n\r\n").find("Transfer-Encoding: chunked\r\n") !=
          std::string::npos);
    CHECK(client.read_until("content").starts_with("HTTP/1.1 200"));
}

TEST_CASE("a chunked body of 64 MiB streams through with bounded memory") {
    std::size_t largest = 0;
    TestServer server([&](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
        CHECK(request.content_length.has_value() == (request.method == "GET"));
        crypto::Sha256 hash;
        Bytes piece(1U << 20);
        while (true) {
            const Result<std::size_t> count = body.read(piece, soon());
            REQUIRE(count.has_value());
            if (*count == 0) {
                break;
            }
            largest = std::max(largest, *count);
            hash.update(ByteView(piece).first(*count));
        }
        (void)out.send(as_bytes(hex_encode(hash.finish())));
    });
    RawClient client(server.port());
    REQUIRE(client.say("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"));
    const std::string chunk(100'000, 'k');
    crypto::Sha256 expected;
    std::size_t sent = 0;
    for (; sent < 64U << 20; sent += chunk.size()) {
        REQUIRE(client.say("186a0;extension=1\r\n" + chunk + "\r\n"));  // 100000
        expected.update(as_bytes(chunk));
    }
    REQUIRE(client.say("0\r\nTrailer: x\r\n\r\n" + get("/next")));
    CHECK(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
    const std::string digest = hex_encode(expected.finish());
    CHECK(client.read_until(digest) == digest);
    // No more than what one read of the socket brings is ever held for the handler.
    CHECK(largest <= kMaxHeaderBytes + kSocketReadBytes);
}

TEST_CASE(
    "an unread body stops the sender: the server takes no more than the socket buffers hold") {
    std::promise<void> go;
    std::shared_future<void> gate = go.get_future().share();
    TestServer server([&](const HttpRequest&, BodyReader& body, ResponseWriter& out) {
        gate.wait();
        Bytes piece(1U << 20);
        std::uint64_t total = 0;
        for (Result<std::size_t> count = body.read(piece, soon()); count && *count > 0;
             count = body.read(piece, soon())) {
            total += *count;
        }
        (void)out.send(as_bytes(std::to_string(total)));
    });
    const std::uint64_t length = 64U << 20;
    std::atomic<std::uint64_t> given = 0;
    std::thread sender([&] {
        RawClient raw(server.port());
        REQUIRE(raw.say("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: " + std::to_string(length) +
                        "\r\n\r\n"));
        const std::string piece(64U << 10, 'x');
        for (std::uint64_t at = 0; at < length; at += piece.size()) {
            REQUIRE(raw.say(piece));
            given += piece.size();
        }
        CHECK(raw.read_until(std::to_string(length)).ends_with(std::to_string(length)));
    });
    // The sender stalls: two looks 100 ms apart see the same count, well before the end.
    std::uint64_t last = 0;
    const Deadline deadline = soon();
    while (!deadline.passed()) {
        const std::uint64_t seen = given;
        if (seen > 0 && seen == last) {
            break;
        }
        last = seen;
        std::this_thread::sleep_for(milliseconds(100));
    }
    CHECK(given < 32U << 20);
    go.set_value();
    sender.join();
}

TEST_CASE(
    "a body over the handler's limit is told without reading it, one of unknown length when it is "
    "reached") {
    TestServer server([](const HttpRequest&, BodyReader& body, ResponseWriter& out) {
        const Result<Bytes> data = body.read_all(10, soon());
        out.set_status(data ? 200 : data.error().code() == Code::resource_exhausted ? 413 : 500);
        (void)out.send({});
    });
    const auto status = [&](const std::string& request) {
        RawClient client(server.port());
        REQUIRE(client.say(request));
        return status_line(client.read_until("\r\n\r\n"));
    };
    const std::string head = "POST / HTTP/1.1\r\nHost: t\r\n";
    CHECK(status(head + "Content-Length: 10\r\n\r\n0123456789") == "HTTP/1.1 200 OK");
    CHECK(status(head + "Content-Length: 11\r\n\r\n") == "HTTP/1.1 413 Content Too Large");
    CHECK(status(head + "Content-Length: 99999999999\r\n\r\n") == "HTTP/1.1 413 Content Too Large");
    const std::string chunked = head + "Transfer-Encoding: chunked\r\n\r\n";
    CHECK(status(chunked + "a\r\n0123456789\r\n0\r\n\r\n") == "HTTP/1.1 200 OK");
    CHECK(status(chunked + "b\r\n0123456789a\r\n0\r\n\r\n") == "HTTP/1.1 413 Content Too Large");
}

TEST_CASE("a chunked body may come byte by byte, and have no chunk but the last") {
    TestServer server(echo);
    for (const char* body : {"0\r\n\r\n", "0\r\nT: x\r\n\r\n", "1\r\na\r\n0\r\n\r\n"}) {
        RawClient client(server.port());
        REQUIRE(client.say("POST / HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n"));
        for (const char byte : std::string_view(body)) {
            REQUIRE(client.say(std::string_view(&byte, 1)));
            std::this_thread::sleep_for(std::chrono::milliseconds(1));  // or they come as one
        }
        CHECK(status_line(client.read_until("\r\n\r\n")) == "HTTP/1.1 200 OK");
    }
}

TEST_CASE("an answer streams in chunks or with its length, held back by a slow reader") {
    std::atomic<std::uint64_t> written = 0;
    TestServer server([&](const HttpRequest& request, BodyReader&, ResponseWriter& out) {
        const std::uint64_t total = 32U << 20;
        const Bytes piece(64U << 10, 'z');
        REQUIRE(out.begin(request.path == "/length" ? std::optional<std::uint64_t>(total)
                                                    : std::nullopt));
        CHECK(out.started());
        for (std::uint64_t at = 0; at < total; at += piece.size()) {
            REQUIRE(out.write(piece, soon()).has_value());
            written += piece.size();
        }
        REQUIRE(out.finish().has_value());
        CHECK(out.send({}).error().code() == Code::failed_precondition);
    });
    for (const char* path : {"/length", "/chunked"}) {
        written = 0;
        RawClient client(server.port());
        REQUIRE(client.say(get(path)));
        std::uint64_t last = 0;
        REQUIRE(eventually([&] {
            std::this_thread::sleep_for(milliseconds(50));
            return written > 0 && std::exchange(last, written) == written;
        }));
        CHECK(written < 32U << 20);
        const bool chunked = std::string_view(path) == "/chunked";
        const std::string head = client.read_until("\r\n\r\n");
        CHECK((head.find("Transfer-Encoding: chunked") != head.npos) == chunked);
        std::uint64_t got = 0;
        bool begins_with_size = false;
        while (got < 32U << 20) {
            const std::string more = client.read_some();
            REQUIRE(!more.empty());
            begins_with_size = begins_with_size || (got == 0 && more.starts_with("10000\r\nz"));
            got += static_cast<std::uint64_t>(std::count(more.begin(), more.end(), 'z'));
        }
        CHECK(begins_with_size == chunked);
    }
}

TEST_CASE("an answer cut short by its handler ends the connection, so that the client can tell") {
    TestServer server([&](const HttpRequest& request, BodyReader&, ResponseWriter& out) {
        REQUIRE(out.begin(request.path == "/length" ? std::optional<std::uint64_t>(100)
                                                    : std::nullopt));
        REQUIRE(out.write(as_bytes("part")).has_value());
        if (request.path == "/length") {
            CHECK(out.finish().error().code() == Code::invalid_argument);
        }
    });
    for (const char* path : {"/length", "/chunked"}) {
        RawClient client(server.port());
        REQUIRE(client.say(get(path)));
        const std::string answer = client.read_to_end();
        CHECK(client.at_end());
        CHECK(answer.find("part") != answer.npos);
        CHECK(answer.find("\r\n0\r\n") == answer.npos);
    }
}

TEST_CASE("a handler's headers cannot split the message or contradict its framing") {
    TestServer server([&](const HttpRequest&, BodyReader&, ResponseWriter& out) {
        out.headers().add("X-Evil", "a\r\nSet-Cookie: b");
        out.headers().add("X Bad", "c");
        out.headers().add("Content-Length", "1");
        out.headers().add("Transfer-Encoding", "chunked");
        out.headers().add("X-Good", "d");
        (void)out.send(as_bytes("body"));
    });
    RawClient client(server.port());
    REQUIRE(client.say(get("/")));
    const std::string head = client.read_until("\r\n\r\n");
    CHECK(head.find("X-Good: d\r\n") != head.npos);
    CHECK(head.find("Content-Length: 4\r\n") != head.npos);
    for (const char* bad : {"Evil", "Cookie", "X Bad", "Length: 1\r", "chunked"}) {
        CHECK(head.find(bad) == head.npos);
    }
}

TEST_CASE(
    "an upgraded connection carries bytes both ways, early ones first, and outlives its handler") {
    std::promise<std::unique_ptr<Tunnel>> made;
    TestServer server([&](const HttpRequest& request, BodyReader&, ResponseWriter& out) {
        if (request.path == "/none") {
            CHECK(out.upgrade("kiln-tcp").error().code() == Code::failed_precondition);
            out.set_status(400);
            (void)out.send({});
            return;
        }
        Result<std::unique_ptr<Tunnel>> tunnel = out.upgrade("kiln-tcp");
        REQUIRE(tunnel.has_value());
        made.set_value(std::move(*tunnel));
    });
    RawClient plain(server.port());
    REQUIRE(plain.say(get("/none")));
    CHECK(status_line(plain.read_until("\r\n\r\n")) == "HTTP/1.1 400 Bad Request");

    RawClient client(server.port());
    REQUIRE(
        client.say("GET /t HTTP/1.1\r\nHost: t\r\nConnection: keep-alive, Upgrade\r\nUpgrade: "
                   "kiln-tcp\r\n\r\nearly"));
    const std::string head = client.read_until("\r\n\r\n");
    CHECK(status_line(head) == "HTTP/1.1 101 Switching Protocols");
    CHECK(head.find("Upgrade: kiln-tcp\r\n") != head.npos);
    CHECK(head.find("Connection: Upgrade\r\n") != head.npos);
    const std::unique_ptr<Tunnel> tunnel = made.get_future().get();
    Bytes buffer(100);
    CHECK(as_text(ByteView(buffer).first(*tunnel->read(buffer, soon()))) == "early");
    CHECK(tunnel->read(buffer, Deadline::after(milliseconds(20))).error().code() ==
          Code::deadline_exceeded);
    REQUIRE(client.say("ping"));
    CHECK(as_text(ByteView(buffer).first(*tunnel->read(buffer, soon()))) == "ping");
    REQUIRE(tunnel->write(as_bytes("pong"), soon()).has_value());
    CHECK(client.read_until("pong") == "pong");
    // A reader blocked in one thread while another writes; then stop() wakes it.
    std::promise<std::size_t> end;
    std::thread reader([&] { end.set_value(tunnel->read(buffer, soon()).value_or(99)); });
    REQUIRE(tunnel->write(as_bytes("more"), soon()).has_value());
    CHECK(client.read_until("more") == "more");
    server.server().stop(milliseconds(0));
    CHECK(end.get_future().get() == 0);
    reader.join();
    CHECK(client.read_to_end().empty());
    CHECK(client.at_end());
}
