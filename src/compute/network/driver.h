// SPDX-License-Identifier: Apache-2.0
// Which network driver carries the instances' public addresses (D20): `user` binds ports of 127.x
// addresses, which takes no privileges but fails where a program listens on all addresses; `tun`
// gives them addresses of a pool, which takes CAP_NET_ADMIN. Thread model: pure functions; asking
// the host changes nothing.
#pragma once

#include <string>

#include "util/result.h"

namespace kiln::compute {

enum class NetworkDriver { user, tun };
enum class DriverWish { automatic, user, tun };

Result<DriverWish> parse_driver_wish(std::string_view text);

struct DriverFacts {
    std::string low_ports_refused;  // why port 22 of 127.x cannot be bound; empty: it can
    std::string tun_refused;        // why no tunnel can be opened; empty: it can, or no pool
    bool has_pool = false;          // --public-pool is given
};
DriverFacts driver_facts(bool has_pool);

struct DriverChoice {
    NetworkDriver driver = NetworkDriver::user;
    std::string reason;  // a clause
};
// invalid_argument and failed_precondition, with what to do, when what is asked for cannot be had.
Result<DriverChoice> choose_driver(DriverWish wish, const DriverFacts& facts);

}  // namespace kiln::compute
