// SPDX-License-Identifier: Apache-2.0
#include "compute/network/peer_links.h"

#include <sys/socket.h>

#include <algorithm>
#include <cerrno>

#include "compute/network/frame.h"
#include "compute/qemu/unix_socket.h"

namespace kiln::compute {
namespace {

// Frames that wait between two processes; the host's limit (wmem_max) may be lower.
constexpr int kQueueBytes = 1 << 20;
// Per readiness, so that one busy neighbour cannot starve the others.
constexpr int kMaxFrames = 64;
constexpr int kMaxAccepts = 16;

std::optional<uid_t> user_of(int socket) {
    ucred credentials{};
    socklen_t length = sizeof credentials;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
        return std::nullopt;
    }
    return credentials.uid;
}

}  // namespace

PeerLinks::PeerLinks(UniqueFd listener)
    : listener_(std::move(listener)), buffer_(kMaxFrameBytes + 1) {}

void PeerLinks::prepare(std::vector<pollfd>& watched) const {
    watched.push_back({listener_.get(), POLLIN, 0});
    for (const Incoming& link : incoming_) {
        watched.push_back({link.socket.get(), POLLIN, 0});
    }
}

void PeerLinks::dispatch(std::span<const pollfd> ready, const Admit& admit, const Take& take) {
    std::size_t at = 1;
    for (auto link = incoming_.begin(); link != incoming_.end() && at < ready.size(); ++at) {
        const bool keep = ready[at].revents == 0 || receive(*link, take);
        link = keep ? std::next(link) : incoming_.erase(link);
    }
    if (!ready.empty() && ready[0].revents != 0) {
        accept(admit);
    }
}

void PeerLinks::accept(const Admit& admit) {
    for (int i = 0; i < kMaxAccepts; ++i) {
        UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
        if (!socket) {
            return;
        }
        const auto user = user_of(socket.get());
        const std::size_t allowed = user ? admit(*user) : 0;
        if (allowed > 0) {
            make_room(*user, allowed);
            incoming_.push_back({std::move(socket), *user});
        }
    }
}

void PeerLinks::make_room(uid_t user, std::size_t allowed) {
    const auto same = [user](const Incoming& link) { return link.user == user; };
    const auto count = std::count_if(incoming_.begin(), incoming_.end(), same);
    if (static_cast<std::size_t>(count) >= allowed) {
        incoming_.erase(std::find_if(incoming_.begin(), incoming_.end(), same));
    } else if (incoming_.size() >= kMaxLinks) {
        incoming_.pop_front();
    }
}

bool PeerLinks::receive(Incoming& link, const Take& take) {
    for (int i = 0; i < kMaxFrames; ++i) {
        const ssize_t n = ::recv(link.socket.get(), buffer_.data(), buffer_.size(), MSG_DONTWAIT);
        if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
            return true;
        }
        if (n <= 0) {
            return false;
        }
        // What is longer than a frame is cut to one byte more, and dropped for that.
        take(ByteView(buffer_).first(static_cast<std::size_t>(n)), link.user);
    }
    return true;
}

bool PeerLinks::send(const Neighbour& to, ByteView frame) {
    // Twice: a process that was started again left a connection that leads nowhere.
    for (int attempt = 0; attempt < 2; ++attempt) {
        Outgoing* link = connect(to);
        if (link == nullptr) {
            return false;
        }
        link->used = ++sends_;
        const ssize_t n =
            ::send(link->socket.get(), frame.data(), frame.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n >= 0) {
            return true;
        }
        if (errno != EPIPE && errno != ECONNRESET && errno != ENOTCONN) {
            return false;
        }
        outgoing_.erase(to.address);
    }
    return false;
}

PeerLinks::Outgoing* PeerLinks::connect(const Neighbour& to) {
    if (const auto found = outgoing_.find(to.address); found != outgoing_.end()) {
        if (found->second.path == to.socket) {
            return &found->second;
        }
        outgoing_.erase(found);
    }
    auto socket = connect_frames(to.socket);
    if (!socket) {
        return nullptr;
    }
    (void)::setsockopt(socket->get(), SOL_SOCKET, SO_SNDBUF, &kQueueBytes, sizeof kQueueBytes);
    if (outgoing_.size() >= kMaxLinks) {
        outgoing_.erase(std::min_element(
            outgoing_.begin(), outgoing_.end(),
            [](const auto& a, const auto& b) { return a.second.used < b.second.used; }));
    }
    return &outgoing_.emplace(to.address, Outgoing{std::move(*socket), to.socket, 0}).first->second;
}

void PeerLinks::retain(const Neighbours& neighbours) {
    for (auto link = outgoing_.begin(); link != outgoing_.end();) {
        const Neighbour* known = neighbours.find(link->first);
        const bool keep = known != nullptr && known->socket == link->second.path;
        link = keep ? std::next(link) : outgoing_.erase(link);
    }
}

}  // namespace kiln::compute
