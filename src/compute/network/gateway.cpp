// SPDX-License-Identifier: Apache-2.0
#include "compute/network/gateway.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "compute/network/dhcp.h"
#include "util/check.h"

namespace kiln::compute {
namespace {

constexpr std::uint32_t kLongestWaitMs = 1000;
constexpr std::uint32_t kReconnectWaitMs = 50;
// An interface of the host that appears is refused to the guest this much later.
constexpr std::chrono::seconds kRefreshEvery(10);
// Packets taken from the tunnel in one turn, so that the guest and the stack have theirs.
constexpr int kTunnelBurst = 64;

}  // namespace

GuestGateway::GuestGateway(const GuestNetworkConfig& config, UniqueFd peers,
                           std::unique_ptr<Tunnel> tunnel)
    : config_(config),
      filter_(config.spec),
      metadata_(metadata_alias(config.spec), config.spec.rules.metadata_hop_limit,
                config.spec.rules.metadata_enabled),
      api_(api_alias(config.spec)),
      link_(config.spec.nic_socket),
      neighbour_file_(config.spec.neighbours_file),
      peers_(std::move(peers)),
      tunnel_(std::move(tunnel)),
      tunnel_path_(config.spec),
      forwards_(
          {[this](Ipv4 address, std::uint16_t port, std::uint16_t guest_port) {
               return uplink_->listen(address, port, guest_port);
           },
           [this](Ipv4 address, std::uint16_t port) { uplink_->stop_listening(address, port); }}) {}

Result<std::unique_ptr<GuestGateway>> GuestGateway::create(const GuestNetworkConfig& config,
                                                           UniqueFd peers,
                                                           std::unique_ptr<Tunnel> tunnel) {
    INVARIANT((tunnel != nullptr) == config.spec.tunnel.has_value());
    std::unique_ptr<GuestGateway> gateway(
        new GuestGateway(config, std::move(peers), std::move(tunnel)));
    TRY(gateway->begin());
    return gateway;
}

Status GuestGateway::begin() {
    TRY_ASSIGN(uplink_, Uplink::create(config_.spec, [this](ByteView frame) { to_guest(frame); }));
    TRY(uplink_->lead_metadata_to(config_.spec.metadata_socket));
    if (!config_.spec.api_socket.empty()) {
        TRY(uplink_->lead_api_to(config_.spec.api_socket));
    }
    refresh_host_addresses();
    refresh_neighbours();
    forwards_.set(config_.spec.rules.public_address, config_.forwards);
    return ok();
}

Status GuestGateway::apply(const GuestNetworkConfig& config) {
    GuestNetworkConfig fixed = config;
    fixed.spec.rules = config_.spec.rules;
    fixed.spec.metadata_socket = config_.spec.metadata_socket;
    fixed.forwards = config_.forwards;
    if (fixed != config_) {
        return Error(Code::failed_precondition,
                     "only rules and the metadata socket can change under a running guest");
    }
    if (config.spec.metadata_socket != config_.spec.metadata_socket) {
        TRY(uplink_->lead_metadata_to(config.spec.metadata_socket));
    }
    config_ = config;
    refresh_host_addresses();
    filter_.set_rules(config.spec.rules);
    metadata_.set(config.spec.rules.metadata_hop_limit, config.spec.rules.metadata_enabled);
    forwards_.set(config.spec.rules.public_address, config.forwards);
    return ok();
}

Status GuestGateway::run_once(std::span<pollfd> others) {
    if (std::chrono::steady_clock::now() >= next_refresh_) {
        refresh_host_addresses();
    }
    link_.reconnect();
    std::uint32_t timeout_ms = link_.connected() ? kLongestWaitMs : kReconnectWaitMs;
    watched_.clear();
    // A guest that does not read makes us read nothing for it: its peers then wait, as they should.
    const bool congested = link_.congested();
    uplink_->prepare(watched_, timeout_ms);
    if (congested) {
        for (auto& entry : watched_) {
            entry.fd = -1;  // poll() skips it
        }
    }
    const std::size_t link_at = watched_.size();
    watched_.push_back({link_.fd(), link_.events(), 0});
    const std::size_t peers_at = watched_.size();
    if (!congested) {
        peers_.prepare(watched_);
    }
    const std::size_t tunnel_at = watched_.size();
    if (tunnel_) {
        watched_.push_back({congested ? -1 : tunnel_->fd(), POLLIN, 0});
    }
    const std::size_t others_at = watched_.size();
    watched_.insert(watched_.end(), others.begin(), others.end());

    const int n = ::poll(watched_.data(), watched_.size(), static_cast<int>(timeout_ms));
    if (n < 0) {
        for (auto& entry : watched_) {
            entry.revents = 0;
        }
    }
    std::copy(watched_.begin() + static_cast<std::ptrdiff_t>(others_at), watched_.end(),
              others.begin());
    // Before any frame of this turn is judged.
    refresh_neighbours();
    uplink_->dispatch(watched_, congested || n < 0);
    peers_.dispatch(
        std::span<const pollfd>(watched_).subspan(peers_at, tunnel_at - peers_at),
        [this](uid_t user) { return links_of(user); },
        [this](ByteView frame, uid_t sender) { from_neighbour(frame, sender); });
    if (watched_[link_at].fd >= 0 && watched_[link_at].revents != 0 &&
        watched_[link_at].fd == link_.fd()) {
        link_.on_ready(watched_[link_at].revents, [this](ByteView frame) { from_guest(frame); });
    }
    return tunnel_ && watched_[tunnel_at].revents != 0 ? read_tunnel() : ok();
}

Status GuestGateway::read_tunnel() {
    std::array<std::uint8_t, kMtu> packet;
    for (int i = 0; i < kTunnelBurst; ++i) {
        TRY_ASSIGN(const std::size_t size, tunnel_->read(packet));
        if (size == 0) {
            return ok();
        }
        const auto frame = tunnel_path_.to_guest(ByteView(packet).first(size));
        if (frame && filter_.from_tunnel(*frame, std::chrono::steady_clock::now())) {
            link_.send(*frame);
        } else {
            ++dropped_to_guest_;
        }
    }
    return ok();
}

void GuestGateway::to_tunnel(ByteView frame) {
    if (!tunnel_->write(tunnel_path_.to_host(frame))) {
        ++dropped_from_guest_;
    }
}

void GuestGateway::from_guest(ByteView frame) {
    switch (filter_.from_guest(frame, std::chrono::steady_clock::now())) {
        case FrameFilter::Route::drop:
            ++dropped_from_guest_;
            return;
        case FrameFilter::Route::arp:
            answer_arp(*parse_arp_request(frame));
            return;
        case FrameFilter::Route::dhcp:
            if (const auto reply = answer_dhcp(config_.spec, frame)) {
                link_.send(*reply);
            }
            return;
        case FrameFilter::Route::metadata: {
            Bytes copy(frame.begin(), frame.end());
            if (const auto reset = metadata_.to_service(copy)) {
                link_.send(*reset);
            } else {
                uplink_->input(copy);
            }
            return;
        }
        case FrameFilter::Route::api: {
            Bytes copy(frame.begin(), frame.end());
            api_.to_service(copy);
            uplink_->input(copy);
            return;
        }
        case FrameFilter::Route::uplink:
            uplink_->input(frame);
            return;
        case FrameFilter::Route::neighbour:
            to_neighbour(frame);
            return;
        case FrameFilter::Route::tunnel:
            to_tunnel(frame);
            return;
    }
}

void GuestGateway::answer_arp(const ArpRequest& request) {
    link_.send(make_arp_reply(request, filter_.station_of(request.target)));
}

void GuestGateway::to_neighbour(ByteView frame) {
    const auto packet = parse_ipv4(frame);
    INVARIANT(packet);
    const Neighbour* to = filter_.neighbours().find(packet->destination);
    INVARIANT(to);
    // Without what pads a short frame.
    if (!peers_.send(*to, frame.first(packet->frame_bytes))) {
        ++dropped_from_guest_;
    }
}

void GuestGateway::from_neighbour(ByteView frame, uid_t sender) {
    const auto station = filter_.from_neighbour(frame, sender, std::chrono::steady_clock::now());
    if (!station) {
        ++dropped_to_guest_;
        return;
    }
    Bytes copy(frame.begin(), frame.end());
    replace_stations(copy, *station, config_.spec.mac);
    link_.send(copy);
}

std::size_t GuestGateway::links_of(uid_t user) const {
    if (config_.user) {
        return filter_.neighbours().has_user(user) ? PeerLinks::kMaxLinksOfUser : 0;
    }
    // All processes are of one user, and the socket is for that user alone.
    return user == ::geteuid() ? PeerLinks::kMaxLinks : 0;
}

void GuestGateway::refresh_neighbours() {
    if (auto neighbours = neighbour_file_.changed()) {
        peers_.retain(*neighbours);
        filter_.set_neighbours(std::move(*neighbours));
    }
}

void GuestGateway::to_guest(ByteView frame) {
    Bytes copy(frame.begin(), frame.end());
    metadata_.to_guest(copy);
    api_.to_guest(copy);
    if (filter_.to_guest(copy, std::chrono::steady_clock::now())) {
        link_.send(copy);
    } else {
        ++dropped_to_guest_;
    }
}

void GuestGateway::refresh_host_addresses() {
    filter_.set_host_addresses(host_addresses());
    filter_.set_tunnelled(tunnelled_addresses());
    next_refresh_ = std::chrono::steady_clock::now() + kRefreshEvery;
}

GuestNetworkStatus GuestGateway::status() const {
    GuestNetworkStatus status;
    status.connected = link_.connected();
    status.forwards = forwards_.list();
    if (tunnel_) {
        status.tunnel = {config_.spec.tunnel->address, tunnel_->device()};
    }
    status.dropped_from_guest = dropped_from_guest_;
    status.dropped_to_guest = dropped_to_guest_;
    return status;
}

}  // namespace kiln::compute
