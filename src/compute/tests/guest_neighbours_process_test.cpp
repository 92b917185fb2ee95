// SPDX-License-Identifier: Apache-2.0
// Two network processes of one VPC as their guests see each other: scripted peers on both NICs'
// sockets. With users of their own where the test may (as root), and as one user.
#include <doctest/doctest.h>
#include <signal.h>

#include "compute/network/guest_network.h"
#include "compute/network/peer_links.h"
#include "compute/qemu/unix_socket.h"
#include "compute/qemu/users.h"
#include "compute/tests/guest_peer.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

namespace {

const Cidr kAll = *Cidr::parse("0.0.0.0/0");

struct Member {
    Member(const std::string& directory, const std::string& name, std::uint8_t number,
           std::optional<uid_t> user)
        : spec(make_spec(directory, name, number)),
          metadata(spec.metadata_socket),
          peer(spec, user) {}

    static GuestNetworkSpec make_spec(const std::string& directory, const std::string& name,
                                      std::uint8_t number) {
        GuestNetworkSpec spec = network_spec(directory, name);
        spec.mac.bytes[5] = number;
        spec.address.value += number;
        spec.rules.public_address.reset();
        spec.rules.ingress.clear();
        spec.neighbours_file = directory + "/vpc.json";
        return spec;
    }
    Neighbour neighbour(std::vector<std::string> groups) const {
        return {spec.id, spec.address, spec.mac, guest_network_peer_path(spec.runtime_directory),
                std::move(groups)};
    }
    void ping(const Member& to, std::uint16_t identifier, std::uint8_t type = 8) {
        peer.send(icmp_frame(spec.mac, spec.address, to.spec.address, type, 0, identifier));
    }
    // The station it came from.
    std::optional<Mac> pinged(std::uint16_t identifier, std::uint8_t type = 8) {
        const auto frame = peer.receive([&](ByteView bytes) {
            const auto packet = parse_ipv4(bytes);
            return packet && packet->protocol == kIcmp && packet->icmp_type == type &&
                   packet->source_port == identifier;
        });
        if (!frame) {
            return std::nullopt;
        }
        CHECK(checksums_right(*frame));
        return source_mac(*frame);
    }

    GuestNetworkSpec spec;
    MetadataStub metadata;
    GuestPeer peer;
};

struct Vpc {
    explicit Vpc(bool wanted)
        : separate(wanted && choose_users(true).separate),
          networks(open()),
          a(directory.path(), "i-a", 1, user("i-a")),
          b(directory.path(), "i-b", 2, user("i-b")) {
        b.spec.rules.ingress = {{1, 8, -1, kNobody, "sg-a"}};
        for (Member* member : {&a, &b}) {
            const auto started = networks->start(member->spec, soon());
            REQUIRE_MESSAGE(started, started.error().to_string());
            REQUIRE(member->peer.accept());
        }
        tell({a.neighbour({"sg-a"}), b.neighbour({})});
    }
    ~Vpc() {
        for (const Member* member : {&a, &b}) {
            (void)networks->stop(member->spec.id, member->spec.directory, soon());
        }
    }
    std::unique_ptr<GuestNetworks> open() const {
        auto made = make_guest_networks({KILN_GUEST_NETWORK_PROGRAM, separate});
        REQUIRE(made);
        return std::move(*made);
    }
    std::optional<uid_t> user(const std::string& id) const {
        return separate ? std::optional(instance_uid(MachineId(id))) : std::nullopt;
    }
    void tell(const std::vector<Neighbour>& neighbours) {
        REQUIRE(networks->set_neighbours(a.spec.neighbours_file, neighbours));
    }
    std::uint64_t dropped_to(const Member& member) {
        const auto status = networks->status(member.spec.id, soon());
        REQUIRE(status);
        return status->dropped_to_guest;
    }
    std::uint64_t dropped_from(const Member& member) {
        const auto status = networks->status(member.spec.id, soon());
        REQUIRE(status);
        return status->dropped_from_guest;
    }

    TemporaryDirectory directory;
    bool separate;
    std::unique_ptr<GuestNetworks> networks;
    Member a;
    Member b;
};

void check_both_ways(Vpc& vpc, std::uint16_t identifier) {
    vpc.a.ping(vpc.b, identifier);
    CHECK(vpc.b.pinged(identifier) == vpc.a.spec.mac);
    vpc.b.ping(vpc.a, identifier, 0);
    CHECK(vpc.a.pinged(identifier, 0) == vpc.b.spec.mac);
}

}  // namespace

