// SPDX-License-Identifier: Apache-2.0
// The system calls around unix sockets that both backends share. Thread model: pure functions.
#pragma once

#include <string>

#include "util/fs.h"
#include "util/result.h"

namespace kiln::io {

// As Sockets::listen_unix says. `nonblocking` for epoll.
Result<UniqueFd> bind_unix_listener(const std::string& path, bool nonblocking);

// As much room for what is sent as the system allows: a large answer goes in fewer turns with the
// peer.
void widen_sends(int socket);

// Errors of a peer that went away, or of a socket that was closed here.
Error socket_error(int err, const char* what);

}  // namespace kiln::io
