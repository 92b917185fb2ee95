// SPDX-License-Identifier: Apache-2.0
#include "compute/network/address.h"

#include <fmt/format.h>

#include "util/strings.h"

namespace kiln::compute {
namespace {

Error refuse(std::string_view what, std::string_view text) {
    return Error(Code::invalid_argument, fmt::format("not {}: {}", what, text.substr(0, 64)));
}

// Decimal without leading zeros, at most `max`.
std::optional<unsigned> parse_number(std::string_view text, unsigned max) {
    if (text.size() > 1 && text[0] == '0') {
        return std::nullopt;
    }
    const auto value = parse_int<unsigned>(text);
    return value && *value <= max ? value : std::nullopt;
}

}  // namespace

std::string Ipv4::text() const {
    return fmt::format("{}.{}.{}.{}", value >> 24, value >> 16 & 255, value >> 8 & 255,
                       value & 255);
}

Result<Ipv4> Ipv4::parse(std::string_view text) {
    const auto parts = split(text, '.');
    Ipv4 address;
    for (const auto part : parts) {
        const auto number = parse_number(part, 255);
        if (!number || parts.size() != 4) {
            return refuse("an IPv4 address", text);
        }
        address.value = address.value << 8 | *number;
    }
    return address;
}

std::string Cidr::text() const {
    return fmt::format("{}/{}", base.text(), prefix);
}

Result<Cidr> Cidr::parse(std::string_view text) {
    const auto slash = text.find('/');
    if (slash == std::string_view::npos) {
        return refuse("a network", text);
    }
    const auto prefix = parse_number(text.substr(slash + 1), 32);
    if (!prefix) {
        return refuse("a network", text);
    }
    TRY_ASSIGN(const Ipv4 base, Ipv4::parse(text.substr(0, slash)));
    const Cidr cidr{base, static_cast<std::uint8_t>(*prefix)};
    if (!cidr.contains(base)) {
        return refuse("a network's first address", text);
    }
    return cidr;
}

Cidr Cidr::around(Ipv4 address, std::uint8_t prefix) {
    Cidr cidr{{}, prefix};
    cidr.base.value = address.value & cidr.mask();
    return cidr;
}

std::string Mac::text() const {
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2],
                       bytes[3], bytes[4], bytes[5]);
}

Result<Mac> Mac::parse(std::string_view text) {
    const auto parts = split(text, ':');
    Mac mac;
    if (parts.size() != mac.bytes.size()) {
        return refuse("an Ethernet address", text);
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
        unsigned value = 0;
        const auto [end, error] =
            std::from_chars(parts[i].data(), parts[i].data() + parts[i].size(), value, 16);
        if (parts[i].size() != 2 || error != std::errc{} ||
            end != parts[i].data() + parts[i].size()) {
            return refuse("an Ethernet address", text);
        }
        mac.bytes[i] = static_cast<std::uint8_t>(value);
    }
    return mac;
}

}  // namespace kiln::compute
