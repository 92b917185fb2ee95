// SPDX-License-Identifier: Apache-2.0
// The filter between instances of one VPC, the file that says who they are, and the sockets between
// their processes.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compute/network/frame_filter.h"
#include "compute/network/peer_links.h"
#include "compute/qemu/unix_socket.h"
#include "compute/tests/guest_peer.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;
using Route = FrameFilter::Route;

namespace {

const Mac kOtherMac{{0x0e, 9, 9, 9, 9, 9}};
const Cidr kAll = *Cidr::parse("0.0.0.0/0");
const TrafficRule kEverything{-1, -1, -1, kAll};

Ipv4 address(const char* text) {
    return *Ipv4::parse(text);
}

const Ipv4 kNear = address("172.31.5.11");   // in the subnet of network_spec()
const Ipv4 kFar = address("172.31.20.7");    // in another of its VPC
const Ipv4 kNoOne = address("172.31.5.12");  // has no instance

Neighbour neighbour(const std::string& id, Ipv4 at, std::vector<std::string> groups = {}) {
    Neighbour out;
    out.id = MachineId(id);
    out.address = at;
    out.mac = kOtherMac;
    out.socket = "/run/kiln/" + id + "/peers.sock";
    out.groups = std::move(groups);
    return out;
}

TrafficRule from_group(int protocol, int from, int to, const std::string& group) {
    return {protocol, from, to, kNobody, group};
}

// An instance's filter and what its neighbours send to it.
struct World {
    World(std::vector<TrafficRule> ingress, std::vector<TrafficRule> egress)
        : spec(network_spec("/run/kiln")) {
        spec.rules.ingress = std::move(ingress);
        spec.rules.egress = std::move(egress);
        filter = std::make_unique<FrameFilter>(spec);
        filter->set_neighbours(
            Neighbours({neighbour("i-2", kNear, {"sg-web"}), neighbour("i-3", kFar, {"sg-db"})}));
    }
    Route tcp(Ipv4 to, std::uint16_t from_port, std::uint16_t port) {
        return send(tcp_frame(spec.mac, {spec.address, to, from_port, port, kTcpSyn, 1, 0, ""}));
    }
    Route ping(Ipv4 to, std::uint8_t type, std::uint16_t identifier = 77) {
        return send(icmp_frame(spec.mac, spec.address, to, type, 0, identifier));
    }
    Route send(const Bytes& frame) { return filter->from_guest(frame, now); }
    bool tcp_in(Ipv4 from, std::uint16_t from_port, std::uint16_t port, uid_t sender = 0) {
        return take(tcp_frame(kOtherMac, {from, spec.address, from_port, port, kTcpSyn, 1, 0, ""}),
                    sender);
    }
    bool ping_in(Ipv4 from, std::uint8_t type, std::uint16_t identifier = 77) {
        return take(icmp_frame(kOtherMac, from, spec.address, type, 0, identifier));
    }
    bool take(const Bytes& frame, uid_t sender = 0) {
        return filter->from_neighbour(frame, sender, now).has_value();
    }

    GuestNetworkSpec spec;
    std::unique_ptr<FrameFilter> filter;
    FlowTable::Time now{};
};

// "Port unreachable" from `from` to `to` about `about`.
Bytes unreachable(const Mac& mac, Ipv4 from, Ipv4 to, const Bytes& about) {
    Bytes frame = icmp_frame(mac, from, to, 3, 3, 0);
    frame.resize(42);
    frame.insert(frame.end(), about.begin() + 14, about.begin() + 14 + 28);
    frame[17] = static_cast<std::uint8_t>(frame.size() - 14);
    return frame;
}

}  // namespace

TEST_CASE("NET-9: a neighbour is reached by its private address, in the same subnet and another") {
    World world({}, {kEverything});
    CHECK(world.tcp(kNear, 40000, 22) == Route::neighbour);
    CHECK(world.tcp(kFar, 40000, 22) == Route::neighbour);
    CHECK(world.ping(kNear, 8) == Route::neighbour);
    CHECK(world.tcp(kNoOne, 40000, 22) == Route::drop);
    CHECK(world.tcp(metadata_alias(world.spec), 40000, 22) == Route::drop);
    // ARP: the neighbour itself in the subnet, nobody beyond it.
    const auto ask = [&](Ipv4 target) {
        return world.send(arp_request(world.spec.mac, world.spec.address, target));
    };
    CHECK(ask(kNear) == Route::arp);
    CHECK(world.filter->station_of(kNear) == kOtherMac);
    CHECK(ask(kFar) == Route::drop);
    CHECK(ask(kNoOne) == Route::drop);
    CHECK(world.filter->station_of(world.spec.router) == router_mac(world.spec.router));
    // It is seen to come from itself, or from the router.
    World server({kEverything}, {});
    const auto station = [&](Ipv4 from) {
        return server.filter->from_neighbour(
            tcp_frame(kOtherMac, {from, server.spec.address, 1, 22, kTcpSyn, 1, 0, ""}), 0, {});
    };
    CHECK(station(kNear) == kOtherMac);
    CHECK(station(kFar) == router_mac(server.spec.router));
}

