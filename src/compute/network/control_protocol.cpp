// SPDX-License-Identifier: Apache-2.0
#include "compute/network/control_protocol.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "compute/qemu/unix_socket.h"

namespace kiln::compute {
namespace {

using Json = nlohmann::json;

constexpr std::pair<NetworkCommand, std::string_view> kCommands[] = {
    {NetworkCommand::status, "status"},
    {NetworkCommand::reload, "reload"},
    {NetworkCommand::stop, "stop"},
};
// The only kinds of failure a reload has; all else is internal.
constexpr Code kCodes[] = {Code::invalid_argument, Code::failed_precondition, Code::not_found,
                           Code::unsupported,      Code::permission_denied,   Code::internal};

std::string dump(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Error bad_answer() {
    return Error(Code::internal, "the network process gave an answer that is none");
}

std::uint64_t number(const Json& json, const char* key, bool& good) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_number_unsigned()) {
        good = false;
        return 0;
    }
    return found->get<std::uint64_t>();
}

bool flag(const Json& json, const char* key, bool& good) {
    const auto found = json.find(key);
    if (found == json.end() || !found->is_boolean()) {
        good = false;
        return false;
    }
    return found->get<bool>();
}

std::string text(const Json& json, const char* key) {
    const auto found = json.find(key);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

PortForward decode_forward(const Json& json, bool& good) {
    PortForward forward;
    if (!json.is_object()) {
        good = false;
        return forward;
    }
    forward.guest_port = static_cast<std::uint16_t>(number(json, "guest_port", good));
    forward.port = static_cast<std::uint16_t>(number(json, "port", good));
    forward.bound_as_wanted = flag(json, "bound_as_wanted", good);
    const auto address = Ipv4::parse(text(json, "address"));
    good = good && address.has_value();
    forward.address = address.value_or(Ipv4{});
    return forward;
}

std::optional<TunnelStatus> decode_tunnel(const Json& json, bool& good) {
    const auto found = json.find("tunnel");
    if (found == json.end()) {
        return std::nullopt;
    }
    const auto address = Ipv4::parse(found->is_object() ? text(*found, "address") : std::string());
    good = good && address.has_value();
    return address ? std::optional(TunnelStatus{*address, text(*found, "device")}) : std::nullopt;
}

Status wait_for(int fd, short events, Deadline deadline) {
    while (true) {
        pollfd entry{fd, events, 0};
        const int n = ::poll(&entry, 1, static_cast<int>(deadline.left().count()));
        if (n > 0) {
            return ok();
        }
        if (n < 0 && errno != EINTR) {
            return Error::from_errno(errno, "poll");
        }
        if (deadline.passed()) {
            return Error(Code::deadline_exceeded, "the network process does not answer");
        }
    }
}

}  // namespace

std::string encode_command(NetworkCommand command) {
    for (const auto& [value, name] : kCommands) {
        if (value == command) {
            return dump({{"do", name}});
        }
    }
    return {};
}

Result<NetworkCommand> decode_command(std::string_view line) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (json.is_object()) {
        const std::string name = text(json, "do");
        for (const auto& [value, known] : kCommands) {
            if (known == name) {
                return value;
            }
        }
    }
    return Error(Code::invalid_argument, "no command");
}

std::string encode_answer(const Status& status) {
    if (status) {
        return dump({{"ok", true}});
    }
    return dump({{"ok", false},
                 {"code", to_string(status.error().code())},
                 {"message", status.error().message()}});
}

std::string encode_answer(const GuestNetworkStatus& status) {
    Json forwards = Json::array();
    for (const auto& forward : status.forwards) {
        forwards.push_back({{"guest_port", forward.guest_port},
                            {"address", forward.address.text()},
                            {"port", forward.port},
                            {"bound_as_wanted", forward.bound_as_wanted}});
    }
    Json json{{"ok", true},
              {"connected", status.connected},
              {"forwards", std::move(forwards)},
              {"dropped_from_guest", status.dropped_from_guest},
              {"dropped_to_guest", status.dropped_to_guest}};
    if (status.tunnel) {
        json["tunnel"] = {{"address", status.tunnel->address.text()},
                          {"device", status.tunnel->device}};
    }
    return dump(json);
}

Result<GuestNetworkStatus> decode_answer(std::string_view line) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    bool good = json.is_object();
    if (!good) {
        return bad_answer();
    }
    if (!flag(json, "ok", good)) {
        const std::string name = text(json, "code");
        const auto code = std::find_if(std::begin(kCodes), std::end(kCodes),
                                       [&](Code c) { return to_string(c) == name; });
        return Error(code == std::end(kCodes) ? Code::internal : *code,
                     "network process: " + text(json, "message"));
    }
    GuestNetworkStatus status;
    if (!json.contains("connected")) {
        return status;
    }
    status.connected = flag(json, "connected", good);
    status.dropped_from_guest = number(json, "dropped_from_guest", good);
    status.dropped_to_guest = number(json, "dropped_to_guest", good);
    status.tunnel = decode_tunnel(json, good);
    const auto forwards = json.find("forwards");
    if (forwards == json.end() || !forwards->is_array()) {
        return bad_answer();
    }
    for (const Json& item : *forwards) {
        status.forwards.push_back(decode_forward(item, good));
    }
    return good ? Result<GuestNetworkStatus>(std::move(status)) : bad_answer();
}

Result<GuestNetworkStatus> ask_network(const std::string& control_path, NetworkCommand command,
                                       Deadline deadline) {
    TRY_ASSIGN(const UniqueFd socket, connect_unix(control_path));
    const std::string line = encode_command(command) + "\n";
    // A command is far shorter than a socket's buffer: it goes in one piece or not at all.
    if (::send(socket.get(), line.data(), line.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(line.size())) {
        return Error(Code::unavailable, "the network process takes no command");
    }
    std::string answer;
    while (answer.empty() || answer.back() != '\n') {
        TRY(wait_for(socket.get(), POLLIN, deadline));
        char bytes[4096];
        const ssize_t n = ::recv(socket.get(), bytes, sizeof bytes, 0);
        if (n <= 0 || answer.size() > kMaxAnswerBytes) {
            return Error(Code::unavailable, "the network process went away");
        }
        answer.append(bytes, static_cast<std::size_t>(n));
    }
    answer.pop_back();
    return decode_answer(answer);
}

}  // namespace kiln::compute
