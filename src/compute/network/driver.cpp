// SPDX-License-Identifier: Apache-2.0
#include "compute/network/driver.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cerrno>

#include "compute/network/tunnel.h"
#include "util/fs.h"

namespace kiln::compute {
namespace {

constexpr std::uint16_t kSshPort = 22;
constexpr std::uint32_t kProbed = 0x7ffefffe;  // 127.254.255.254: no store's block reaches it

std::string low_ports_refused() {
    const UniqueFd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(kSshPort);
    address.sin_addr.s_addr = htonl(kProbed);
    if (fd && ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
        return "";
    }
    return errno == EADDRINUSE ? "something listens on 0.0.0.0:22"
                               : "this user may not bind ports below 1024";
}

Result<DriverChoice> choose_tun(const DriverFacts& facts) {
    if (!facts.has_pool) {
        return Error(Code::invalid_argument,
                     "--network-driver tun needs --public-pool CIDR: addresses that nobody else "
                     "uses, as 203.0.113.0/24");
    }
    if (!facts.tun_refused.empty()) {
        return Error(Code::failed_precondition,
                     "--network-driver tun is not possible: " + facts.tun_refused);
    }
    return DriverChoice{NetworkDriver::tun, "asked for"};
}

DriverChoice choose_automatic(const DriverFacts& facts) {
    if (facts.low_ports_refused.empty()) {
        return {NetworkDriver::user, "guests' low ports can be bound on 127.x addresses"};
    }
    const std::string high = "; guests' low ports are reached at high ones (22 at 20022)";
    if (!facts.has_pool) {
        return {NetworkDriver::user,
                facts.low_ports_refused + " and no --public-pool is given" + high};
    }
    if (!facts.tun_refused.empty()) {
        return {NetworkDriver::user, facts.low_ports_refused + " and no tunnel can be opened: " +
                                         facts.tun_refused + high};
    }
    return {NetworkDriver::tun, facts.low_ports_refused + ", and tunnels can be opened"};
}

}  // namespace

Result<DriverWish> parse_driver_wish(std::string_view text) {
    if (text == "auto") {
        return DriverWish::automatic;
    }
    if (text == "user") {
        return DriverWish::user;
    }
    if (text == "tun") {
        return DriverWish::tun;
    }
    return Error(Code::invalid_argument, "--network-driver takes auto, user or tun");
}

DriverFacts driver_facts(bool has_pool) {
    DriverFacts facts;
    facts.low_ports_refused = low_ports_refused();
    facts.has_pool = has_pool;
    if (const Status tried = has_pool ? may_open_tunnels() : ok(); !tried) {
        facts.tun_refused = tried.error().message();
    }
    return facts;
}

Result<DriverChoice> choose_driver(DriverWish wish, const DriverFacts& facts) {
    switch (wish) {
        case DriverWish::user:
            if (facts.has_pool) {
                return Error(Code::invalid_argument,
                             "--public-pool is for the drivers tun and auto, not for user");
            }
            return DriverChoice{NetworkDriver::user, "asked for"};
        case DriverWish::tun:
            return choose_tun(facts);
        case DriverWish::automatic:
            break;
    }
    return choose_automatic(facts);
}

}  // namespace kiln::compute
