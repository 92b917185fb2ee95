// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: a packet that arrives by a tunnel, from whoever reaches this host. Whatever it
// is, what becomes a frame is addressed to the guest, the filter judges it, and the guest's answer
// to what passed leaves with the public address. The same bytes as a frame of the guest, which may
// answer what it likes, find no way out but into flows that are known.
#include <cstddef>
#include <cstdint>

#include "compute/network/frame_filter.h"
#include "compute/network/tunnel_path.h"
#include "util/check.h"

namespace {

using namespace kiln;
using namespace kiln::compute;

GuestNetworkSpec fuzz_spec() {
    GuestNetworkSpec spec;
    spec.id = MachineId("i-1");
    spec.mac = Mac{{0x0e, 1, 2, 3, 4, 5}};
    spec.address = {0xac1f050a};
    spec.subnet = {{0xac1f0000}, 20};
    spec.network = {{0xac1f0000}, 16};
    spec.router = {0xac1f0001};
    spec.dns = {0xac1f0002};
    spec.hostname = "guest";
    spec.domain = "ec2.internal";
    spec.tunnel = {{0xcb007105}, {0xcb007101}};
    spec.rules.ingress = {{6, 1, 1023, {}}, {17, 1, 1023, {}}, {1, 8, -1, {}}};
    return spec;
}

void check_answer(const GuestNetworkSpec& spec, FrameFilter& filter, const TunnelPath& path,
                  ByteView frame) {
    if (filter.from_guest(frame, {}) != FrameFilter::Route::tunnel) {
        return;
    }
    const Bytes packet = path.to_host(frame);
    INVARIANT(packet.size() >= kIpHeader && packet.size() <= kMtu);
    INVARIANT(Ipv4::from_wire(&packet[12]) == spec.tunnel->address);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const GuestNetworkSpec spec = fuzz_spec();
    FrameFilter filter(spec);
    const TunnelPath path(spec);
    // The first byte splits the rest into a packet from outside and what the guest says to it.
    const std::size_t split = size == 0 ? 0 : std::min<std::size_t>(data[0], size - 1);
    const ByteView all = ByteView(data, size).subspan(size == 0 ? 0 : 1);
    for (const ByteView packet : {all.first(split), all}) {
        const auto frame = path.to_guest(packet);
        if (frame) {
            INVARIANT(frame->size() == packet.size() + kEthernetHeader);
            INVARIANT(parse_ipv4(*frame)->destination == spec.address);
            (void)filter.from_tunnel(*frame, {});
        }
    }
    check_answer(spec, filter, path, all.subspan(split));
    (void)filter.from_tunnel(all, {});
    check_answer(spec, filter, path, all);
    return 0;
}
