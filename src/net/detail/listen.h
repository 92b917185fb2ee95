// SPDX-License-Identifier: Apache-2.0
// Listening sockets: made and named, nothing more. Errors: invalid_argument (an address or path
// that cannot be one), already_exists (something that is no socket lies at the path), what the
// kernel says. Thread model: pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "net/http_server.h"
#include "util/fs.h"

namespace kiln::net::detail {

Result<UniqueFd> listen_on(const std::string& address, std::uint16_t port);
Result<std::uint16_t> local_port(int fd);
// A socket file left at the path by a killed predecessor is replaced.
Result<UniqueFd> listen_on(const UnixListenerOptions& options);

struct Accepted {
    UniqueFd fd;  // none: `error` says why
    int error = 0;
    std::string peer;
};
Accepted accept_from(int listener);

}  // namespace kiln::net::detail
