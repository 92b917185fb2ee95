// SPDX-License-Identifier: Apache-2.0
#include <doctest/doctest.h>

#include "compute/network/config.h"
#include "compute/network/control_protocol.h"
#include "compute/network/forwards.h"
#include "compute/network/record.h"
#include "compute/tests/guest_peer.h"

using namespace kiln;
using namespace kiln::compute;
using namespace kiln::compute::testing;

namespace {

Cidr cidr(const char* text) {
    return *Cidr::parse(text);
}

std::vector<std::uint16_t> opened(const std::vector<TrafficRule>& rules,
                                  const std::vector<Ipv4>& host = {}) {
    return ports_to_forward(rules, host);
}

}  // namespace

TEST_CASE("a configuration is read back as it was written") {
    GuestNetworkConfig config;
    config.spec = network_spec("/run/kiln");
    config.spec.rules.blocked = {cidr("10.0.0.0/8")};
    config.spec.rules.metadata_enabled = false;
    config.spec.rules.ingress.push_back({6, 80, 80, kNobody, "sg-1"});
    config.spec.neighbours_file = "/run/kiln/vpc-1.json";
    config.forwards = {22, 443};
    config.user = 1'880'000'001;
    auto decoded = decode_guest_network_config(encode_guest_network_config(config));
    REQUIRE_MESSAGE(decoded, decoded.error().to_string());
    CHECK(*decoded == config);

    config.spec.tunnel = {*Ipv4::parse("203.0.113.5"), *Ipv4::parse("203.0.113.1")};
    config.spec.rules.public_address.reset();
    decoded = decode_guest_network_config(encode_guest_network_config(config));
    REQUIRE_MESSAGE(decoded, decoded.error().to_string());
    CHECK(*decoded == config);
    config.spec.tunnel.reset();

    config.user.reset();
    config.forwards.clear();
    config.spec.rules.public_address.reset();
    decoded = decode_guest_network_config(encode_guest_network_config(config));
    REQUIRE(decoded);
    CHECK(*decoded == config);
}

TEST_CASE("a configuration with anything missing or wrong is refused, naming it") {
    GuestNetworkConfig config;
    config.spec = network_spec("/run/kiln");
    config.forwards = {22};
    const std::string good = encode_guest_network_config(config);
    const auto replaced = [&](const std::string& from, const std::string& to) {
        std::string text = good;
        const auto at = text.find(from);
        REQUIRE(at != std::string::npos);
        return decode_guest_network_config(text.replace(at, from.size(), to));
    };
    CHECK_FALSE(decode_guest_network_config(""));
    CHECK_FALSE(decode_guest_network_config("[]"));
    CHECK(replaced("\"version\": 1", "\"version\": 2").error().code() == Code::unsupported);
    CHECK(replaced("\"mac\":", "\"cam\":").error().message().find("mac") != std::string::npos);
    CHECK_FALSE(replaced("172.31.5.10", "172.31.5.010"));
    CHECK_FALSE(replaced("\"metadata_hop_limit\": 2", "\"metadata_hop_limit\": 0"));
    CHECK_FALSE(replaced("\"metadata_hop_limit\": 2", "\"metadata_hop_limit\": 65"));
    CHECK_FALSE(replaced("\"metadata_hop_limit\": 2", "\"metadata_hop_limit\": 1e9"));
    CHECK_FALSE(replaced("\"metadata_enabled\": true", "\"metadata_enabled\": 1"));
    CHECK_FALSE(replaced("\"protocol\": 6", "\"protocol\": 256"));
    CHECK_FALSE(replaced("\"protocol\": 6", "\"protocol\": -9223372036854775808"));
    CHECK_FALSE(replaced("\"protocol\": 6", "\"protocol\": 18446744073709551615"));
    CHECK_FALSE(replaced("\"from\": 22", "\"from\": 23"));
    CHECK_FALSE(replaced("  22\n", "  22,\n  22\n"));
    CHECK_FALSE(replaced("  22\n", "  0\n"));
    CHECK_FALSE(replaced("  22\n", "  65536\n"));
    CHECK(replaced("\"forwards\": [", "\"user\": 7, \"forwards\": ["));
    CHECK_FALSE(replaced("\"forwards\": [", "\"user\": 0, \"forwards\": ["));
}

