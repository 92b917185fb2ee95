// SPDX-License-Identifier: Apache-2.0
#include "compute/network/control_server.h"

#include <sys/socket.h>

#include <cerrno>

namespace kiln::compute {
namespace {

// The daemon uses one at a time; a person may look besides.
constexpr std::size_t kMaxClients = 8;

}  // namespace

std::span<pollfd> ControlServer::prepare() {
    watched_.clear();
    watched_.push_back({clients_.size() < kMaxClients ? listener_.get() : -1, POLLIN, 0});
    for (const auto& client : clients_) {
        watched_.push_back({client.socket.get(), POLLIN, 0});
    }
    return watched_;
}

void ControlServer::dispatch() {
    std::size_t at = 1;
    for (auto client = clients_.begin(); client != clients_.end() && at < watched_.size(); ++at) {
        const bool keep = watched_[at].revents == 0 || serve(*client);
        client = keep ? std::next(client) : clients_.erase(client);
    }
    if (watched_[0].revents != 0) {
        accept();
    }
}

void ControlServer::accept() {
    UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (socket) {
        clients_.push_back({std::move(socket), {}});
    }
}

bool ControlServer::serve(Client& client) {
    char bytes[1024];
    const ssize_t n = ::recv(client.socket.get(), bytes, sizeof bytes, MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (n <= 0) {
        return false;
    }
    client.input.append(bytes, static_cast<std::size_t>(n));
    for (auto end = client.input.find('\n'); end != std::string::npos;
         end = client.input.find('\n')) {
        const std::string answer = handler_(decode_command(client.input.substr(0, end))) + "\n";
        client.input.erase(0, end + 1);
        const ssize_t sent =
            ::send(client.socket.get(), answer.data(), answer.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent != static_cast<ssize_t>(answer.size())) {
            return false;
        }
    }
    return client.input.size() <= kMaxCommandBytes;
}

}  // namespace kiln::compute
