// SPDX-License-Identifier: Apache-2.0
// The network process with a tunnel, as a guest and a client on the host see it: real devices, in a
// network namespace that each test makes. Needs CAP_NET_ADMIN there, which root has.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "compute/network/guest_network.h"
#include "compute/network/tunnel.h"
#include "compute/qemu/users.h"
#include "compute/tests/guest_peer.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

namespace {

const Ipv4 kPublic = *Ipv4::parse("203.0.113.5");
const Ipv4 kHost = *Ipv4::parse("203.0.113.1");

// A namespace for this thread, and for threads and processes it starts; the old one comes back at
// the end.
class OwnNetwork {
  public:
    OwnNetwork()
        : before_(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)),
          made_(before_ && ::unshare(CLONE_NEWNET) == 0 && may_open_tunnels()) {}
    ~OwnNetwork() {
        if (before_) {
            (void)::setns(before_.get(), CLONE_NEWNET);
        }
    }
    // False where the test has no right to one: then there is nothing to test.
    bool made() const { return made_; }

  private:
    const UniqueFd before_;
    const bool made_;
};

GuestNetworkSpec tunnel_spec(const std::string& directory) {
    GuestNetworkSpec spec = network_spec(directory);
    spec.rules.public_address.reset();
    spec.rules.ingress = {{6, 7777, 7777, *Cidr::parse("127.0.0.0/8")},
                          {17, 7777, 7777, *Cidr::parse("203.0.113.1/32")}};
    spec.tunnel = {kPublic, kHost};
    return spec;
}

struct Guest {
    TemporaryDirectory directory;
    GuestNetworkSpec spec = tunnel_spec(directory.path());
    std::optional<uid_t> user =
        choose_users(true).separate ? std::optional(instance_uid(spec.id)) : std::nullopt;
    MetadataStub metadata{spec.metadata_socket};
    GuestPeer peer{spec, user};
    std::unique_ptr<GuestNetworks> networks;

    Guest() {
        auto made = make_guest_networks({KILN_GUEST_NETWORK_PROGRAM, true});
        REQUIRE(made);
        networks = std::move(*made);
        const auto started = networks->start(spec, soon());
        REQUIRE_MESSAGE(started, started.error().to_string());
        REQUIRE(peer.accept());
    }
    ~Guest() { (void)networks->stop(spec.id, spec.directory, soon()); }

    GuestNetworkStatus status() {
        const auto answer = networks->status(spec.id, soon());
        REQUIRE_MESSAGE(answer, answer.error().to_string());
        return *answer;
    }
    // The next packet for a port of the guest.
    std::optional<Bytes> receive(std::uint8_t protocol, std::uint16_t port) {
        return peer.receive([&](ByteView frame) {
            const auto packet = parse_ipv4(frame);
            return packet && packet->protocol == protocol && packet->destination_port == port;
        });
    }
};

UniqueFd begin_connection(int type, std::uint16_t port) {
    UniqueFd socket(::socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(kPublic.value);
    to.sin_port = htons(port);
    const int done = ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
    CHECK((done == 0 || errno == EINPROGRESS));
    return socket;
}

std::string receive_text(const UniqueFd& socket) {
    char text[64];
    ssize_t n = -1;
    (void)eventually([&] { return (n = ::recv(socket.get(), text, sizeof text, 0)) > 0; });
    return n > 0 ? std::string(text, static_cast<std::size_t>(n)) : std::string();
}

// A connection from the host, answered by the guest's side by hand.
void check_greeting(Guest& guest) {
    const UniqueFd client = begin_connection(SOCK_STREAM, 7777);
    const auto frame = guest.receive(kTcp, 7777);
    REQUIRE(frame);
    CHECK(checksums_right(*frame));
    const auto syn = read_tcp(*frame);
    CHECK(syn->from == kHost);
    CHECK(syn->to == guest.spec.address);
    const auto answer = [&](std::uint8_t flags, std::uint32_t sequence, const std::string& data) {
        guest.peer.send(
            tcp_frame(guest.spec.mac, {guest.spec.address, syn->from, 7777, syn->from_port, flags,
                                       sequence, syn->sequence + 1, data}));
    };
    answer(kTcpSyn | kTcpAck, 500, "");
    answer(kTcpAck, 501, "hello");
    CHECK(receive_text(client) == "hello");
    answer(kTcpRst, 506, "");
}

}  // namespace