TEST_CASE("NET-9: the addresses of services stay theirs, whoever is said to have them") {
    World world({kEverything}, {kEverything});
    const Ipv4 own = world.spec.address;
    world.filter->set_neighbours(
        Neighbours({neighbour("i-2", world.spec.router), neighbour("i-3", world.spec.dns),
                    neighbour("i-4", own), neighbour("i-5", address("93.184.216.34"))}));
    CHECK(world.tcp(world.spec.router, 40000, 22) == Route::drop);
    CHECK(world.send(udp_frame(world.spec.mac, own, 1, world.spec.dns, 53, "x")) == Route::uplink);
    CHECK(world.tcp(own, 40000, 22) == Route::drop);
    CHECK(world.tcp(address("93.184.216.34"), 40000, 22) == Route::uplink);
    CHECK_FALSE(world.tcp_in(world.spec.router, 1, 22));
    CHECK_FALSE(world.tcp_in(world.spec.dns, 1, 22));
    CHECK_FALSE(world.tcp_in(own, 1, 22));
    CHECK_FALSE(world.tcp_in(address("93.184.216.34"), 1, 22));
}

TEST_CASE("SG-9: a rule that names a group admits its members alone") {
    World world({from_group(6, 22, 22, "sg-web")}, {from_group(6, 5432, 5432, "sg-db")});
    CHECK(world.tcp_in(kNear, 5000, 22));
    CHECK_FALSE(world.tcp_in(kNear, 5000, 23));
    CHECK_FALSE(world.tcp_in(kFar, 5000, 22));
    CHECK(world.tcp(kFar, 40000, 5432) == Route::neighbour);
    CHECK(world.tcp(kNear, 40000, 5432) == Route::drop);
    CHECK(world.tcp(address("93.184.216.34"), 40000, 5432) == Route::drop);
    CHECK_FALSE(world.filter->to_guest(
        tcp_frame(kOtherMac, {world.spec.router, world.spec.address, 5000, 22, kTcpSyn, 1, 0, ""}),
        world.now));

    // Membership moves, and with it what is allowed to begin.
    world.filter->set_neighbours(
        Neighbours({neighbour("i-2", kNear), neighbour("i-3", kFar, {"sg-db", "sg-web"})}));
    CHECK_FALSE(world.tcp_in(kNear, 5001, 22));
    CHECK(world.tcp_in(kFar, 5001, 22));
    CHECK(world.tcp_in(kNear, 5000, 22));  // under way
}

TEST_CASE("SG-9: between neighbours both sides' rules count, and answers need none") {
    World client({}, {kEverything});
    CHECK_FALSE(client.tcp_in(kNear, 22, 40000));
    CHECK(client.tcp(kNear, 40000, 22) == Route::neighbour);
    CHECK(client.tcp_in(kNear, 22, 40000));
    CHECK_FALSE(client.tcp_in(kNear, 23, 40000));
    CHECK(client.ping(kNear, 8) == Route::neighbour);
    CHECK(client.ping_in(kNear, 0));
    CHECK_FALSE(client.ping_in(kNear, 0, 78));
    // Having been pinged is no leave to ping.
    CHECK_FALSE(client.ping_in(kNear, 8));

    World server({{6, 22, 22, *Cidr::parse("172.31.5.11/32")}, {1, 8, -1, kAll}}, {});
    CHECK(server.tcp(kNear, 22, 5000) == Route::drop);
    CHECK(server.tcp_in(kNear, 5000, 22));
    CHECK(server.tcp(kNear, 22, 5000) == Route::neighbour);
    CHECK_FALSE(server.tcp_in(kFar, 5000, 22));
    CHECK(server.ping(kNear, 0) == Route::drop);
    CHECK(server.ping_in(kNear, 8));
    CHECK(server.ping(kNear, 0) == Route::neighbour);
    CHECK(server.ping(kNear, 8) == Route::drop);
}

