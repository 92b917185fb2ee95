// SPDX-License-Identifier: Apache-2.0
#include "compute/tests/guest_peer.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compute/qemu/unix_socket.h"

namespace kiln::compute::testing {
namespace {

void append(Bytes& out, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = bytes; i > 0; --i) {
        out.push_back(static_cast<std::uint8_t>(value >> (8 * (i - 1))));
    }
}

std::uint32_t read(ByteView frame, std::size_t at, std::size_t bytes) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes; ++i) {
        value = value << 8 | frame[at + i];
    }
    return value;
}

Bytes pseudo_header(Ipv4 from, Ipv4 to, std::uint8_t protocol, const Bytes& payload) {
    Bytes out;
    append(out, from.value, 4);
    append(out, to.value, 4);
    append(out, protocol, 2);
    append(out, payload.size(), 2);
    out.insert(out.end(), payload.begin(), payload.end());
    return out;
}

Bytes ip_frame(const Mac& mac, Ipv4 from, Ipv4 to, std::uint8_t protocol, const Bytes& payload) {
    Bytes header;
    append(header, 0x4500, 2);
    append(header, 20 + payload.size(), 2);
    append(header, 0x12344000, 4);
    append(header, 64, 1);
    append(header, protocol, 1);
    append(header, 0, 2);
    append(header, from.value, 4);
    append(header, to.value, 4);
    const std::uint16_t sum = naive_checksum(header);
    header[10] = static_cast<std::uint8_t>(sum >> 8);
    header[11] = static_cast<std::uint8_t>(sum);
    Bytes frame = {0x52, 0x55, 172, 31, 0, 1};
    frame.insert(frame.end(), mac.bytes.begin(), mac.bytes.end());
    append(frame, 0x0800, 2);
    frame.insert(frame.end(), header.begin(), header.end());
    frame.insert(frame.end(), payload.begin(), payload.end());
    return frame;
}

void put_sum(Bytes& payload, std::size_t at, std::uint16_t sum) {
    payload[at] = static_cast<std::uint8_t>(sum >> 8);
    payload[at + 1] = static_cast<std::uint8_t>(sum);
}

}  // namespace

GuestNetworkSpec network_spec(const std::string& directory, const std::string& id) {
    GuestNetworkSpec spec;
    spec.id = MachineId(id);
    spec.mac = *Mac::parse("0e:01:02:03:04:05");
    spec.address = *Ipv4::parse("172.31.5.10");
    spec.subnet = *Cidr::parse("172.31.0.0/20");
    spec.network = *Cidr::parse("172.31.0.0/16");
    spec.router = *Ipv4::parse("172.31.0.1");
    spec.dns = *Ipv4::parse("172.31.0.2");
    spec.hostname = "ip-172-31-5-10";
    spec.domain = "ec2.internal";
    spec.nic_socket = directory + "/" + id + ".nic";
    spec.metadata_socket = directory + "/" + id + ".imds";
    spec.directory = directory + "/" + id;
    spec.runtime_directory = directory + "/run-" + id;
    spec.rules.ingress = {{6, 22, 22, *Cidr::parse("0.0.0.0/0")},
                          {1, -1, -1, *Cidr::parse("0.0.0.0/0")}};
    spec.rules.egress = {{-1, -1, -1, *Cidr::parse("0.0.0.0/0")}};
    spec.rules.metadata_hop_limit = 2;
    // One per test process, so that test programs running at once do not meet.
    const auto pid = static_cast<std::uint32_t>(::getpid());
    spec.rules.public_address = Ipv4{0x7fc80000 + pid % 65000 + 1};
    return spec;
}

std::uint16_t naive_checksum(const Bytes& data) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < data.size(); ++i) {
        sum += i % 2 == 0 ? static_cast<std::uint32_t>(data[i]) << 8 : data[i];
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<std::uint16_t>(~sum);
}

