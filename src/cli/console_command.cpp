// SPDX-License-Identifier: Apache-2.0
#include "cli/console_command.h"

#include <fmt/format.h>
#include <termios.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "cli/print.h"
#include "net/relay.h"
#include "util/encoding.h"

namespace kiln::cli {
namespace {

using nlohmann::json;

constexpr char kEscape = 0x1d;  // ^]
constexpr std::chrono::milliseconds kLookAgain{500};

// The terminal in raw mode: every key goes to the guest, ^C too.
class RawTerminal {
  public:
    RawTerminal() : raw_(::isatty(STDIN_FILENO) != 0 && ::tcgetattr(STDIN_FILENO, &before_) == 0) {
        if (raw_) {
            termios now = before_;
            ::cfmakeraw(&now);
            ::tcsetattr(STDIN_FILENO, TCSANOW, &now);
        }
    }
    ~RawTerminal() { restore(); }
    RawTerminal(const RawTerminal&) = delete;
    RawTerminal& operator=(const RawTerminal&) = delete;
    bool raw() const { return raw_; }
    void restore() {
        if (raw_) {
            ::tcsetattr(STDIN_FILENO, TCSANOW, &before_);
        }
    }

  private:
    termios before_{};
    const bool raw_;
};

// Until ^]. What was typed before it in the same piece still goes out.
void send_keys(net::Tunnel& tunnel) {
    char piece[4096];
    while (true) {
        const ssize_t n = ::read(STDIN_FILENO, piece, sizeof piece);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        const std::string_view typed(piece, n > 0 ? static_cast<std::size_t>(n) : 0);
        const auto escape = typed.find(kEscape);
        const bool ended = typed.empty() || escape != typed.npos;
        if (!tunnel.write(as_bytes(typed.substr(0, escape)), Deadline::never()) || ended) {
            tunnel.close();
            return;
        }
    }
}

}  // namespace

int run_console(const ClientChoices& choices, const std::string& instance) {
    std::signal(SIGPIPE, SIG_IGN);
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    auto tunnel = (*client)->open_tunnel("/kiln/v1/instances/" + instance + "/console");
    if (!tunnel) {
        return fail(tunnel.error());
    }
    RawTerminal terminal;
    if (terminal.raw()) {
        std::fprintf(stderr, "Connected to the serial console of %s; ^] ends it.\r\n",
                     instance.c_str());
    }
    std::thread([raw = tunnel->get(), keys = terminal.raw()] {
        if (keys) {
            send_keys(*raw);
        } else {
            net::relay_into(*raw, STDIN_FILENO);
        }
    }).detach();
    net::relay_out(**tunnel, STDOUT_FILENO);
    terminal.restore();
    // The other thread may still wait for a key, and is not waited for.
    ::_exit(0);
}

int run_logs(const ClientChoices& choices, const std::string& instance, bool follow) {
    auto client = Client::create(choices);
    if (!client) {
        return fail(client.error());
    }
    std::uint64_t from = 0;
    while (true) {
        const auto answer = (*client)->call(
            "GET", fmt::format("/kiln/v1/instances/{}/log?from={}", instance, from));
        if (!answer) {
            return fail(answer.error());
        }
        const json piece = json::parse(*answer);
        const auto bytes = base64_decode(piece["bytes"].get<std::string>());
        if (!bytes) {
            return fail(bytes.error());
        }
        std::fwrite(bytes->data(), 1, bytes->size(), stdout);
        if (std::fflush(stdout) != 0) {
            return 1;  // nobody reads any more
        }
        from = piece["next"].get<std::uint64_t>();
        if (bytes->empty()) {
            if (!follow) {
                return 0;
            }
            std::this_thread::sleep_for(kLookAgain);
        }
    }
}

}  // namespace kiln::cli