TEST_CASE("NET-9: an ICMP error passes when it is about a flow that there is") {
    World client({}, {kEverything});
    const Bytes query = udp_frame(client.spec.mac, client.spec.address, 40000, kNear, 53, "x");
    const Bytes error = unreachable(kOtherMac, kNear, client.spec.address, query);
    CHECK_FALSE(client.take(error));
    CHECK(client.send(query) == Route::neighbour);
    CHECK(client.take(error));
    CHECK_FALSE(client.take(unreachable(kOtherMac, kFar, client.spec.address, query)));
    CHECK_FALSE(client.take(icmp_frame(kOtherMac, kNear, client.spec.address, 3, 3, 0)));
    CHECK_FALSE(client.take(icmp_frame(kOtherMac, kNear, client.spec.address, 13, 0, 0)));

    World server({{17, 53, 53, kAll}}, {});
    const Bytes asked = udp_frame(kOtherMac, kNear, 40000, server.spec.address, 53, "x");
    const Bytes answer = unreachable(server.spec.mac, server.spec.address, kNear, asked);
    CHECK(server.send(answer) == Route::drop);
    CHECK(server.take(asked));
    CHECK(server.send(answer) == Route::neighbour);
}

TEST_CASE("NET-10: a frame counts only from the process of the instance it names as its source") {
    World world({kEverything}, {});
    Neighbour known = neighbour("i-2", kNear);
    known.user = 1234;
    world.filter->set_neighbours(Neighbours({known, neighbour("i-3", kFar)}));
    CHECK(world.tcp_in(kNear, 5000, 22, 1234));
    CHECK_FALSE(world.tcp_in(kNear, 5000, 22, 1235));
    CHECK_FALSE(world.tcp_in(kNear, 5000, 22, 0));
    CHECK_FALSE(world.tcp_in(kNoOne, 5000, 22, 1234));
    // Nothing for others, no fragments, nothing too long, no noise.
    const auto to = [&](Ipv4 target) { return udp_frame(kOtherMac, kNear, 1, target, 2, "x"); };
    CHECK(world.take(to(world.spec.address), 1234));
    CHECK_FALSE(world.take(to(kFar), 1234));
    CHECK_FALSE(world.take(to(kBroadcastAddress), 1234));
    Bytes fragment = to(world.spec.address);
    fragment[20] = 0x20;
    CHECK_FALSE(world.take(fragment, 1234));
    CHECK_FALSE(world.take(
        udp_frame(kOtherMac, kNear, 1, world.spec.address, 2, std::string(1473, 'x')), 1234));
    CHECK_FALSE(world.take(Bytes(60, 0xff), 1234));
    CHECK_FALSE(world.take({}, 1234));
}

TEST_CASE("NET-9: flows end with the neighbour they were with") {
    World world({}, {kEverything});
    CHECK(world.tcp(kNear, 40000, 22) == Route::neighbour);
    CHECK(world.tcp(kFar, 40000, 22) == Route::neighbour);
    world.filter->set_neighbours(Neighbours({neighbour("i-3", kFar)}));
    CHECK(world.tcp(kNear, 40000, 22) == Route::drop);
    // Another instance got the address: it does not inherit the flow.
    world.filter->set_neighbours(Neighbours({neighbour("i-9", kNear), neighbour("i-3", kFar)}));
    CHECK_FALSE(world.tcp_in(kNear, 22, 40000));
    CHECK(world.tcp_in(kFar, 22, 40000));
}

TEST_CASE("the file of neighbours is read again when it is another, and only then") {
    TemporaryDirectory directory;
    const std::string path = directory.path() + "/vpc.json";
    NeighbourFile file(path);
    CHECK_FALSE(file.changed());
    std::vector<Neighbour> list = {neighbour("i-2", kNear, {"sg-1", "sg-2"})};
    list[0].user = 1234;
    REQUIRE(write_neighbours(path, list));
    struct stat info {};
    REQUIRE(::stat(path.c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == 0644);
    CHECK(file.changed() == Neighbours(list));
    CHECK_FALSE(file.changed());
    REQUIRE(write_neighbours(path, list));
    CHECK_FALSE(file.changed());
    // Many in a row, as their times may be the same.
    for (int i = 0; i < 50; ++i) {
        list[0].user = 2000 + i;
        REQUIRE(write_neighbours(path, list));
        CHECK(file.changed() == Neighbours(list));
    }
    // What cannot be read changes nothing.
    REQUIRE(write_file_atomic(path, "{", 0644));
    CHECK_FALSE(file.changed());
    list.push_back(neighbour("i-3", kFar));
    REQUIRE(write_neighbours(path, list));
    CHECK(file.changed() == Neighbours(list));
    REQUIRE(write_neighbours(path, {}));
    CHECK(file.changed() == Neighbours());
    CHECK_FALSE(file.changed());
    CHECK_FALSE(NeighbourFile("").changed());
}

TEST_CASE("a malformed file of neighbours is refused") {
    const std::string good = encode_neighbours({neighbour("i-2", kNear, {"sg-1"})});
    CHECK(decode_neighbours(good) == std::vector<Neighbour>{neighbour("i-2", kNear, {"sg-1"})});
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        text.replace(text.find(from), from.size(), to);
        return decode_neighbours(text).has_value();
    };
    CHECK(with("i-2", "i-4"));
    CHECK_FALSE(with("172.31.5.11", "172.31.5.256"));
    CHECK_FALSE(with("0e:09", "0e-09"));
    CHECK_FALSE(with("\"sg-1\"", "1"));
    CHECK_FALSE(with("\"sg-1\"", "\"" + std::string(65, 'a') + "\""));
    CHECK_FALSE(with("/run/kiln/i-2/peers.sock", std::string(108, 'a')));
    CHECK_FALSE(with("\"version\": 1", "\"version\": 2"));
    CHECK_FALSE(with("\"groups\"", "\"user\": -1, \"groups\""));
    CHECK_FALSE(with("\"neighbours\": [", "\"neighbours\": [7,"));
    CHECK_FALSE(decode_neighbours("[]"));
    CHECK_FALSE(decode_neighbours(std::string(kMaxNeighboursBytes + 1, ' ')));
}