TEST_CASE("a specification that makes no network is refused") {
    const GuestNetworkSpec good = network_spec("/run/kiln");
    CHECK(check_guest_network(good));
    const auto refused = [&](auto change) {
        GuestNetworkSpec spec = good;
        change(spec);
        const auto checked = check_guest_network(spec);
        return !checked && checked.error().code() == Code::invalid_argument;
    };
    CHECK(refused([](auto& s) { s.id = MachineId(""); }));
    CHECK(refused([](auto& s) { s.mac = kBroadcastMac; }));
    CHECK(refused([](auto& s) { s.mac = Mac{}; }));
    CHECK(refused([](auto& s) { s.address = *Ipv4::parse("172.31.16.1"); }));
    CHECK(refused([](auto& s) { s.address = s.router; }));
    CHECK(refused([](auto& s) { s.address = s.dns; }));
    CHECK(refused([](auto& s) { s.address = metadata_alias(s); }));
    CHECK(refused([](auto& s) { s.address = s.subnet.base; }));
    CHECK(refused([](auto& s) { s.address = *Ipv4::parse("172.31.15.255"); }));
    CHECK(refused([](auto& s) { s.dns = *Ipv4::parse("8.8.8.8"); }));
    CHECK(refused([](auto& s) { s.network = cidr("10.0.0.0/8"); }));
    CHECK(refused([](auto& s) { s.network = cidr("0.0.0.0/0"); }));
    CHECK(refused([](auto& s) { s.subnet = cidr("172.31.5.8/29"); }));
    CHECK(refused([](auto& s) { s.hostname = "a b"; }));
    CHECK(refused([](auto& s) { s.domain.assign(201, 'a'); }));
    CHECK(refused([](auto& s) { s.nic_socket = "relative"; }));
    CHECK(refused([](auto& s) { s.metadata_socket = "/" + std::string(107, 'a'); }));
    CHECK(refused([](auto& s) { s.api_socket = "relative"; }));
    CHECK(refused([](auto& s) { s.dns = api_alias(s); }));
    CHECK(refused([](auto& s) { s.runtime_directory = "/" + std::string(95, 'a'); }));
    CHECK(refused([](auto& s) { s.directory = ""; }));
    CHECK(refused([](auto& s) { s.rules.metadata_hop_limit = 65; }));
    CHECK(refused([](auto& s) { s.rules.public_address = *Ipv4::parse("10.0.0.1"); }));
    CHECK(refused([](auto& s) { s.rules.ingress.resize(kMaxTrafficRules + 1); }));
    CHECK(refused([](auto& s) { s.rules.egress = {{6, 80, 22, {}}}; }));
    CHECK(refused([](auto& s) { s.rules.ingress = {{6, 22, 22, {}, "sg-1"}}; }));
    CHECK(refused([](auto& s) { s.rules.ingress = {{6, 22, 22, kNobody, "sg 1"}}; }));
    CHECK(refused([](auto& s) { s.neighbours_file = "relative"; }));
    CHECK(refused([](auto& s) { s.rules.egress = {{17, -1, 22, {}}}; }));
    CHECK(refused([](auto& s) { s.rules.egress = {{1, 256, -1, {}}}; }));
}

TEST_CASE("D20: a tunnel has two addresses outside of the VPC, and excludes a loopback one") {
    GuestNetworkSpec spec = network_spec("/run/kiln");
    const auto with = [&](const char* address, const char* host) {
        spec.tunnel = {*Ipv4::parse(address), *Ipv4::parse(host)};
        return check_guest_network(spec).has_value();
    };
    CHECK_FALSE(with("203.0.113.5", "203.0.113.1"));
    spec.rules.public_address.reset();
    CHECK(with("203.0.113.5", "203.0.113.1"));
    CHECK_FALSE(with("203.0.113.5", "203.0.113.5"));
    CHECK_FALSE(with("172.31.9.9", "203.0.113.1"));
    CHECK_FALSE(with("203.0.113.5", "172.31.0.1"));
    CHECK_FALSE(with("127.1.1.1", "203.0.113.1"));
    CHECK_FALSE(with("203.0.113.5", "169.254.169.254"));
    CHECK_FALSE(with("0.0.0.0", "203.0.113.1"));
}

