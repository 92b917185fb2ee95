// SPDX-License-Identifier: Apache-2.0
#include "compute/network/public_pool.h"

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <bit>
#include <charconv>
#include <cstring>

#include "compute/network/abstract_name.h"
#include "compute/network/tunnel.h"
#include "util/strings.h"

namespace kiln::compute {
namespace {

constexpr std::uint8_t kWidest = 16;
constexpr std::uint8_t kNarrowest = 29;
// Some VPNs halve the world to outdo the default route: no more ours to avoid than that one.
constexpr int kHalfOfTheWorld = 1;
constexpr std::size_t kMaxRoutes = 65536;

const std::vector<HostNetwork>& impossible() {
    static const std::vector<HostNetwork> networks{
        {{{0}, 8}, "\"this network\""},
        {kLoopbackNetwork, "the loopback network"},
        {{{0xa9fe0000}, 16}, "the link-local network, where guests find their metadata"},
        {{{0xe0000000}, 3}, "multicast and reserved addresses"},
        {{{0xac1f0000}, 16}, "the default VPC's network"}};
    return networks;
}

Error refuse(std::string_view text, const std::string& why) {
    return Error(Code::invalid_argument, fmt::format("'{}' cannot be the pool: {}", text, why));
}

bool overlaps(const Cidr& a, const Cidr& b) {
    return a.contains(b) || b.contains(a);
}

bool is_tunnel(std::string_view device) {
    return device.starts_with(kTunnelPrefix);
}

Ipv4 address_of(const sockaddr* from) {
    sockaddr_in address{};
    std::memcpy(&address, from, sizeof address);
    return {ntohl(address.sin_addr.s_addr)};
}

std::vector<HostNetwork> interface_networks(std::optional<Cidr> pool) {
    std::vector<HostNetwork> found;
    ifaddrs* list = nullptr;
    if (::getifaddrs(&list) != 0) {
        return found;
    }
    for (const ifaddrs* entry = list; entry != nullptr; entry = entry->ifa_next) {
        if (entry->ifa_addr == nullptr || entry->ifa_netmask == nullptr ||
            entry->ifa_addr->sa_family != AF_INET) {
            continue;
        }
        const Ipv4 address = address_of(entry->ifa_addr);
        const bool same_pool = pool && address.value == pool->base.value + 1;
        if (is_tunnel(entry->ifa_name) && same_pool) {
            continue;
        }
        const int prefix = std::popcount(address_of(entry->ifa_netmask).value);
        found.push_back({Cidr::around(address, static_cast<std::uint8_t>(prefix)),
                         fmt::format("the network of {}", entry->ifa_name)});
    }
    ::freeifaddrs(list);
    return found;
}

// Of one line; nothing for what is no obstacle.
std::optional<HostNetwork> parse_route(std::string_view line) {
    std::vector<std::string_view> words;
    for (const std::string_view word : split(line, '\t')) {
        words.push_back(trim(word));
    }
    // Interface, destination, gateway, flags, three numbers, mask.
    if (words.size() < 8) {
        return std::nullopt;
    }
    std::array<std::uint32_t, 3> numbers{};  // destination, flags, mask
    constexpr std::size_t kAt[] = {1, 3, 7};
    for (std::size_t i = 0; i < numbers.size(); ++i) {
        const std::string_view word = words[kAt[i]];
        const auto [end, error] =
            std::from_chars(word.data(), word.data() + word.size(), numbers[i], 16);
        if (error != std::errc{} || end != word.data() + word.size()) {
            return std::nullopt;
        }
    }
    const int prefix = std::popcount(numbers[2]);
    // What is rejected on purpose, as with a blackhole for the unused rest of a pool, is free.
    if (prefix <= kHalfOfTheWorld || (numbers[1] & RTF_REJECT) != 0 || is_tunnel(words[0])) {
        return std::nullopt;
    }
    // As the kernel keeps them, in the network's byte order.
    const Cidr network = Cidr::around({ntohl(numbers[0])}, static_cast<std::uint8_t>(prefix));
    return HostNetwork{network, fmt::format("a route by {}", words[0])};
}

}  // namespace

bool PublicPool::serves(Ipv4 address) const {
    const std::uint32_t last = network_.base.value | ~network_.mask();
    return network_.contains(address) && address.value > host().value && address.value < last;
}

Result<Ipv4> PublicPool::take() {
    MutexLock lock(mutex_);
    for (Ipv4 address{host().value + 1}; serves(address); ++address.value) {
        if (used_.count(address) != 0 || claims_.carried(address)) {
            continue;
        }
        if (auto claim = claims_.claim(address)) {
            used_.emplace(address, std::move(*claim));
            return address;
        }
    }
    return Error(Code::resource_exhausted,
                 fmt::format("every address of the public pool {} is in use", network_.text()));
}

void PublicPool::hold(Ipv4 address) {
    MutexLock lock(mutex_);
    used_.emplace(address, claims_.claim(address).value_or(UniqueFd()));
}

void PublicPool::give_back(Ipv4 address) {
    MutexLock lock(mutex_);
    used_.erase(address);
}

PoolClaims claims_by_socket() {
    return {[](Ipv4 address) -> std::optional<UniqueFd> {
                UniqueFd fd = claim_abstract_name("kiln-address-" + address.text());
                return fd ? std::optional(std::move(fd)) : std::nullopt;
            },
            [](Ipv4 address) {
                const auto carried = tunnelled_addresses();
                return std::find(carried.begin(), carried.end(), address) != carried.end();
            }};
}

Result<Cidr> parse_public_pool(std::string_view text, std::span<const HostNetwork> taken) {
    auto parsed = Cidr::parse(text);
    if (!parsed) {
        return refuse(text, parsed.error().message() + "; it takes one as 203.0.113.0/24");
    }
    if (parsed->prefix < kWidest || parsed->prefix > kNarrowest) {
        return refuse(text, fmt::format("it must have 8 to 65,536 addresses (/{} to /{})",
                                        kNarrowest, kWidest));
    }
    for (const auto list : {std::span<const HostNetwork>(impossible()), taken}) {
        for (const HostNetwork& other : list) {
            if (overlaps(*parsed, other.network)) {
                return refuse(
                    text, fmt::format("it overlaps {} ({})", other.network.text(), other.where));
            }
        }
    }
    return parsed;
}

std::vector<HostNetwork> parse_routes(std::string_view table) {
    std::vector<HostNetwork> found;
    for (const std::string_view line : split(table, '\n')) {
        if (auto route = parse_route(line); route && found.size() < kMaxRoutes) {
            found.push_back(std::move(*route));
        }
    }
    return found;
}

std::vector<HostNetwork> host_networks(std::optional<Cidr> pool) {
    std::vector<HostNetwork> found = interface_networks(pool);
    if (const auto table = read_file("/proc/net/route")) {
        const auto routes = parse_routes(*table);
        found.insert(found.end(), routes.begin(), routes.end());
    }
    return found;
}

}  // namespace kiln::compute
