// SPDX-License-Identifier: Apache-2.0
#include "model/cidr.h"

#include <arpa/inet.h>

#include <array>

#include "util/strings.h"

namespace kiln::model {
namespace {

constexpr std::size_t kIpv6Bytes = 16;

// No leading zeros: they are octal to some readers.
std::optional<unsigned> small_number(std::string_view text, unsigned max) {
    if (text.size() > 3 || (text.size() > 1 && text.front() == '0')) {
        return std::nullopt;
    }
    const auto number = parse_int<unsigned>(text);
    return number && *number <= max ? number : std::nullopt;
}

std::uint32_t mask_of(unsigned prefix) {
    return prefix == 0 ? 0 : ~std::uint32_t{0} << (32 - prefix);
}

}  // namespace

bool Ipv4Cidr::contains(std::uint32_t other) const {
    return (other & mask_of(prefix)) == address;
}

std::optional<std::uint32_t> parse_ipv4(std::string_view text) {
    const auto parts = split(text, '.');
    if (parts.size() != 4) {
        return std::nullopt;
    }
    std::uint32_t address = 0;
    for (const std::string_view part : parts) {
        const auto number = small_number(part, 255);
        if (!number) {
            return std::nullopt;
        }
        address = address << 8 | *number;
    }
    return address;
}

std::string format_ipv4(std::uint32_t address) {
    std::string text;
    for (int shift = 24; shift >= 0; shift -= 8) {
        text += std::to_string(address >> shift & 255U);
        text += shift == 0 ? "" : ".";
    }
    return text;
}

std::optional<Ipv4Cidr> parse_ipv4_cidr(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto address = parse_ipv4(text.substr(0, slash));
    const auto prefix = small_number(text.substr(slash + 1), 32);
    if (!address || !prefix) {
        return std::nullopt;
    }
    return Ipv4Cidr{*address & mask_of(*prefix), *prefix};
}

std::string format_cidr(const Ipv4Cidr& cidr) {
    return format_ipv4(cidr.address) + "/" + std::to_string(cidr.prefix);
}

std::optional<std::string> canonical_ipv6_cidr(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    const auto prefix = small_number(text.substr(slash + 1), 128);
    const std::string address(text.substr(0, slash));
    std::array<std::uint8_t, kIpv6Bytes> bytes{};
    if (!prefix || address.find('\0') != std::string::npos ||
        ::inet_pton(AF_INET6, address.c_str(), bytes.data()) != 1) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < kIpv6Bytes; ++i) {
        const std::size_t kept = *prefix > i * 8 ? std::min<std::size_t>(*prefix - i * 8, 8) : 0;
        bytes[i] = static_cast<std::uint8_t>(bytes[i] & (0xFF00U >> kept));
    }
    std::array<char, INET6_ADDRSTRLEN> out{};
    ::inet_ntop(AF_INET6, bytes.data(), out.data(), out.size());
    return std::string(out.data()) + "/" + std::to_string(*prefix);
}

}  // namespace kiln::model