namespace {

// One process's end, whose turns the test makes.
struct End {
    explicit End(const std::string& path)
        : listener(listen_frames(path, 0600)), links(std::move(*listener)) {}
    std::vector<std::string> turn(std::size_t allowed = PeerLinks::kMaxLinks) {
        std::vector<std::string> taken;
        // Twice: once to accept, once to read.
        for (int i = 0; i < 2; ++i) {
            std::vector<pollfd> watched;
            links.prepare(watched);
            ::poll(watched.data(), watched.size(), 0);
            links.dispatch(
                watched, [&](uid_t user) { return user == ::geteuid() ? allowed : 0; },
                [&](ByteView frame, uid_t) { taken.emplace_back(frame.begin(), frame.end()); });
        }
        return taken;
    }
    Result<UniqueFd> listener;
    PeerLinks links;
};

Bytes bytes_of(const std::string& text) {
    return {text.begin(), text.end()};
}

}  // namespace

TEST_CASE("frames go from process to process, and a full queue stops nobody") {
    TemporaryDirectory directory;
    Neighbour to = neighbour("i-2", kNear);
    to.socket = directory.path() + "/a";
    PeerLinks sender{UniqueFd()};
    CHECK_FALSE(sender.send(to, bytes_of("lost")));  // nobody listens
    auto receiver = std::make_unique<End>(to.socket);
    CHECK(sender.send(to, bytes_of("one")));
    CHECK(sender.send(to, bytes_of("two")));
    CHECK(receiver->turn() == std::vector<std::string>{"one", "two"});

    // It does not read: frames are dropped at some point, without waiting.
    const Bytes full(kMaxFrameBytes, 'x');
    std::size_t sent = 0;
    while (sent < 100000 && sender.send(to, full)) {
        ++sent;
    }
    CHECK(sent > 50);
    CHECK(sent < 100000);
    PeerLinks another{UniqueFd()};
    CHECK(another.send(to, bytes_of("mine")));
    const auto taken = receiver->turn();
    CHECK(std::find(taken.begin(), taken.end(), "mine") != taken.end());
    CHECK(taken.front().size() == kMaxFrameBytes);

    // Longer than a frame: cut, which the filter notices.
    another.send(to, Bytes(4000, 'y'));
    receiver->turn();
    const auto cut = receiver->turn();
    CHECK(std::all_of(cut.begin(), cut.end(),
                      [](const auto& frame) { return frame.size() <= kMaxFrameBytes + 1; }));

    // It ends and is started again: the next frame finds it.
    receiver = std::make_unique<End>(to.socket);
    CHECK(another.send(to, bytes_of("again")));
    CHECK(receiver->turn() == std::vector<std::string>{"again"});
    // It is gone from the VPC.
    another.retain(Neighbours());
    CHECK(receiver->turn().empty());
    std::vector<pollfd> watched;
    receiver->links.prepare(watched);
    CHECK(watched.size() == 1);
}

TEST_CASE("NET-10: who is not admitted is not heard, and nobody takes the connections of others") {
    TemporaryDirectory directory;
    Neighbour to = neighbour("i-2", kNear);
    to.socket = directory.path() + "/a";
    End receiver(to.socket);
    PeerLinks stranger{UniqueFd()};
    stranger.send(to, bytes_of("hello"));
    CHECK(receiver.turn(0).empty());

    std::vector<std::unique_ptr<PeerLinks>> many;
    for (int i = 0; i < 6; ++i) {
        many.push_back(std::make_unique<PeerLinks>(UniqueFd()));
        CHECK(many.back()->send(to, bytes_of(std::to_string(i))));
        CHECK(receiver.turn(4) == std::vector<std::string>{std::to_string(i)});
    }
    std::vector<pollfd> watched;
    receiver.links.prepare(watched);
    CHECK(watched.size() == 1 + 4);
    // Who lost its connection makes a new one.
    many[0]->send(to, bytes_of("back"));
    CHECK(receiver.turn(4) == std::vector<std::string>{"back"});
}
