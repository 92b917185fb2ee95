// SPDX-License-Identifier: Apache-2.0
// The guest agent's protocol against an agent that a test scripts.
#include "compute/qemu/guest_agent.h"

#include <doctest/doctest.h>
#include <sys/socket.h>

#include <filesystem>
#include <thread>

#include "compute/qemu/unix_socket.h"

using namespace kiln;
using namespace kiln::compute;

namespace {

Deadline soon() {
    return Deadline::after(std::chrono::seconds(10));
}
Deadline moment() {
    return Deadline::after(std::chrono::milliseconds(200));
}

// Answers each line by `answer`; one connection.
class ScriptedAgent {
  public:
    using Answer = std::function<std::string(const std::string& line)>;
    explicit ScriptedAgent(Answer answer) : answer_(std::move(answer)) {
        std::string folder = (std::filesystem::temp_directory_path() / "kiln-ga-XXXXXX").string();
        REQUIRE(::mkdtemp(folder.data()) != nullptr);
        folder_ = folder;
        auto listener = listen_unix(path());
        REQUIRE(listener);
        listener_ = std::move(*listener);
        thread_ = std::thread([this] { serve(); });
    }
    ~ScriptedAgent() {
        ::shutdown(listener_.get(), SHUT_RDWR);
        thread_.join();
        std::filesystem::remove_all(folder_);
    }
    std::string path() const { return folder_ + "/agent.sock"; }
    // For guest-sync-delimited: what a real agent answers.
    static std::string synchronized(const std::string& line) {
        const auto at = line.find("\"id\":");
        return "\xff{\"return\": " + line.substr(at + 5, line.find('}', at) - at - 5) + "}\n";
    }

  private:
    void serve() {
        const UniqueFd peer(::accept(listener_.get(), nullptr, nullptr));
        std::string seen;
        char piece[512];
        for (ssize_t n = 0; (n = ::recv(peer.get(), piece, sizeof piece, 0)) > 0;) {
            seen.append(piece, static_cast<std::size_t>(n));
            for (auto end = seen.find('\n'); end != std::string::npos; end = seen.find('\n')) {
                const std::string said = answer_(seen.substr(0, end));
                seen.erase(0, end + 1);
                ::send(peer.get(), said.data(), said.size(), MSG_NOSIGNAL);
            }
        }
    }

    const Answer answer_;
    std::string folder_;
    UniqueFd listener_;
    std::thread thread_;
};

bool has(const std::string& line, const char* word) {
    return line.find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("an agent is found behind what it still had to say, freezes and thaws") {
    ScriptedAgent agent([](const std::string& line) -> std::string {
        if (has(line, "guest-sync-delimited")) {
            return "{\"return\": 17}\n{\"ret" + ScriptedAgent::synchronized(line);
        }
        return "{\"return\": 2}\n";
    });
    auto client = GuestAgent::connect(agent.path(), soon());
    REQUIRE_MESSAGE(client, client.error().to_string());
    CHECK(client->freeze(soon()));
    CHECK(client->thaw(soon()));
}

TEST_CASE("an agent that refuses says why") {
    ScriptedAgent agent([](const std::string& line) -> std::string {
        if (has(line, "guest-sync-delimited")) {
            return ScriptedAgent::synchronized(line);
        }
        return R"({"error": {"class": "GenericError", "desc": "frozen already"}})"
               "\n";
    });
    auto client = GuestAgent::connect(agent.path(), soon());
    REQUIRE(client);
    const Status frozen = client->freeze(soon());
    REQUIRE_FALSE(frozen);
    CHECK(frozen.error().code() == Code::failed_precondition);
    CHECK(has(frozen.error().message(), "frozen already"));
}

TEST_CASE("silence, nonsense and a wrong number are no agent") {
    for (const char* said : {"", "no json\n", "\xff{\"return\": -1}\n", "{}\n"}) {
        ScriptedAgent agent([&](const std::string&) { return std::string(said); });
        const auto client = GuestAgent::connect(agent.path(), moment());
        REQUIRE_FALSE(client);
        CHECK(client.error().code() == Code::deadline_exceeded);
    }
    CHECK(GuestAgent::connect("/nowhere/agent.sock", moment()).error().code() == Code::unavailable);
}

TEST_CASE("a line without end is given up") {
    ScriptedAgent agent([](const std::string&) { return std::string(100'000, 'x'); });
    const auto client = GuestAgent::connect(agent.path(), soon());
    REQUIRE_FALSE(client);
    CHECK(client.error().code() == Code::data_loss);
}