bool checksums_right(ByteView frame) {
    if (naive_checksum(Bytes(frame.begin() + 14, frame.begin() + 34)) != 0) {
        return false;
    }
    const auto protocol = static_cast<std::uint8_t>(frame[23]);
    const std::size_t total = read(frame, 16, 2);
    const Bytes payload(frame.begin() + 34,
                        frame.begin() + 14 + static_cast<std::ptrdiff_t>(total));
    if (protocol == 1) {
        return naive_checksum(payload) == 0;
    }
    if (protocol == 17 && read(frame, 40, 2) == 0) {
        return true;
    }
    return naive_checksum(
               pseudo_header({read(frame, 26, 4)}, {read(frame, 30, 4)}, protocol, payload)) == 0;
}

Bytes tcp_frame(const Mac& from, const Segment& segment) {
    Bytes tcp;
    append(tcp, segment.from_port, 2);
    append(tcp, segment.to_port, 2);
    append(tcp, segment.sequence, 4);
    append(tcp, segment.acknowledged, 4);
    append(tcp, 0x50, 1);
    append(tcp, segment.flags, 1);
    append(tcp, 32768, 2);
    append(tcp, 0, 4);
    tcp.insert(tcp.end(), segment.data.begin(), segment.data.end());
    put_sum(tcp, 16, naive_checksum(pseudo_header(segment.from, segment.to, 6, tcp)));
    return ip_frame(from, segment.from, segment.to, 6, tcp);
}

std::optional<Segment> read_tcp(ByteView frame) {
    if (frame.size() < 54 || read(frame, 12, 2) != 0x0800 || frame[23] != 6) {
        return std::nullopt;
    }
    Segment segment;
    segment.from = {read(frame, 26, 4)};
    segment.to = {read(frame, 30, 4)};
    segment.from_port = static_cast<std::uint16_t>(read(frame, 34, 2));
    segment.to_port = static_cast<std::uint16_t>(read(frame, 36, 2));
    segment.sequence = read(frame, 38, 4);
    segment.acknowledged = read(frame, 42, 4);
    segment.flags = frame[47];
    const std::size_t begin = 34 + static_cast<std::size_t>(frame[46] >> 4) * 4;
    const std::size_t end = 14 + read(frame, 16, 2);
    segment.data.assign(frame.begin() + static_cast<std::ptrdiff_t>(begin),
                        frame.begin() + static_cast<std::ptrdiff_t>(end));
    return segment;
}

Bytes udp_frame(const Mac& from, Ipv4 source, std::uint16_t source_port, Ipv4 destination,
                std::uint16_t port, const std::string& data) {
    Bytes udp;
    append(udp, source_port, 2);
    append(udp, port, 2);
    append(udp, 8 + data.size(), 2);
    append(udp, 0, 2);
    udp.insert(udp.end(), data.begin(), data.end());
    put_sum(udp, 6, naive_checksum(pseudo_header(source, destination, 17, udp)));
    return ip_frame(from, source, destination, 17, udp);
}

Bytes icmp_frame(const Mac& from, Ipv4 source, Ipv4 destination, std::uint8_t type,
                 std::uint8_t code, std::uint16_t identifier) {
    Bytes icmp;
    append(icmp, type, 1);
    append(icmp, code, 1);
    append(icmp, 0, 2);
    append(icmp, identifier, 2);
    append(icmp, 1, 2);
    put_sum(icmp, 2, naive_checksum(icmp));
    return ip_frame(from, source, destination, 1, icmp);
}

Bytes arp_request(const Mac& from, Ipv4 sender, Ipv4 target) {
    Bytes frame(6, 0xff);
    frame.insert(frame.end(), from.bytes.begin(), from.bytes.end());
    append(frame, 0x0806, 2);
    append(frame, 0x0001080006040001, 8);
    frame.insert(frame.end(), from.bytes.begin(), from.bytes.end());
    append(frame, sender.value, 4);
    append(frame, 0, 6);
    append(frame, target.value, 4);
    return frame;
}

