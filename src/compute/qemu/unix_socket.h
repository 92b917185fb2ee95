// SPDX-License-Identifier: Apache-2.0
// Unix sockets by path, close-on-exec: streams, and frames (SOCK_SEQPACKET), which keep their
// bounds.
// Thread model: pure functions.
#pragma once

#include <string>

#include "util/fs.h"

namespace kiln::compute {

// What sockaddr_un holds, without the final zero.
inline constexpr std::size_t kMaxSocketPathBytes = 107;

// Replaces whatever lies at `path`. The socket's mode is 0600.
Result<UniqueFd> listen_unix(const std::string& path);
// Does not block; unavailable when nobody listens or the backlog is full.
Result<UniqueFd> connect_unix(const std::string& path);

// The same for frames, neither end ever blocking. `mode` is the socket's: 0600, or 0666 when
// connections come from other users, whom the caller then tells apart by their credentials.
Result<UniqueFd> listen_frames(const std::string& path, unsigned mode);
Result<UniqueFd> connect_frames(const std::string& path);

}  // namespace kiln::compute
