// SPDX-License-Identifier: Apache-2.0
#include "compute/network/tunnel_path.h"

#include "util/check.h"

namespace kiln::compute {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800;

}  // namespace

TunnelPath::TunnelPath(const GuestNetworkSpec& spec)
    : guest_mac_(spec.mac),
      router_mac_(router_mac(spec.router)),
      private_(spec.address),
      public_(spec.tunnel.value_or(TunnelSpec{}).address) {}

std::optional<Bytes> TunnelPath::to_guest(ByteView packet) const {
    if (packet.size() > kMtu) {
        return std::nullopt;
    }
    Bytes frame(kEthernetHeader);
    frame.insert(frame.end(), packet.begin(), packet.end());
    replace_stations(frame, router_mac_, guest_mac_);
    put_be(&frame[12], kEtherIpv4);
    const auto parsed = parse_ipv4(frame);
    if (!parsed || parsed->destination != public_) {
        return std::nullopt;
    }
    replace_destination(frame, *parsed, private_);
    const auto quoted = parse_quoted(frame, *parsed);
    if (quoted && quoted->source == public_) {
        replace_quoted_source(frame, *parsed, private_);
    }
    return frame;
}

Bytes TunnelPath::to_host(ByteView frame) const {
    const auto parsed = parse_ipv4(frame);
    INVARIANT(parsed);
    // Without what pads a short frame.
    Bytes copy(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(parsed->frame_bytes));
    replace_source(copy, *parsed, public_);
    const auto quoted = parse_quoted(copy, *parsed);
    if (quoted && quoted->destination == private_) {
        replace_quoted_destination(copy, *parsed, public_);
    }
    copy.erase(copy.begin(), copy.begin() + kEthernetHeader);
    return copy;
}

}  // namespace kiln::compute