TEST_CASE(
    "D20: whether a port is open to local clients is the rules' to say, however wide they are") {
    const std::vector<Ipv4> host = {*Ipv4::parse("203.0.113.1")};
    const auto open = [&](const TrafficRule& rule, std::uint16_t port) {
        return opens_to_local_clients(std::vector{rule}, port, host);
    };
    CHECK(open({6, 0, 65535, cidr("0.0.0.0/0")}, 5000));
    CHECK(open({6, 5000, 5000, cidr("203.0.113.1/32")}, 5000));
    CHECK(open({TrafficRule::kAll, -1, -1, cidr("127.0.0.0/8")}, 5000));
    CHECK_FALSE(open({6, 5001, 6000, cidr("0.0.0.0/0")}, 5000));
    CHECK_FALSE(open({17, 5000, 5000, cidr("0.0.0.0/0")}, 5000));
    CHECK_FALSE(open({6, 5000, 5000, cidr("198.51.100.0/24")}, 5000));
    CHECK_FALSE(open({TrafficRule::kAll, -1, -1, kNobody, "sg-1"}, 5000));
}

TEST_CASE("a loopback, link-local, multicast or nameless network can be nobody's VPC") {
    for (const char* network : {"127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/8", "0.0.0.0/8"}) {
        GuestNetworkSpec spec = network_spec("/run/kiln");
        spec.network = cidr(network);
        spec.subnet = Cidr{spec.network.base, 20};
        spec.router = {spec.subnet.base.value + 1};
        spec.dns = {spec.subnet.base.value + 2};
        spec.address = {spec.subnet.base.value + 10};
        CHECK_FALSE(check_guest_network(spec));
    }
}

TEST_CASE("D20: a rule matches a loopback client when it means everybody, loopback or this host") {
    const std::vector<Ipv4> host = {*Ipv4::parse("192.168.1.5")};
    CHECK(matches_local_client(cidr("0.0.0.0/0"), host));
    CHECK(matches_local_client(cidr("127.0.0.0/8"), host));
    CHECK(matches_local_client(cidr("0.0.0.0/1"), host));
    CHECK(matches_local_client(cidr("192.168.1.0/24"), host));
    CHECK(matches_local_client(cidr("192.168.1.5/32"), host));
    CHECK_FALSE(matches_local_client(cidr("192.168.1.6/32"), host));
    CHECK_FALSE(matches_local_client(cidr("10.0.0.0/8"), host));
    CHECK_FALSE(matches_local_client(cidr("127.0.0.0/9"), host));
}

TEST_CASE("D20: ranges up to 64 ports are forwarded whole, of wider ones the well-known ports") {
    const Cidr all = cidr("0.0.0.0/0");
    const std::vector<std::uint16_t> well_known = {22, 80, 443, 3389, 5985, 5986, 8080, 8443};
    CHECK(opened({}).empty());
    CHECK(opened({{6, 22, 22, all}}) == std::vector<std::uint16_t>{22});
    CHECK(opened({{6, 22, 22, cidr("10.0.0.0/8")}}).empty());
    CHECK(opened({{17, 22, 22, all}}).empty());
    CHECK(opened({{1, -1, -1, all}}).empty());
    CHECK(opened({{6, 1000, 1063, all}}).size() == 64);
    CHECK(opened({{6, 1000, 1064, all}}).empty());
    CHECK(opened({{6, 0, 65535, all}}) == well_known);
    CHECK(opened({{6, -1, -1, all}}) == well_known);
    CHECK(opened({{-1, -1, -1, all}}) == well_known);
    CHECK(opened({{6, 0, 1, all}}) == std::vector<std::uint16_t>{1});
    CHECK(opened({{6, 22, 23, all}, {6, 22, 22, all}}) == std::vector<std::uint16_t>{22, 23});
    // Many ranges: bounded, and the well-known ports stay.
    std::vector<TrafficRule> many = {{-1, -1, -1, all}};
    for (int from = 10000; from < 20000; from += 64) {
        many.push_back({6, from, from + 63, all});
    }
    const auto ports = opened(many);
    CHECK(ports.size() == kMaxForwards);
    CHECK(std::includes(ports.begin(), ports.end(), well_known.begin(), well_known.end()));
}

