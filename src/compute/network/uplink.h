// SPDX-License-Identifier: Apache-2.0
// Uplink: the network stack in user space (libslirp) that turns a guest's packets into sockets of
// this process, and listening sockets into connections to the guest. It needs no privileges. Its
// DHCP, IPv6, TFTP and loopback access are off; what reaches it is FrameFilter's business.
//
// Thread model: one owner thread, which polls what prepare() adds and then calls dispatch().
#pragma once

#include <poll.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compute/network/guest_network.h"

namespace kiln::compute {

class Uplink {
  public:
    // Called with each frame for the guest, from within input() and dispatch().
    using Sink = std::function<void(ByteView)>;

    static Result<std::unique_ptr<Uplink>> create(const GuestNetworkSpec& spec, Sink sink);
    ~Uplink();
    Uplink(const Uplink&) = delete;
    Uplink& operator=(const Uplink&) = delete;

    void input(ByteView frame);

    // Appends the sockets to watch and lowers `timeout_ms` to what its timers need.
    void prepare(std::vector<pollfd>& watched, std::uint32_t& timeout_ms);
    // `watched` as poll() left it; with `timers_only` no socket is read.
    void dispatch(const std::vector<pollfd>& watched, bool timers_only);

    // Connections to `alias`:80 go to the unix socket at `path`. Each replaces the one before.
    Status lead_metadata_to(const std::string& path);
    // The same for those to api_alias().
    Status lead_api_to(const std::string& path);

    // Listens at address:port for connections to the guest's port. False when that is taken or not
    // permitted.
    bool listen(Ipv4 address, std::uint16_t port, std::uint16_t guest_port);
    void stop_listening(Ipv4 address, std::uint16_t port);

  private:
    struct Stack;  // hides libslirp's header
    explicit Uplink(std::unique_ptr<Stack> stack);
    const std::unique_ptr<Stack> stack_;
};

}  // namespace kiln::compute
