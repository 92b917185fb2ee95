// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/qmp.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <thread>

#include "compute/qemu/machine.h"
#include "compute/qemu/qmp_client.h"
#include "compute/qemu/supervisor.h"
#include "compute/tests/worlds.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

namespace {

Deadline shortly() {
    return Deadline::after(std::chrono::milliseconds(50));
}

// The QEMU end of a connection, played line by line.
struct Peer {
    Peer() {
        int ends[2];
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        socket.reset(ends[0]);
        client = std::make_shared<QmpClient>(UniqueFd(ends[1]));
        auto made = Supervisor::create(std::chrono::hours(1), [] {});
        REQUIRE(made);
        supervisor = std::move(*made);
        REQUIRE(supervisor->watch(client->fd(), [c = client] { return !c->on_readable().closed; }));
    }
    void say(std::string_view text) {
        REQUIRE(::send(socket.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
                static_cast<ssize_t>(text.size()));
    }
    std::string hear() {
        char text[4096];
        const ssize_t n = ::recv(socket.get(), text, sizeof text, 0);
        return std::string(text, n > 0 ? static_cast<std::size_t>(n) : 0);
    }

    UniqueFd socket;
    std::shared_ptr<QmpClient> client;
    std::unique_ptr<Supervisor> supervisor;
};

}  // namespace

TEST_CASE("greeting, event, return and error lines are told apart") {
    const auto greeting = parse_qmp_line(R"({"QMP": {"version": {}, "capabilities": ["oob"]}})");
    REQUIRE(greeting);
    CHECK(greeting->kind == QmpMessage::Kind::greeting);

    const auto reply = parse_qmp_line(
        R"({"return": {"status": "running", "singlestep": false, "running": true}, "id": 7})");
    REQUIRE(reply);
    CHECK(reply->kind == QmpMessage::Kind::reply);
    CHECK(reply->id == 7);
    CHECK(reply->string("status") == "running");
    CHECK(reply->flag("running"));
    CHECK_FALSE(reply->flag("singlestep"));
    CHECK_FALSE(reply->flag("status"));
    CHECK(reply->string("absent").empty());

    const auto failure = parse_qmp_line(
        R"({"id": 8, "error": {"class": "CommandNotFound", "desc": "The command x is unknown"}})");
    REQUIRE(failure);
    CHECK(failure->kind == QmpMessage::Kind::failure);
    CHECK(failure->id == 8);
    CHECK(failure->name == "CommandNotFound");
    CHECK(failure->description == "The command x is unknown");
}

TEST_CASE("lines that are not QMP are refused") {
    for (const char* line :
         {"", "x", "[]", "1", "null", "{}", R"({"event": 1})", R"({"error": "x"})",
          R"({"return": {})", "{\"event\": \"\xff\"}", R"({"return": {}} {"return": {}})"}) {
        CAPTURE(line);
        const auto message = parse_qmp_line(line);
        REQUIRE_FALSE(message);
        CHECK(message.error().code() == Code::data_loss);
    }
    CHECK_FALSE(parse_qmp_line("{\"return\": \"" + std::string(kMaxQmpLineBytes, 'x') + "\"}"));
    // Deep nesting costs memory in proportion, not stack.
    CHECK_FALSE(parse_qmp_line(std::string(500'000, '[')));
    CHECK_FALSE(parse_qmp_line(std::string(400'000, '[') + std::string(400'000, ']')));
}

TEST_CASE("QEMU's events become ours") {
    const auto event = [](const char* line) { return translate_event(*parse_qmp_line(line)); };
    using Kind = MachineEvent::Kind;
    CHECK(event(R"({"event": "SHUTDOWN", "data": {"guest": true, "reason": "guest-shutdown"}})")
              ->kind == Kind::shutdown_guest);
    CHECK(event(R"({"event": "SHUTDOWN", "data": {"guest": false, "reason": "host-signal"}})")
              ->kind == Kind::shutdown_host);
    CHECK(
        event(R"({"event": "RESET", "data": {"guest": true, "reason": "guest-reset"}})")->by_guest);
    CHECK(event(R"({"event": "GUEST_PANICKED", "data": {"action": "pause"}})")->kind ==
          Kind::panic);
    const auto io_error = event(
        R"({"event": "BLOCK_IO_ERROR", "data": {"device": "", "nospace": true, "node-name":
            "vol-0123456789abcdef0", "reason": "No space left on device", "operation": "write",
            "action": "stop"}})");
    CHECK(io_error->kind == Kind::io_error);
    CHECK(io_error->no_space);
    CHECK(io_error->disk == "vol-0123456789abcdef0");
    CHECK_FALSE(event(R"({"event": "RTC_CHANGE", "data": {"offset": 0}})"));
    CHECK(state_from_status("shutdown") == MachineState::shut_down);
    CHECK(state_from_status("guest-panicked") == MachineState::panicked);
    CHECK(state_from_status("io-error") == MachineState::io_error);
    CHECK(state_from_status("something new") == MachineState::paused);
}

TEST_CASE("a handshake waits for the greeting and then leaves negotiation") {
    Peer peer;
    Status shaken = ok();
    std::jthread caller([&] { shaken = peer.client->handshake(soon()); });
    peer.say("{\"QMP\": {}}\n");
    CHECK(peer.hear() == "{\"execute\":\"qmp_capabilities\",\"id\":1}\n");
    peer.say("{\"return\": {}, \"id\": 1}\n");
    caller.join();
    CHECK(shaken);
}

TEST_CASE("without a greeting the handshake ends at its deadline") {
    Peer peer;
    CHECK(peer.client->handshake(shortly()).error().code() == Code::deadline_exceeded);
}

TEST_CASE("answers reach the caller that asked, in whatever order and pieces they come") {
    Peer peer;
    std::vector<std::string> answers(2);
    {
        std::vector<std::jthread> callers;
        for (auto& answer : answers) {
            callers.emplace_back([&] {
                const auto reply = peer.client->execute("query-status", soon());
                answer = reply ? std::string(reply->string("status")) : reply.error().to_string();
            });
        }
        std::string heard;
        while (std::count(heard.begin(), heard.end(), '\n') < 2) {
            heard += peer.hear();
        }
        peer.say(
            "{\"return\": {\"status\": \"second\"}, \"id\": 2}\n{\"event\": \"STOP\"}\n{\"ret");
        peer.say("urn\": {\"status\": \"first\"}, \"id\": 1}\n");
    }
    std::sort(answers.begin(), answers.end());
    CHECK(answers == std::vector<std::string>{"first", "second"});
}

TEST_CASE("a refused command is QEMU's own description") {
    Peer peer;
    std::optional<Error> error;
    std::jthread caller([&] { error = peer.client->execute("cont", soon()).error(); });
    peer.hear();
    peer.say("{\"id\": 1, \"error\": {\"class\": \"GenericError\", \"desc\": \"no\"}}\n");
    caller.join();
    CHECK(error->code() == Code::failed_precondition);
    CHECK(error->message() == "QMP cont: no");
}

TEST_CASE("a hanging QEMU costs the caller its deadline, and the late answer is nobody's") {
    Peer peer;
    CHECK(peer.client->execute("stop", shortly()).error().code() == Code::deadline_exceeded);
    peer.hear();
    peer.say("{\"return\": {\"status\": \"late\"}, \"id\": 1}\n");
    std::string status;
    std::jthread caller(
        [&] { status = peer.client->execute("query-status", soon())->string("status"); });
    peer.hear();
    peer.say("{\"return\": {\"status\": \"fresh\"}, \"id\": 2}\n");
    caller.join();
    CHECK(status == "fresh");
}

TEST_CASE("commands to a hanging QEMU are bounded in number") {
    Peer peer;
    std::size_t sent = 0;
    const auto now = Deadline::after(std::chrono::milliseconds(0));
    while (sent < 1000 &&
           peer.client->execute("stop", now).error().code() == Code::deadline_exceeded) {
        ++sent;
    }
    CHECK(sent == 64);
    CHECK(peer.client->execute("stop", now).error().code() == Code::unavailable);
}

TEST_CASE("the end of the connection ends every waiting command") {
    Peer peer;
    std::optional<Error> error;
    std::jthread caller([&] { error = peer.client->execute("stop", soon()).error(); });
    peer.hear();
    peer.socket.reset();
    caller.join();
    CHECK(error->code() == Code::unavailable);
    CHECK(peer.client->closed());
    CHECK(peer.client->execute("stop", soon()).error().code() == Code::unavailable);
}

TEST_CASE("a peer that speaks no QMP, or without end, is cut off") {
    for (const std::string& noise :
         {std::string("hello\n"), std::string(kMaxQmpLineBytes + 2, 'x')}) {
        Peer peer;
        std::jthread speaker([&] {
            // Until we hang up.
            (void)::send(peer.socket.get(), noise.data(), noise.size(), MSG_NOSIGNAL);
        });
        CHECK(eventually([&] { return peer.client->closed(); }));
    }
}
