// SPDX-License-Identifier: Apache-2.0
#include "compute/network/uplink.h"

#include <slirp/libslirp.h>

#include <chrono>
#include <set>

#include "compute/network/config.h"
#include "compute/network/frame.h"
#include "util/log.h"

namespace kiln::compute {
namespace {

constexpr int kHttpPort = 80;

in_addr wire(Ipv4 address) {
    return {htonl(address.value)};
}

std::int64_t monotonic_ns(void*) {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(
               std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

// Timers serve IPv6 router advertisements alone, which are off; each must still be something.
void* new_timer(SlirpTimerCb, void*, void*) {
    return new char;
}
void free_timer(void* timer, void*) {
    delete static_cast<char*>(timer);
}

struct PollView {
    std::vector<pollfd>* watched;
};

int add_poll(int fd, int events, void* opaque) {
    auto& watched = *static_cast<PollView*>(opaque)->watched;
    int wanted = 0;
    wanted |= (events & SLIRP_POLL_IN) != 0 ? POLLIN : 0;
    wanted |= (events & SLIRP_POLL_OUT) != 0 ? POLLOUT : 0;
    wanted |= (events & SLIRP_POLL_PRI) != 0 ? POLLPRI : 0;
    watched.push_back({fd, static_cast<short>(wanted), 0});
    return static_cast<int>(watched.size()) - 1;
}

int get_revents(int index, void* opaque) {
    const auto& watched = *static_cast<const std::vector<pollfd>*>(opaque);
    const int seen = watched[static_cast<std::size_t>(index)].revents;
    int events = 0;
    events |= (seen & POLLIN) != 0 ? SLIRP_POLL_IN : 0;
    events |= (seen & POLLOUT) != 0 ? SLIRP_POLL_OUT : 0;
    events |= (seen & POLLPRI) != 0 ? SLIRP_POLL_PRI : 0;
    events |= (seen & POLLERR) != 0 ? SLIRP_POLL_ERR : 0;
    events |= (seen & POLLHUP) != 0 ? SLIRP_POLL_HUP : 0;
    return events;
}

}  // namespace

struct Uplink::Stack {
    Sink sink;
    Ipv4 guest;
    Ipv4 metadata_alias;
    Ipv4 api_alias;
    std::set<Ipv4> led;  // aliases that lead somewhere
    SlirpCb callbacks{};
    Slirp* slirp = nullptr;

    static ssize_t on_packet(const void* bytes, std::size_t size, void* opaque) {
        static_cast<Stack*>(opaque)->sink({static_cast<const std::uint8_t*>(bytes), size});
        return static_cast<ssize_t>(size);
    }
    static void on_guest_error(const char* message, void*) { log_debug("network", message); }

    // Replaces what the alias led to.
    Status lead(Ipv4 alias, const std::string& path);

    ~Stack() {
        if (slirp != nullptr) {
            slirp_cleanup(slirp);
        }
    }
};

Uplink::Uplink(std::unique_ptr<Stack> stack) : stack_(std::move(stack)) {}
Uplink::~Uplink() = default;

Result<std::unique_ptr<Uplink>> Uplink::create(const GuestNetworkSpec& spec, Sink sink) {
    auto stack = std::make_unique<Stack>();
    stack->sink = std::move(sink);
    stack->guest = spec.address;
    stack->metadata_alias = metadata_alias(spec);
    stack->api_alias = api_alias(spec);
    SlirpCb& callbacks = stack->callbacks;
    callbacks.send_packet = Stack::on_packet;
    callbacks.guest_error = Stack::on_guest_error;
    callbacks.clock_get_ns = monotonic_ns;
    callbacks.timer_new = new_timer;
    callbacks.timer_free = free_timer;
    callbacks.timer_mod = [](void*, std::int64_t, void*) {};
    callbacks.register_poll_fd = [](int, void*) {};
    callbacks.unregister_poll_fd = [](int, void*) {};
    callbacks.notify = [](void*) {};  // we look anew in every turn anyway

    SlirpConfig config{};
    config.version = 4;  // the first that can switch DHCP off
    config.in_enabled = true;
    config.vnetwork = wire(spec.network.base);
    config.vnetmask = wire({spec.network.mask()});
    config.vhost = wire(spec.router);
    config.vnameserver = wire(spec.dns);
    config.vdhcp_start = wire(spec.address);
    config.if_mtu = kMtu;
    config.if_mru = kMtu;
    config.disable_host_loopback = true;
    config.disable_dhcp = true;
    stack->slirp = slirp_new(&config, &callbacks, stack.get());
    if (stack->slirp == nullptr) {
        return Error(Code::internal, "libslirp refused its configuration");
    }
    // The stack learns where the guest is from us: it need not ask, and after a restart under a
    // running guest the first packet already arrives.
    const Bytes announcement = make_gratuitous_arp(spec.mac, spec.address);
    slirp_input(stack->slirp, announcement.data(), static_cast<int>(announcement.size()));
    return std::unique_ptr<Uplink>(new Uplink(std::move(stack)));
}

void Uplink::input(ByteView frame) {
    slirp_input(stack_->slirp, frame.data(), static_cast<int>(frame.size()));
}

void Uplink::prepare(std::vector<pollfd>& watched, std::uint32_t& timeout_ms) {
    PollView view{&watched};
    slirp_pollfds_fill(stack_->slirp, &timeout_ms, add_poll, &view);
}

void Uplink::dispatch(const std::vector<pollfd>& watched, bool timers_only) {
    slirp_pollfds_poll(stack_->slirp, timers_only ? 1 : 0, get_revents,
                       const_cast<std::vector<pollfd>*>(&watched));
}

Status Uplink::Stack::lead(Ipv4 alias, const std::string& path) {
    in_addr address = wire(alias);
    if (led.erase(alias) != 0) {
        slirp_remove_guestfwd(slirp, address, kHttpPort);
    }
    if (slirp_add_unix(slirp, path.c_str(), &address, kHttpPort) != 0) {
        return Error(Code::internal, "libslirp refused the address of a service");
    }
    led.insert(alias);
    return ok();
}

Status Uplink::lead_metadata_to(const std::string& path) {
    return stack_->lead(stack_->metadata_alias, path);
}

Status Uplink::lead_api_to(const std::string& path) {
    return stack_->lead(stack_->api_alias, path);
}

bool Uplink::listen(Ipv4 address, std::uint16_t port, std::uint16_t guest_port) {
    return slirp_add_hostfwd(stack_->slirp, 0, wire(address), port, wire(stack_->guest),
                             guest_port) == 0;
}

void Uplink::stop_listening(Ipv4 address, std::uint16_t port) {
    slirp_remove_hostfwd(stack_->slirp, 0, wire(address), port);
}

}  // namespace kiln::compute
