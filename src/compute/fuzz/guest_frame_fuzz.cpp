// SPDX-License-Identifier: Apache-2.0
// libFuzzer target: the bytes a guest sends, as QEMU's stream carries them. Whatever they are, the
// decoder cuts them, the filter routes each frame, and the service it is routed to reads it; what
// is rewritten for the network stack, and what is made as an answer, is well formed.
#include <cstddef>
#include <cstdint>

#include "compute/network/dhcp.h"
#include "compute/network/frame_filter.h"
#include "compute/network/metadata_path.h"
#include "compute/network/stream_link.h"
#include "util/check.h"

namespace {

using namespace kiln;
using namespace kiln::compute;

constexpr Ipv4 kNeighbour{0xac1f050b};

Neighbours fuzz_neighbours() {
    Neighbour other;
    other.id = MachineId("i-2");
    other.address = kNeighbour;
    other.mac = Mac{{0x0e, 9, 9, 9, 9, 9}};
    other.groups = {"sg-1"};
    other.user = 7;
    return Neighbours({other});
}

// The guest's MAC is 0e:01:02:03:04:05, so that the corpus can have frames of its own.
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
    spec.api_socket = "/run/api.sock";
    spec.rules.egress = {{6, 1, 1023, {}}, {1, 8, -1, {}}};
    spec.rules.ingress = {{17, 1, 1023, kNobody, "sg-1"}};
    return spec;
}

void route(const GuestNetworkSpec& spec, FrameFilter& filter, ByteView frame) {
    Bytes copy(frame.begin(), frame.end());
    switch (filter.from_guest(frame, {})) {
        case FrameFilter::Route::drop:
            break;
        case FrameFilter::Route::arp:
            INVARIANT(!parse_arp_request(make_arp_reply(*parse_arp_request(frame), spec.mac)));
            break;
        case FrameFilter::Route::dhcp:
            if (const auto reply = answer_dhcp(spec, frame)) {
                INVARIANT(parse_ipv4(*reply) && reply->size() <= kMaxFrameBytes);
            }
            break;
        case FrameFilter::Route::metadata: {
            INVARIANT(!MetadataPath(metadata_alias(spec), 1, true).to_service(copy));
            INVARIANT(parse_ipv4(copy)->destination == metadata_alias(spec));
            const auto reset = MetadataPath(metadata_alias(spec), 1, false).to_service(copy);
            INVARIANT(reset);
            break;
        }
        case FrameFilter::Route::api:
            ApiPath(api_alias(spec)).to_service(copy);
            INVARIANT(parse_ipv4(copy)->destination == api_alias(spec));
            break;
        case FrameFilter::Route::tunnel:
            INVARIANT(false);  // it has none
            break;
        case FrameFilter::Route::uplink:
            INVARIANT(parse_ipv4(frame)->source == spec.address);
            break;
        case FrameFilter::Route::neighbour:
            INVARIANT(filter.neighbours().find(parse_ipv4(frame)->destination));
            INVARIANT(parse_ipv4(frame)->source == spec.address);
            break;
    }
    // What a neighbour's process sends is no better than what its guest does.
    if (filter.from_neighbour(frame, 7, {})) {
        INVARIANT(parse_ipv4(frame)->source == kNeighbour);
        replace_stations(copy, spec.mac, spec.mac);
    }
    // The other direction reads with the same functions.
    MetadataPath(spec.address, 3, true).to_guest(copy);
    (void)filter.to_guest(frame, {});
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const GuestNetworkSpec spec = fuzz_spec();
    FrameFilter filter(spec);
    filter.set_neighbours(fuzz_neighbours());
    FrameDecoder decoder;
    ByteView rest(data, size);
    while (!rest.empty() && !decoder.broken()) {
        const auto space = decoder.space();
        const std::size_t n = std::min(rest.size(), space.size());
        std::copy_n(rest.begin(), n, space.begin());
        decoder.commit(n);
        rest = rest.subspan(n);
        while (const auto frame = decoder.next()) {
            route(spec, filter, *frame);
        }
    }
    // Also as one frame without its length, which the fuzzer finds hard to guess.
    route(spec, filter, ByteView(data, size));
    return 0;
}
