// SPDX-License-Identifier: Apache-2.0
// Addresses and ranges of addresses as the API writes them. A range is kept in its canonical form:
// the bits behind the prefix are 0, IPv6 is in its shortest lower-case text.
// Thread model: plain values and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kiln::model {

struct Ipv4Cidr {
    std::uint32_t address = 0;  // host order; no bits behind the prefix
    unsigned prefix = 0;        // 0 .. 32

    bool contains(std::uint32_t other) const;
    std::uint64_t size() const { return std::uint64_t{1} << (32 - prefix); }
    friend bool operator==(const Ipv4Cidr&, const Ipv4Cidr&) = default;
};

// "172.31.0.4": four decimal numbers without leading zeros.
std::optional<std::uint32_t> parse_ipv4(std::string_view text);
std::string format_ipv4(std::uint32_t address);

// "172.31.0.0/16". Bits behind the prefix are dropped, as EC2 does with the ranges of rules.
std::optional<Ipv4Cidr> parse_ipv4_cidr(std::string_view text);
std::string format_cidr(const Ipv4Cidr& cidr);

// The canonical form of an IPv6 range, "2001:DB8:0::1/32" -> "2001:db8::/32".
std::optional<std::string> canonical_ipv6_cidr(std::string_view text);

}  // namespace kiln::model