TEST_CASE("NET-9: two guests reach each other through their processes, as the rules allow") {
    for (const bool wanted : {true, false}) {
        CAPTURE(wanted);
        Vpc vpc(wanted);
        check_both_ways(vpc, 1);
        // Not the other way round: nothing lets b in.
        vpc.b.ping(vpc.a, 2);
        CHECK(eventually([&] { return vpc.dropped_to(vpc.a) == 1; }));
        // Leaving the group is noticed without anybody telling the process.
        vpc.tell({vpc.a.neighbour({}), vpc.b.neighbour({})});
        vpc.a.ping(vpc.b, 3);
        CHECK(eventually([&] { return vpc.dropped_to(vpc.b) == 1; }));
        // Who is gone is not even tried.
        vpc.tell({vpc.a.neighbour({"sg-a"})});
        vpc.a.ping(vpc.b, 4);
        CHECK(eventually([&] { return vpc.dropped_from(vpc.a) == 1; }));
    }
}

TEST_CASE("D17: neighbours need no daemon, and find a process that was started again") {
    Vpc vpc(true);
    check_both_ways(vpc, 1);
    vpc.networks.reset();
    check_both_ways(vpc, 2);
    vpc.networks = vpc.open();
    for (const Member* member : {&vpc.a, &vpc.b}) {
        REQUIRE(vpc.networks->adopt(member->spec.id, member->spec.directory, soon()));
    }
    REQUIRE(::kill(vpc.networks->status(vpc.b.spec.id, soon())->pid, SIGKILL) == 0);
    REQUIRE(vpc.b.peer.accept());
    check_both_ways(vpc, 3);
}

TEST_CASE("NET-10: another user's process is not heard, whatever address it names") {
    Vpc vpc(true);
    if (!vpc.separate) {
        MESSAGE("not root: processes cannot be told apart by user");
        return;
    }
    // As we are root, we can connect; but root is nobody's neighbour.
    PeerLinks intruder{UniqueFd()};
    const Bytes forged =
        icmp_frame(vpc.a.spec.mac, vpc.a.spec.address, vpc.b.spec.address, 8, 0, 9);
    intruder.send(vpc.b.neighbour({}), forged);
    // The connection is closed, which the next attempt notices.
    CHECK(eventually([&] {
        auto socket = connect_frames(vpc.b.neighbour({}).socket);
        pollfd wait{socket ? socket->get() : -1, POLLIN, 0};
        return socket && ::poll(&wait, 1, 1000) == 1 && (wait.revents & POLLHUP) != 0;
    }));
    check_both_ways(vpc, 1);  // and 9 was not received before it
    CHECK(vpc.dropped_to(vpc.b) == 0);
}

TEST_CASE("a neighbour whose guest does not read stops nobody") {
    Vpc vpc(true);
    vpc.b.spec.rules.ingress = {{-1, -1, -1, kAll}};
    REQUIRE(vpc.networks->update(vpc.b.spec.id, vpc.b.spec.rules, soon()));
    // More than b's process and all sockets on the way hold.
    for (int i = 0; i < 20000; ++i) {
        vpc.a.peer.send(udp_frame(vpc.a.spec.mac, vpc.a.spec.address, 1, vpc.b.spec.address, 2,
                                  std::string(1400, 'x')));
    }
    CHECK(eventually([&] { return vpc.dropped_from(vpc.a) > 0; }));
    vpc.a.peer.send(arp_request(vpc.a.spec.mac, vpc.a.spec.address, vpc.a.spec.router));
    CHECK(vpc.a.peer.receive([](ByteView frame) { return frame[12] == 8 && frame[13] == 6; }));
    // When b reads, what comes next arrives.
    const auto ping = [](ByteView frame) {
        const auto packet = parse_ipv4(frame);
        return packet && packet->protocol == kIcmp && packet->source_port == 5;
    };
    CHECK(eventually([&] {
        vpc.a.ping(vpc.b, 5);
        return vpc.b.peer.receive(ping, Deadline::after(std::chrono::seconds(1))).has_value();
    }));
}