Bytes dhcp_frame(const GuestNetworkSpec& spec, const Bytes& options, Ipv4 client) {
    Bytes message;
    append(message, 0x01010600, 4);
    append(message, 0xfeedbeef, 4);
    append(message, 0, 4);
    append(message, client.value, 4);
    message.resize(28, 0);
    message.insert(message.end(), spec.mac.bytes.begin(), spec.mac.bytes.end());
    message.resize(236, 0);
    append(message, 0x63825363, 4);
    message.insert(message.end(), options.begin(), options.end());
    message.push_back(255);
    return udp_frame(spec.mac, client, 68, client == Ipv4{} ? kBroadcastAddress : spec.router, 67,
                     {message.begin(), message.end()});
}

Bytes dhcp_option(ByteView frame, std::uint8_t code) {
    for (std::size_t at = 42 + 240; at + 1 < frame.size() && frame[at] != 255;) {
        const std::size_t length = frame[at + 1];
        if (frame[at] == code) {
            const ByteView value = frame.subspan(at + 2, length);
            return {value.begin(), value.end()};
        }
        at += 2 + length;
    }
    return {};
}

GuestPeer::GuestPeer(const GuestNetworkSpec& spec, std::optional<uid_t> owner) {
    auto listener = listen_unix(spec.nic_socket);
    REQUIRE(listener);
    listener_ = std::move(*listener);
    if (owner) {
        REQUIRE(::chown(spec.nic_socket.c_str(), *owner, static_cast<gid_t>(-1)) == 0);
    }
}

bool GuestPeer::accept(Deadline deadline) {
    socket_.reset();
    input_.clear();
    pollfd wait{listener_.get(), POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(deadline.left().count())) != 1) {
        return false;
    }
    socket_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return static_cast<bool>(socket_);
}

void GuestPeer::send_raw(ByteView bytes) {
    REQUIRE(::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(bytes.size()));
}

void GuestPeer::send(ByteView frame) {
    Bytes message;
    append(message, frame.size(), 4);
    message.insert(message.end(), frame.begin(), frame.end());
    send_raw(message);
}

bool GuestPeer::read_more(Deadline deadline) {
    pollfd wait{socket_.get(), POLLIN, 0};
    if (::poll(&wait, 1, static_cast<int>(deadline.left().count())) != 1) {
        return false;
    }
    std::uint8_t bytes[65536];
    const ssize_t n = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (n <= 0) {
        return false;
    }
    input_.insert(input_.end(), bytes, bytes + n);
    return true;
}

std::optional<Bytes> GuestPeer::receive(const std::function<bool(ByteView)>& wanted,
                                        Deadline deadline) {
    while (true) {
        while (input_.size() >= 4 && input_.size() >= 4 + read(input_, 0, 4)) {
            const auto end = input_.begin() + 4 + static_cast<std::ptrdiff_t>(read(input_, 0, 4));
            Bytes frame(input_.begin() + 4, end);
            input_.erase(input_.begin(), end);
            if (wanted(frame)) {
                return frame;
            }
        }
        if (!read_more(deadline)) {
            return std::nullopt;
        }
    }
}

bool GuestPeer::closed(Deadline deadline) {
    while (read_more(deadline)) {
    }
    return !deadline.passed();
}

MetadataStub::MetadataStub(const std::string& path) {
    auto listener = listen_unix(path);
    REQUIRE(listener);
    listener_ = std::move(*listener);
    stop_.reset(::eventfd(0, EFD_CLOEXEC));
    thread_ = std::thread([this] {
        while (true) {
            pollfd wait[2] = {{listener_.get(), POLLIN, 0}, {stop_.get(), POLLIN, 0}};
            ::poll(wait, 2, -1);
            if (wait[1].revents != 0) {
                return;
            }
            const UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
            char bytes[4096];
            if (::recv(client.get(), bytes, sizeof bytes, 0) > 0) {
                (void)!::send(client.get(), kMetadataText, sizeof kMetadataText - 1, MSG_NOSIGNAL);
            }
        }
    });
}

MetadataStub::~MetadataStub() {
    ::eventfd_write(stop_.get(), 1);
    thread_.join();
}

}  // namespace kiln::compute::testing
