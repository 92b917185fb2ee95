// SPDX-License-Identifier: Apache-2.0
// The server against raw sockets: what it refuses, what it does with slow, vanishing and too many
// clients, how it stops.
#include <doctest/doctest.h>
#include <sys/socket.h>

#include <future>
#include <thread>

#include "net/detail/stream.h"
#include "net/http_server.h"
#include "net/tests/http_support.h"

using namespace kiln;
using namespace kiln::net;
using namespace kiln::net::testing;
using std::chrono::milliseconds;

TEST_CASE("malformed requests are answered with 400 and closed") {
    std::atomic<int> handled = 0;
    TestServer server([&](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
        ++handled;
        echo(request, body, out);
    });
    const std::string post = "POST / HTTP/1.1\r\nHost: t\r\n";
    for (const std::string& request :
         {std::string("nonsense\r\n\r\n"), std::string("GET / HTTP/9.9\r\n\r\n"),
          std::string("GET  / HTTP/1.1\r\nHost: t\r\n\r\n"), std::string("GET / HTTP/1.1\r\n\r\n"),
          std::string("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
          std::string("GET / HTTP/1.1\r\nHost: t\r\nbad name: x\r\n\r\n"),
          "GET / HTTP/1.1\r\nHost: t\r\nNul: a" + std::string(1, 0) + "b\r\n\r\n",
          post + "Content-Length: -1\r\n\r\n",
          post + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
          post + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          post + "Content-Length: 99999999999999999999999\r\n\r\n"}) {
        CAPTURE(request);
        RawClient client(server.port());
        REQUIRE(client.say(request));
        const std::string answer = client.read_to_end();
        CHECK(status_line(answer) == "HTTP/1.1 400 Bad Request");
        CHECK(client.at_end());
    }
    CHECK(handled == 0);
    RawClient gzip(server.port());
    REQUIRE(gzip.say(post + "Transfer-Encoding: gzip, chunked\r\n\r\n"));
    CHECK(status_line(gzip.read_to_end()) == "HTTP/1.1 501 Not Implemented");
    RawClient chunk(server.port());
    REQUIRE(chunk.say(post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n"));
    CHECK(status_line(chunk.read_to_end()) == "HTTP/1.1 400 Bad Request");  // by the handler
    CHECK(handled == 1);
}

TEST_CASE("a header beyond the limit is refused with 431, one just below it is taken") {
    TestServer server(echo);
    RawClient fits(server.port());
    REQUIRE(fits.say("GET / HTTP/1.1\r\nHost: t\r\nX: " + std::string(60'000, 'x') + "\r\n\r\n"));
    CHECK(fits.read_until("\r\n\r\n").starts_with("HTTP/1.1 200"));
    RawClient one(server.port());
    one.say("GET / HTTP/1.1\r\nHost: t\r\nX: " + std::string(70'000, 'x') + "\r\n\r\n");
    CHECK(status_line(one.read_to_end()) == "HTTP/1.1 431 Request Header Fields Too Large");
    RawClient many(server.port());
    std::string request = "GET / HTTP/1.1\r\nHost: t\r\n";
    while (request.size() < 70'000) {
        request += "Field: value of it\r\n";
    }
    many.say(request);
    CHECK(status_line(many.read_to_end()) == "HTTP/1.1 431 Request Header Fields Too Large");
}

TEST_CASE("a client that trickles its header is sent away, one that idles is dropped") {
    HttpServerOptions options;
    options.header_timeout = milliseconds(150);
    options.idle_timeout = milliseconds(300);
    TestServer server(echo, options);
    RawClient trickling(server.port());
    REQUIRE(trickling.say("GET / HTTP/1.1\r\nHo"));
    CHECK(status_line(trickling.read_to_end()) == "HTTP/1.1 408 Request Timeout");
    RawClient idle(server.port());
    REQUIRE(idle.say(get("/")));
    CHECK(idle.read_until("GET / ? \n").starts_with("HTTP/1.1 200"));
    CHECK(idle.read_to_end().empty());
    CHECK(idle.at_end());
}

TEST_CASE(
    "a body that stops coming ends the read at the server's timeout or the caller's deadline") {
    std::promise<Code> result[2];
    HttpServerOptions options;
    options.body_read_timeout = milliseconds(200);
    TestServer server(
        [&](const HttpRequest& request, BodyReader& body, ResponseWriter&) {
            const bool own = request.path == "/1";
            const Result<Bytes> data =
                body.read_all(1000, own ? Deadline::after(milliseconds(20)) : Deadline::never());
            result[own ? 1 : 0].set_value(data ? Code::internal : data.error().code());
        },
        options);
    for (const char* path : {"/0", "/1"}) {
        RawClient client(server.port());
        REQUIRE(client.say("POST " + std::string(path) +
                           " HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc"));
        // A handler that gives no answer is answered for.
        CHECK(status_line(client.read_to_end()) == "HTTP/1.1 500 Internal Server Error");
    }
    CHECK(result[0].get_future().get() == Code::deadline_exceeded);
    CHECK(result[1].get_future().get() == Code::deadline_exceeded);
}

TEST_CASE(
    "a client that vanishes in the middle of the body, politely or not, is an error for the "
    "handler") {
    std::promise<Code> codes[2];
    TestServer server([&](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
        const Result<Bytes> data = body.read_all(1000, soon());
        codes[request.path == "/reset" ? 1 : 0].set_value(data ? Code::internal
                                                               : data.error().code());
        (void)out.send(as_bytes("too late"));
    });
    RawClient closing(server.port());
    REQUIRE(closing.say("POST /close HTTP/1.1\r\nHost: t\r\nContent-Length: 10\r\n\r\nabc"));
    ::shutdown(closing.fd(), SHUT_WR);
    RawClient resetting(server.port());
    REQUIRE(resetting.say(
        "POST /reset HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab"));
    resetting.reset();
    CHECK(codes[0].get_future().get() == Code::unavailable);
    CHECK(codes[1].get_future().get() == Code::unavailable);
}

TEST_CASE(
    "a full queue answers 503 with the caller's words, and the connection without a body goes on") {
    std::promise<void> go;
    std::shared_future<void> gate = go.get_future().share();
    std::atomic<int> started = 0;
    HttpServerOptions options;
    options.overload = [](const HttpRequest& request) {
        return CannedResponse{
            503, {{"Content-Type", "text/xml"}}, "<busy>" + request.path + "</busy>"};
    };
    TestServer server(
        [&](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
            ++started;
            gate.wait();
            echo(request, body, out);
        },
        options, 1, 1);
    RawClient running(server.port());
    REQUIRE(running.say(get("/running")));
    REQUIRE(eventually([&] { return started == 1; }));
    REQUIRE(server.executor()
                .submit([gate] { gate.wait(); })
                .has_value());  // the one place in the queue
    RawClient refused(server.port());
    REQUIRE(refused.say(get("/refused")));
    const std::string answer = refused.read_until("</busy>");
    CHECK(status_line(answer) == "HTTP/1.1 503 Service Unavailable");
    CHECK(answer.find("Content-Type: text/xml\r\n") != answer.npos);
    CHECK(answer.ends_with("<busy>/refused</busy>"));
    RawClient with_body(server.port());
    REQUIRE(with_body.say("POST /body HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\nhello"));
    CHECK(with_body.read_to_end().find("<busy>/body</busy>") != std::string::npos);
    CHECK(with_body.at_end());
    go.set_value();
    CHECK(running.read_until("/running ? \n").starts_with("HTTP/1.1 200"));
    std::promise<void> emptied;
    REQUIRE(eventually(
        [&] { return server.executor().submit([&] { emptied.set_value(); }).has_value(); }));
    emptied.get_future().wait();
    REQUIRE(refused.say(get("/again")));
    CHECK(refused.read_until("/again ? \n").starts_with("HTTP/1.1 200"));
}

TEST_CASE("fifty clients at once, a hundred requests each, are all served") {
    TestServer server(echo, {}, 4, 64);
    std::atomic<int> served = 0;
    std::vector<std::thread> clients;
    for (int i = 0; i < 50; ++i) {
        clients.emplace_back([&, i] {
            RawClient client(server.port());
            for (int j = 0; j < 100; ++j) {
                const std::string path = "/" + std::to_string(i) + "/" + std::to_string(j);
                if (client.say(get(path)) &&
                    client.read_until(path + " ? \n").starts_with("HTTP/1.1 200")) {
                    ++served;
                }
            }
        });
    }
    for (std::thread& client : clients) {
        client.join();
    }
    CHECK(served == 5000);
}

TEST_CASE("beyond max_connections clients wait until one leaves") {
    HttpServerOptions options;
    options.max_connections = 2;
    TestServer server(echo, options);
    auto first = std::make_unique<RawClient>(server.port());
    RawClient second(server.port());
    REQUIRE(first->say(get("/1")));
    REQUIRE(second.say(get("/2")));
    CHECK(first->read_until("/1 ? \n").starts_with("HTTP/1.1 200"));
    CHECK(second.read_until("/2 ? \n").starts_with("HTTP/1.1 200"));
    RawClient third(server.port());  // in the kernel's backlog
    REQUIRE(third.say(get("/3")));
    CHECK_FALSE(
        detail::wait_ready(third.fd(), detail::Wait::readable, Deadline::after(milliseconds(100)))
            .has_value());
    first.reset();
    CHECK(third.read_until("/3 ? \n").starts_with("HTTP/1.1 200"));
}

TEST_CASE("a refusal reaches a client that is still sending, and ends the connection") {
    TestServer server([](const HttpRequest&, BodyReader&, ResponseWriter& out) {
        out.set_status(403);
        (void)out.send(as_bytes("no\n"));
    });
    RawClient client(server.port());
    REQUIRE(client.say("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 3000000\r\n\r\n"));
    REQUIRE(client.say(std::string(3'000'000, 'x')));
    const std::string answer = client.read_to_end();
    CHECK(status_line(answer) == "HTTP/1.1 403 Forbidden");
    CHECK(answer.find("Connection: close\r\n") != answer.npos);
    CHECK(answer.ends_with("no\n"));
}

TEST_CASE("a short body the handler did not read is skipped, and the next request is served") {
    TestServer server([](const HttpRequest& request, BodyReader&, ResponseWriter& out) {
        (void)out.send(as_bytes(request.path + "!"));
    });
    RawClient client(server.port());
    REQUIRE(client.say("PUT /1 HTTP/1.1\r\nHost: t\r\nContent-Length: 100000\r\n\r\n"));
    CHECK(client.read_until("/1!").starts_with("HTTP/1.1 200"));
    REQUIRE(client.say(std::string(100'000, 'x') + get("/2")));
    CHECK(client.read_until("/2!").starts_with("HTTP/1.1 200"));
}

TEST_CASE("stop() closes idle connections, lets a request finish, and refuses new ones") {
    std::promise<void> go;
    std::shared_future<void> gate = go.get_future().share();
    std::atomic<int> started = 0;
    TestServer server([&](const HttpRequest& request, BodyReader& body, ResponseWriter& out) {
        ++started;
        gate.wait();
        echo(request, body, out);
    });
    RawClient idle(server.port());
    RawClient busy(server.port());
    REQUIRE(busy.say(get("/busy")));
    REQUIRE(eventually([&] { return started == 1; }));
    std::thread stopping([&] { server.server().stop(std::chrono::seconds(20)); });
    CHECK(idle.read_to_end().empty());
    CHECK(idle.at_end());
    go.set_value();
    const std::string answer = busy.read_to_end();
    CHECK(answer.starts_with("HTTP/1.1 200"));
    CHECK(answer.find("Connection: close\r\n") != answer.npos);
    CHECK(answer.ends_with("/busy ? \n"));
    stopping.join();
}

TEST_CASE("stop() cuts off a handler that waits for its client when the grace is over") {
    std::atomic<int> started = 0;
    std::promise<Code> code;
    TestServer server([&](const HttpRequest&, BodyReader& body, ResponseWriter&) {
        ++started;
        const Result<Bytes> data = body.read_all(100, Deadline::never());
        code.set_value(data ? Code::internal : data.error().code());
    });
    RawClient client(server.port());
    REQUIRE(client.say("PUT / HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\n\r\n"));
    REQUIRE(eventually([&] { return started == 1; }));
    server.server().stop(milliseconds(10));
    CHECK(code.get_future().get() == Code::unavailable);
}

TEST_CASE("a port in use and a malformed address are errors, as is TLS with half its files") {
    Executor executor("test", 1, 1);
    TestServer server(echo);
    const auto code = [&](HttpServerOptions options) {
        const auto result = HttpServer::create(std::move(options), executor, echo);
        return result ? Code::internal : result.error().code();
    };
    CHECK(code({.address = "localhost"}) == Code::invalid_argument);
    CHECK(code({.address = "127.0.0.1", .port = server.port()}) != Code::internal);
    CHECK(code({.tls_certificate_path = "/nonexistent"}) == Code::invalid_argument);
    CHECK(code({.tls_certificate_path = "/nonexistent", .tls_key_path = "/nonexistent"}) ==
          Code::invalid_argument);
}
