// SPDX-License-Identifier: Apache-2.0
#include "compute/network/metadata_path.h"

#include "util/check.h"

namespace kiln::compute {

std::optional<Bytes> MetadataPath::to_service(MutableByteView frame) const {
    const auto packet = parse_ipv4(frame);
    INVARIANT(packet && packet->has_ports && packet->protocol == kTcp);
    if (!enabled_) {
        // A reset is not answered by one (RFC 9293), else two of us would never stop.
        return (packet->tcp_flags & kTcpRst) != 0 ? Bytes() : make_reset(frame, *packet);
    }
    replace_destination(frame, *packet, alias_);
    return std::nullopt;
}

void MetadataPath::to_guest(MutableByteView frame) const {
    const auto packet = parse_ipv4(frame);
    if (packet && packet->source == alias_) {
        replace_source(frame, *packet, kMetadataAddress);
        replace_ttl(frame, static_cast<std::uint8_t>(hop_limit_));
    }
}

void ApiPath::to_service(MutableByteView frame) const {
    const auto packet = parse_ipv4(frame);
    INVARIANT(packet && packet->protocol == kTcp);
    replace_destination(frame, *packet, alias_);
}

void ApiPath::to_guest(MutableByteView frame) const {
    const auto packet = parse_ipv4(frame);
    if (packet && packet->source == alias_) {
        replace_source(frame, *packet, kApiAddress);
    }
}

}  // namespace kiln::compute
