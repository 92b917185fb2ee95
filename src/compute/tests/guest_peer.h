// SPDX-License-Identifier: Apache-2.0
// The guest's side of a network, played by hand: frames made and taken apart with nothing of the
// code under test (checksums are computed the slow way), and a NIC socket that listens as a machine
// does. Thread model: one test, one thread; MetadataStub has a thread of its own.
#pragma once

#include <string>
#include <thread>

#include "compute/network/config.h"
#include "compute/network/frame.h"
#include "compute/tests/worlds.h"
#include "util/fs.h"

namespace kiln::compute::testing {

// 172.31.5.10/20 in 172.31.0.0/16, everything allowed out, port 22 and ICMP in from everywhere.
GuestNetworkSpec network_spec(const std::string& directory, const std::string& id = "i-1");

// One's complement sum over big endian words, folded at the end, inverted.
std::uint16_t naive_checksum(const Bytes& data);
// Whether the IP header's and the TCP, UDP or ICMP checksum of a frame are right.
bool checksums_right(ByteView frame);

struct Segment {
    Ipv4 from;
    Ipv4 to;
    std::uint16_t from_port = 0;
    std::uint16_t to_port = 0;
    std::uint8_t flags = 0;
    std::uint32_t sequence = 0;
    std::uint32_t acknowledged = 0;
    std::string data;
};
Bytes tcp_frame(const Mac& from, const Segment& segment);
std::optional<Segment> read_tcp(ByteView frame);
Bytes udp_frame(const Mac& from, Ipv4 source, std::uint16_t source_port, Ipv4 destination,
                std::uint16_t port, const std::string& data);
Bytes icmp_frame(const Mac& from, Ipv4 source, Ipv4 destination, std::uint8_t type,
                 std::uint8_t code, std::uint16_t identifier);
Bytes arp_request(const Mac& from, Ipv4 sender, Ipv4 target);
// `options` after the cookie, without the end.
Bytes dhcp_frame(const GuestNetworkSpec& spec, const Bytes& options, Ipv4 client = {});
// The value of an option of a reply, empty when it is not there.
Bytes dhcp_option(ByteView frame, std::uint8_t code);

// The NIC socket of a machine.
class GuestPeer {
  public:
    GuestPeer(const GuestNetworkSpec& spec, std::optional<uid_t> owner);
    // Waits until a network process connects; an earlier connection ends.
    bool accept(Deadline deadline = soon());
    void send(ByteView frame);
    void send_raw(ByteView bytes);
    // The next frame for which `wanted` holds, others are dropped.
    std::optional<Bytes> receive(const std::function<bool(ByteView)>& wanted,
                                 Deadline deadline = soon());
    // True when the peer closed the connection in time.
    bool closed(Deadline deadline = soon());

  private:
    bool read_more(Deadline deadline);
    UniqueFd listener_;
    UniqueFd socket_;
    Bytes input_;
};

// A metadata service: answers each connection's first bytes with a fixed text and closes it.
class MetadataStub {
  public:
    explicit MetadataStub(const std::string& path);
    ~MetadataStub();

  private:
    UniqueFd listener_;
    UniqueFd stop_;
    std::thread thread_;
};
inline constexpr char kMetadataText[] = "HTTP/1.0 200 OK\r\n\r\nthe metadata";

}  // namespace kiln::compute::testing
