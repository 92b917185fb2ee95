// SPDX-License-Identifier: Apache-2.0
#include "compute/network/dhcp.h"

#include <algorithm>

#include "compute/network/frame.h"

namespace kiln::compute {
namespace {

// RFC 951 and 2131: offsets in the message.
constexpr std::size_t kMessageAt = kEthernetHeader + kIpHeader + 8;
constexpr std::size_t kFlagsAt = 10;
constexpr std::size_t kClientAt = 12;
constexpr std::size_t kYourAt = 16;
constexpr std::size_t kHardwareAt = 28;
constexpr std::size_t kCookieAt = 236;
constexpr std::size_t kOptionsAt = 240;
constexpr std::size_t kMinMessage = 300;  // BOOTP's size; some clients drop shorter ones
constexpr std::uint32_t kCookie = 0x63825363;

enum Message : std::uint8_t {
    discover = 1,
    offer = 2,
    request = 3,
    ack = 5,
    nak = 6,
    inform = 8,
};

enum Option : std::uint8_t {
    pad = 0,
    netmask = 1,
    router = 3,
    resolvers = 6,
    host_name = 12,
    domain_name = 15,
    interface_mtu = 26,
    requested_address = 50,
    lease_time = 51,
    message_type = 53,
    server = 54,
    end = 255,
};

constexpr std::uint32_t kLeaseSeconds = 3600;

struct Request {
    ByteView message;  // at least kOptionsAt bytes
    std::uint8_t type = 0;
    std::optional<Ipv4> requested;
    std::optional<Ipv4> server;
    Ipv4 client;  // ciaddr: what the client already uses
};

void read_option(Request& request, std::uint8_t code, ByteView value) {
    if (code == Option::message_type && value.size() == 1) {
        request.type = value[0];
    } else if (code == Option::requested_address && value.size() == 4) {
        request.requested = Ipv4::from_wire(value.data());
    } else if (code == Option::server && value.size() == 4) {
        request.server = Ipv4::from_wire(value.data());
    }
}

std::optional<Request> parse_request(const GuestNetworkSpec& spec, ByteView frame) {
    const auto packet = parse_ipv4(frame);
    if (!packet || packet->frame_bytes < kMessageAt + kOptionsAt) {
        return std::nullopt;
    }
    Request request;
    request.message = frame.subspan(kMessageAt, packet->frame_bytes - kMessageAt);
    const ByteView message = request.message;
    const bool ethernet = message[0] == 1 && message[1] == 1 && message[2] == 6;
    if (!ethernet || get_be<std::uint32_t>(&message[kCookieAt]) != kCookie ||
        !std::equal(spec.mac.bytes.begin(), spec.mac.bytes.end(), &message[kHardwareAt])) {
        return std::nullopt;
    }
    request.client = Ipv4::from_wire(&message[kClientAt]);
    std::size_t at = kOptionsAt;
    while (at < message.size() && message[at] != Option::end) {
        if (message[at] == Option::pad) {
            ++at;
            continue;
        }
        if (at + 2 > message.size() || at + 2 + message[at + 1] > message.size()) {
            return std::nullopt;
        }
        read_option(request, message[at], message.subspan(at + 2, message[at + 1]));
        at += 2U + message[at + 1];
    }
    return request;
}

// What to answer with; nothing: silence.
std::optional<std::uint8_t> choose_reply(const GuestNetworkSpec& spec, const Request& request) {
    switch (request.type) {
        case Message::discover:
            return Message::offer;
        case Message::inform:
            return Message::ack;
        case Message::request: {
            if (request.server && *request.server != spec.router) {
                return std::nullopt;
            }
            const Ipv4 wanted = request.requested.value_or(request.client);
            return wanted == spec.address ? Message::ack : Message::nak;
        }
        default:
            return std::nullopt;
    }
}

class Options {
  public:
    explicit Options(Bytes& out) : out_(out) {}
    void add(std::uint8_t code, ByteView value) {
        out_.push_back(code);
        out_.push_back(static_cast<std::uint8_t>(value.size()));
        out_.insert(out_.end(), value.begin(), value.end());
    }
    template <class T>
    void number(std::uint8_t code, T value) {
        std::array<std::uint8_t, sizeof(T)> wire{};
        put_be(wire.data(), value);
        add(code, wire);
    }

  private:
    Bytes& out_;
};

void add_options(Bytes& reply, const GuestNetworkSpec& spec, std::uint8_t type, bool lease) {
    Options options(reply);
    options.number(Option::message_type, type);
    options.number(Option::server, spec.router.value);
    if (type != Message::nak) {
        if (lease) {
            options.number(Option::lease_time, kLeaseSeconds);
        }
        options.number(Option::netmask, spec.subnet.mask());
        options.number(Option::router, spec.router.value);
        options.number(Option::resolvers, spec.dns.value);
        options.add(Option::host_name, as_bytes(spec.hostname));
        options.add(Option::domain_name, as_bytes(spec.domain));
        options.number(Option::interface_mtu, static_cast<std::uint16_t>(kMtu));
    }
    reply.push_back(Option::end);
}

}  // namespace

std::optional<Bytes> answer_dhcp(const GuestNetworkSpec& spec, ByteView frame) {
    const auto request = parse_request(spec, frame);
    const auto type = request ? choose_reply(spec, *request) : std::nullopt;
    if (!type) {
        return std::nullopt;
    }
    Bytes reply(kOptionsAt, 0);
    reply[0] = 2;  // BOOTREPLY
    std::copy_n(&request->message[1], 2, &reply[1]);
    std::copy_n(&request->message[4], 4, &reply[4]);  // transaction
    std::copy_n(&request->message[kFlagsAt], 2, &reply[kFlagsAt]);
    std::copy_n(&request->message[kHardwareAt], 16, &reply[kHardwareAt]);
    put_be(&reply[kCookieAt], kCookie);
    const bool lease = request->type != Message::inform;
    if (*type != Message::nak) {
        request->client.to_wire(&reply[kClientAt]);
        if (lease) {
            spec.address.to_wire(&reply[kYourAt]);
        }
    }
    add_options(reply, spec, *type, lease);
    reply.resize(std::max(reply.size(), kMinMessage), 0);

    // To an address the client does not have yet only a broadcast gets through.
    const bool direct = *type != Message::nak && request->client == spec.address;
    UdpAddressing to;
    to.from_mac = router_mac(spec.router);
    to.to_mac = direct ? spec.mac : kBroadcastMac;
    to.from = spec.router;
    to.to = direct ? spec.address : kBroadcastAddress;
    to.from_port = 67;
    to.to_port = 68;
    return make_udp(to, reply);
}

}  // namespace kiln::compute
