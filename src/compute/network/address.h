// SPDX-License-Identifier: Apache-2.0
// IPv4 addresses, networks and Ethernet addresses as plain values, and their text forms. Parsing
// is strict: four decimal numbers without signs, spaces or leading zeros.
// Thread model: immutable values, pure functions.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln::compute {

struct Ipv4 {
    std::uint32_t value = 0;  // the first number of the text form is the highest byte

    friend auto operator<=>(const Ipv4&, const Ipv4&) = default;
    std::string text() const;
    static Result<Ipv4> parse(std::string_view text);
    static Ipv4 from_wire(const std::uint8_t* at) { return {get_be<std::uint32_t>(at)}; }
    void to_wire(std::uint8_t* at) const { put_be(at, value); }
};

// A network: the bits of `base` beyond `prefix` are zero.
struct Cidr {
    Ipv4 base;
    std::uint8_t prefix = 0;  // 0 to 32

    friend auto operator<=>(const Cidr&, const Cidr&) = default;
    std::uint32_t mask() const { return prefix == 0 ? 0 : ~0U << (32 - prefix); }
    bool contains(Ipv4 address) const { return (address.value & mask()) == base.value; }
    bool contains(const Cidr& other) const {
        return other.prefix >= prefix && contains(other.base);
    }
    std::string text() const;
    // "a.b.c.d/n"; refuses bits beyond the prefix.
    static Result<Cidr> parse(std::string_view text);
    // The network of that size which `address` lies in.
    static Cidr around(Ipv4 address, std::uint8_t prefix);
};

struct Mac {
    std::array<std::uint8_t, 6> bytes{};

    friend auto operator<=>(const Mac&, const Mac&) = default;
    std::string text() const;  // lower case, colons
    static Result<Mac> parse(std::string_view text);
};

inline constexpr Ipv4 kMetadataAddress{0xa9fea9fe};  // 169.254.169.254
// Where a guest reaches the API. Link-local, so that it is nobody else's address and no route leads
// it away; none of those that EC2 gives to services of its own (.123 .250 .251 .253 .254).
inline constexpr Ipv4 kApiAddress{0xa9fea950};  // 169.254.169.80
// A network no packet comes from or goes to.
inline constexpr Cidr kNobody{{0xffffffff}, 32};
inline constexpr Cidr kLoopbackNetwork{{0x7f000000}, 8};

}  // namespace kiln::compute
