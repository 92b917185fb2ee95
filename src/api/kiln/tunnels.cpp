// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/tunnels.h"

#include <sys/socket.h>

#include <algorithm>
#include <atomic>

#include "net/relay.h"

namespace kiln::api {

struct Tunnels::Session {
    std::string name;
    std::unique_ptr<net::Tunnel> tunnel;
    UniqueFd socket;
    std::atomic<int> running = 2;
    std::thread in;
    std::thread out;

    void end() {
        tunnel->close();
        ::shutdown(socket.get(), SHUT_RDWR);
        in.join();
        out.join();
    }
};

void Tunnels::forget_ended() {
    std::erase_if(sessions_, [](const std::shared_ptr<Session>& session) {
        if (session->running > 0) {
            return false;
        }
        session->end();
        return true;
    });
}

bool Tunnels::has_room() {
    MutexLock lock(mutex_);
    forget_ended();
    return !stopped_ && sessions_.size() < kMaxTunnels;
}

bool Tunnels::has(const std::string& name) {
    MutexLock lock(mutex_);
    forget_ended();
    return std::any_of(sessions_.begin(), sessions_.end(),
                       [&](const auto& session) { return session->name == name; });
}

void Tunnels::add(std::unique_ptr<net::Tunnel> tunnel, UniqueFd socket, const Kind& kind) {
    MutexLock lock(mutex_);
    if (stopped_) {
        return;
    }
    auto session = std::make_shared<Session>();
    session->name = kind.name;
    session->tunnel = std::move(tunnel);
    session->socket = std::move(socket);
    Session* raw = session.get();
    session->in = std::thread([raw, patience = kind.patience] {
        net::relay_into(*raw->tunnel, raw->socket.get(), patience);
        --raw->running;
    });
    session->out = std::thread([raw] {
        net::relay_out(*raw->tunnel, raw->socket.get());
        --raw->running;
    });
    sessions_.push_back(std::move(session));
}

void Tunnels::stop() {
    std::list<std::shared_ptr<Session>> ending;
    {
        MutexLock lock(mutex_);
        stopped_ = true;
        ending.swap(sessions_);
    }
    for (const auto& session : ending) {
        session->end();
    }
}

}  // namespace kiln::api