TEST_CASE("NET-11: a client on the host reaches the guest at its public address") {
    const OwnNetwork network;
    if (!network.made()) {
        MESSAGE("skipped: no right to a network namespace with tunnels");
        return;
    }
    Guest guest;
    const auto status = guest.status();
    REQUIRE(status.tunnel);
    CHECK(status.tunnel->address == kPublic);
    CHECK(status.tunnel->device.starts_with(kTunnelPrefix));
    CHECK(status.forwards.empty());
    CHECK(tunnelled_addresses() == std::vector<Ipv4>{kPublic});
    check_greeting(guest);

    const UniqueFd client = begin_connection(SOCK_DGRAM, 7777);
    REQUIRE(::send(client.get(), "ask", 3, 0) == 3);
    const auto asked = guest.receive(kUdp, 7777);
    REQUIRE(asked);
    CHECK(checksums_right(*asked));
    const auto packet = parse_ipv4(*asked);
    guest.peer.send(udp_frame(guest.spec.mac, guest.spec.address, 7777, packet->source,
                              packet->source_port, "answer"));
    CHECK(receive_text(client) == "answer");
}

TEST_CASE("NET-11: what no rule opens does not arrive, and the rules may change") {
    const OwnNetwork network;
    if (!network.made()) {
        return;
    }
    Guest guest;
    const UniqueFd closed = begin_connection(SOCK_DGRAM, 7778);
    REQUIRE(::send(closed.get(), "one", 3, 0) == 3);
    REQUIRE(eventually([&] { return guest.status().dropped_to_guest >= 1; }));
    GuestNetworkRules rules = guest.spec.rules;
    rules.ingress = {{17, 7778, 7778, *Cidr::parse("0.0.0.0/0")}};
    REQUIRE(guest.networks->update(guest.spec.id, rules, soon()));
    REQUIRE(::send(closed.get(), "two", 3, 0) == 3);
    const auto frame = guest.receive(kUdp, 7778);
    REQUIRE(frame);
    CHECK(std::string(frame->end() - 3, frame->end()) == "two");
}

TEST_CASE("NET-11: killed, the process has its tunnel again; stopped, device and route are gone") {
    const OwnNetwork network;
    if (!network.made()) {
        return;
    }
    Guest guest;
    check_greeting(guest);
    REQUIRE(::kill(guest.status().pid, SIGKILL) == 0);
    REQUIRE(guest.peer.accept());
    CHECK(guest.status().restarts == 1);
    check_greeting(guest);
    REQUIRE(guest.networks->stop(guest.spec.id, guest.spec.directory, soon()));
    CHECK(tunnelled_addresses().empty());
    CHECK(read_file("/proc/thread-self/net/route")->find(kTunnelPrefix) == std::string::npos);
}

TEST_CASE("NET-12: the process keeps no right to devices, nor does the guest reach the host") {
    const OwnNetwork network;
    if (!network.made()) {
        return;
    }
    Guest guest;
    const std::string status =
        *read_file("/proc/" + std::to_string(guest.status().pid) + "/status");
    for (const char* set : {"CapInh:\t", "CapPrm:\t", "CapEff:\t", "CapAmb:\t"}) {
        const auto at = status.find(set);
        REQUIRE(at != std::string::npos);
        const auto value = std::stoull(status.substr(at + 8, 16), nullptr, 16);
        CHECK((value & ~(1ULL << 10)) == 0);  // CAP_NET_BIND_SERVICE
    }
    const UniqueFd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    sockaddr_in any{};
    any.sin_family = AF_INET;
    any.sin_port = htons(7779);
    REQUIRE(::bind(listener.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0);
    REQUIRE(::listen(listener.get(), 8) == 0);
    for (const Ipv4 target : {kHost, kPublic}) {
        guest.peer.send(tcp_frame(guest.spec.mac,
                                  {guest.spec.address, target, 40000, 7779, kTcpSyn, 1, 0, ""}));
    }
    REQUIRE(eventually([&] { return guest.status().dropped_from_guest == 2; }));
    CHECK(::accept(listener.get(), nullptr, nullptr) < 0);
}

TEST_CASE("D20: a tunnel with impossible addresses is refused") {
    const OwnNetwork network;
    if (!network.made()) {
        return;
    }
    Guest guest;
    GuestNetworkSpec bad = guest.spec;
    bad.id = MachineId("i-2");
    bad.tunnel = {*Ipv4::parse("172.31.9.9"), kHost};  // of the VPC
    CHECK(guest.networks->start(bad, soon()).error().code() == Code::invalid_argument);
    bad.tunnel = {kPublic, kPublic};
    CHECK(guest.networks->start(bad, soon()).error().code() == Code::invalid_argument);
}
