// SPDX-License-Identifier: Apache-2.0
#include "api/kiln/client_address.h"

#include <doctest/doctest.h>

using namespace kiln::api;

TEST_CASE(
    "WEB-3: the range of a client is its address alone, and the loopback network on this host") {
    const auto check = [](std::string_view peer, std::string_view address, std::string_view range) {
        CAPTURE(peer);
        CHECK(client_address(peer).address == address);
        CHECK(client_address(peer).range == range);
    };
    check("203.0.113.7:40512", "203.0.113.7", "203.0.113.7/32");
    check("[2001:db8::1]:40512", "2001:db8::1", "2001:db8::1/128");
    check("[::ffff:203.0.113.7]:1", "203.0.113.7", "203.0.113.7/32");
    check("127.0.0.1:40512", "127.0.0.1", "127.0.0.0/8");
    check("127.9.8.7:40512", "127.9.8.7", "127.0.0.0/8");
    check("[::ffff:127.0.0.1]:1", "127.0.0.1", "127.0.0.0/8");
    check("[::1]:40512", "::1", "127.0.0.0/8");
    check("unix", "127.0.0.1", "127.0.0.0/8");
    check("", "127.0.0.1", "127.0.0.0/8");
    check("[fe80::1%eth0]:5", "fe80::1", "fe80::1/128");
}