TEST_CASE("D20: a port that cannot be had is bound high, always the same, and told") {
    std::set<std::pair<Ipv4, std::uint16_t>> open;
    std::set<std::uint16_t> occupied = {22};
    Forwards forwards({[&](Ipv4 address, std::uint16_t port, std::uint16_t) {
                           return occupied.count(port) == 0 && open.insert({address, port}).second;
                       },
                       [&](Ipv4 address, std::uint16_t port) {
                           open.erase({address, port});
                       }});
    const Ipv4 address = *Ipv4::parse("127.3.2.1");
    forwards.set(address, {22, 80});
    const PortForward ssh_high{22, address, 20022, false};
    CHECK(forwards.list() == std::vector<PortForward>{ssh_high, {80, address, 80, true}});

    // The next best when that is taken too; nothing when all are.
    occupied.insert(20022);
    forwards.set(address, {22});
    CHECK(forwards.list() ==
          std::vector<PortForward>{{22, address, substitute_ports(22)[1], false}});
    CHECK(open.size() == 1);
    for (const auto port : substitute_ports(22)) {
        occupied.insert(port);
    }
    forwards.set(address, {22});
    CHECK(forwards.list() == std::vector<PortForward>{{22, address, 0, false}});
    CHECK(open.empty());

    // Tried again at each change, and moved with the address.
    occupied.clear();
    forwards.set(address, {22});
    CHECK(forwards.list() == std::vector<PortForward>{{22, address, 22, true}});
    const Ipv4 other = *Ipv4::parse("127.3.2.2");
    forwards.set(other, {22});
    CHECK(open == std::set<std::pair<Ipv4, std::uint16_t>>{{other, 22}});
    forwards.set(std::nullopt, {22});
    CHECK(open.empty());
    CHECK(forwards.list().empty());
}

TEST_CASE("substitute ports are unprivileged and differ from each other") {
    for (const unsigned port : {1U, 22U, 443U, 12768U, 45000U, 65535U}) {
        const auto ports = substitute_ports(static_cast<std::uint16_t>(port));
        CHECK(std::set<std::uint16_t>(ports.begin(), ports.end()).size() == ports.size());
        CHECK(*std::min_element(ports.begin(), ports.end()) >= 20000);
        CHECK(*std::max_element(ports.begin(), ports.end()) < 60000);
    }
}

TEST_CASE("commands and answers are understood by the other side") {
    for (const auto command :
         {NetworkCommand::status, NetworkCommand::reload, NetworkCommand::stop}) {
        CHECK(*decode_command(encode_command(command)) == command);
    }
    for (const char* line : {"", "{}", "status", "{\"do\":1}", "{\"do\":\"dance\"}", "[]"}) {
        CHECK(decode_command(line).error().code() == Code::invalid_argument);
    }
    GuestNetworkStatus status;
    status.connected = true;
    status.forwards = {{22, *Ipv4::parse("127.1.2.3"), 20022, false}};
    status.dropped_from_guest = 7;
    CHECK(*decode_answer(encode_answer(status)) == status);
    status.forwards.clear();
    status.tunnel = {*Ipv4::parse("203.0.113.5"), "kiln0"};
    CHECK(*decode_answer(encode_answer(status)) == status);
    CHECK_FALSE(decode_answer(R"({"ok":true,"connected":true,"forwards":[],"dropped_to_guest":0,)"
                              R"("dropped_from_guest":0,"tunnel":{"address":7}})"));
    CHECK(decode_answer(encode_answer(ok())));
    const auto failed = decode_answer(encode_answer(Status(Error(Code::not_found, "no file"))));
    CHECK(failed.error().code() == Code::not_found);
    CHECK(failed.error().message().find("no file") != std::string::npos);
    for (const char* line :
         {"", "7", "{}", "{\"ok\":true,\"connected\":3}", "{\"ok\":true,\"connected\":true}"}) {
        CHECK(decode_answer(line).error().code() == Code::internal);
    }
}

TEST_CASE("D18: a network record is read back, and one that names no process of ours is refused") {
    NetworkRecord record;
    record.id = MachineId("i-1");
    record.process = {4711, 99, "a-boot"};
    record.argv_hash = 17;
    record.runtime_directory = "/run/kiln/i-1";
    const std::string text = encode_network_record(record);
    const auto decoded = decode_network_record(text);
    REQUIRE(decoded);
    CHECK(decoded->id == record.id);
    CHECK(decoded->process.pid == 4711);
    CHECK(decoded->process.start_time == 99);
    CHECK(decoded->process.boot_id == "a-boot");
    CHECK(decoded->argv_hash == 17);
    CHECK(decoded->runtime_directory == record.runtime_directory);
    for (const char* pid : {"0", "1", "-5", "4294967297", "\"7\""}) {
        std::string bad = text;
        bad.replace(bad.find("4711"), 4, pid);
        CHECK(decode_network_record(bad).error().code() == Code::data_loss);
    }
    CHECK_FALSE(decode_network_record("{}"));
}
