// SPDX-License-Identifier: Apache-2.0
// The side of the reader's protocol that has the disk, against readers that keep to it and others.
#include "disks/reader.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "disks/sandbox.h"

using namespace kiln;
using namespace kiln::disks;

namespace {

constexpr std::uint64_t kSize = 3 * kPageBytes + 100;

struct Outcome {
    Result<std::string> text;
    std::size_t reads = 0;
};

// `reader` has the socket and the pipe, and both are closed when it returns.
Outcome serve(const std::function<void(int socket, int output)>& reader,
              Deadline deadline = Deadline::after(std::chrono::seconds(20))) {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    const UniqueFd ours(ends[0]);
    auto pipe = make_pipe();
    REQUIRE(pipe);
    std::jthread child([&reader, socket = ends[1], output = pipe->in.release()] {
        const UniqueFd theirs(socket);
        const UniqueFd out(output);
        reader(socket, output);
    });
    Outcome outcome{std::string(), 0};
    const ReadAt read = [&outcome](std::uint64_t offset, MutableByteView into) {
        CHECK(offset + into.size() <= kSize);
        ++outcome.reads;
        std::fill(into.begin(), into.end(), static_cast<std::uint8_t>(offset / kPageBytes + 1));
        return ok();
    };
    outcome.text = serve_reader(ours.get(), pipe->out.get(), {kSize, {}}, read, deadline);
    ::shutdown(ours.get(), SHUT_RDWR);
    pipe->out.reset();
    return outcome;
}

ssize_t ask(int socket, std::uint64_t page, Bytes& answer) {
    std::uint8_t request[8];
    put_le(request, page);
    answer.resize(kPageBytes + 1);
    if (::send(socket, request, sizeof request, MSG_NOSIGNAL) != sizeof request) {
        return -1;
    }
    return ::recv(socket, answer.data(), answer.size(), 0);
}

void say(int output, std::string_view text) {
    CHECK(::write(output, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("pages are served as they are asked for, the last one as short as it is") {
    const Outcome outcome = serve([](int socket, int output) {
        Bytes answer;
        CHECK(ask(socket, 1, answer) == kPageBytes + 1);
        CHECK(answer[0] == 1);
        CHECK(answer[1] == 2);
        CHECK(ask(socket, 3, answer) == 101);
        say(output, "well");
    });
    CHECK(outcome.text.value() == "well");
    CHECK(outcome.reads == 2);
}

TEST_CASE("a reader that asks for what is not there, or in no form, is done with") {
    for (const std::uint64_t page : {std::uint64_t{4}, ~std::uint64_t{0}, std::uint64_t{1} << 48}) {
        const Outcome outcome = serve([page](int socket, int) {
            Bytes answer;
            CHECK(ask(socket, page, answer) <= 0);
        });
        CHECK(outcome.text.error().code() == Code::invalid_argument);
        CHECK(outcome.reads == 0);
    }
    for (const std::size_t length : {1U, 7U, 9U, 5000U}) {
        const Outcome outcome = serve([length](int socket, int) {
            const Bytes request(length, 0);
            CHECK(::send(socket, request.data(), length, MSG_NOSIGNAL) ==
                  static_cast<ssize_t>(length));
            std::uint8_t byte = 0;
            CHECK(::recv(socket, &byte, 1, 0) <= 0);
        });
        CHECK(outcome.text.error().code() == Code::invalid_argument);
    }
}

TEST_CASE("a reader that asks without end is refused pages, and one that takes none is left") {
    Outcome outcome = serve([](int socket, int output) {
        Bytes answer;
        for (std::size_t i = 0; i < kMaxPages; ++i) {
            REQUIRE(ask(socket, 0, answer) == kPageBytes + 1);
        }
        CHECK(ask(socket, 0, answer) == 1);
        CHECK(answer[0] == 0);
        say(output, "tired");
    });
    CHECK(outcome.text.value() == "tired");
    CHECK(outcome.reads == kMaxPages);

    outcome = serve([](int socket, int) {
        const std::uint8_t request[8] = {};
        while (::send(socket, request, sizeof request, MSG_NOSIGNAL) == sizeof request) {
        }
    });
    CHECK(outcome.text.error().code() == Code::invalid_argument);
}

TEST_CASE("a reader that says too much, or nothing at all for too long, is left") {
    std::signal(SIGPIPE, SIG_IGN);
    Outcome outcome = serve([](int, int output) {
        const std::string much(64U << 10, 'x');
        while (::write(output, much.data(), much.size()) > 0) {
        }
    });
    CHECK(outcome.text.error().code() == Code::invalid_argument);
    outcome = serve(
        [](int socket, int) {
            std::uint8_t byte = 0;
            CHECK(::recv(socket, &byte, 1, 0) <= 0);
        },
        Deadline::after(std::chrono::milliseconds(50)));
    CHECK(outcome.text.error().code() == Code::deadline_exceeded);
}

TEST_CASE("the reader's arguments are ranges inside the disk") {
    std::uint64_t size = 0;
    const auto good = [&size](const std::vector<std::string>& words) {
        std::vector<Range> ranges;
        return parse_reader_arguments(words, &size, &ranges) && ranges.size() + 1 == words.size();
    };
    CHECK(good({"100"}));
    CHECK(good({"100", "0:100", "50:50"}));
    CHECK(size == 100);
    for (const char* range : {"0:101", "101:0", "1:100", "1", "1:2:3", "-1:1", "a:b", ":", ""}) {
        CHECK_FALSE(good({"100", range}));
    }
    CHECK_FALSE(good({}));
    CHECK_FALSE(good({"x"}));
}

TEST_CASE("a program in the sandbox that fails, or answers nothing, leaves no findings") {
    const ReadAt read = [](std::uint64_t, MutableByteView) { return ok(); };
    for (const char* program : {"/usr/bin/true", "/usr/bin/false", "/nowhere/kiln"}) {
        CAPTURE(program);
        const auto findings = run_sandboxed_reader({kSize, {{0, kSize}}}, read, program,
                                                   Deadline::after(std::chrono::seconds(20)));
        CHECK(findings.error().code() == Code::invalid_argument);
    }
}
