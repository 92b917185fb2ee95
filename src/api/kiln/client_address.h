// SPDX-License-Identifier: Apache-2.0
// ClientAddress: where a request came from, as this server sees it, and the range that a security
// group's rule needs so that it admits that client (WEB-3). A proxy in between is what is seen:
// what a header claims is not believed.
//
// Errors: none; a peer that is no address is this host. Thread model: pure function, plain value.
#pragma once

#include <string>
#include <string_view>

namespace kiln::api {

struct ClientAddress {
    std::string address;  // "203.0.113.7", "2001:db8::1"; "127.0.0.1" for a Unix socket
    std::string range;    // of this address alone; 127.0.0.0/8 for clients on this host
};

// `peer`: HttpRequest::peer.
ClientAddress client_address(std::string_view peer);

}  // namespace kiln::api
