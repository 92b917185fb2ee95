// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/client_address.h"

#include "model/cidr.h"

namespace kiln::api {
namespace {

constexpr model::Ipv4Cidr kLoopback{127U << 24, 8};
constexpr std::string_view kMapped = "::ffff:";  // an IPv4 client of a socket that takes both

// "127.0.0.1:40512" and "[fe80::1%eth0]:40512" without port and interface.
std::string_view host_of(std::string_view peer) {
    std::string_view host = peer.substr(0, peer.rfind(':'));
    if (host.starts_with('[') && host.ends_with(']')) {
        host = host.substr(1, host.size() - 2);
        host = host.substr(0, host.find('%'));
    }
    return host.starts_with(kMapped) ? host.substr(kMapped.size()) : host;
}

}  // namespace

ClientAddress client_address(std::string_view peer) {
    const std::string_view host = host_of(peer);
    const std::string text(host);
    if (const auto address = model::parse_ipv4(host)) {
        return {text, kLoopback.contains(*address) ? format_cidr(kLoopback) : text + "/32"};
    }
    const auto range = model::canonical_ipv6_cidr(text + "/128");
    if (range && *range != "::1/128") {
        return {range->substr(0, range->find('/')), *range};
    }
    return {range ? text : "127.0.0.1", format_cidr(kLoopback)};
}

}  // namespace kiln::api
