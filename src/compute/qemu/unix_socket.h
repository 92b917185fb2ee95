// SPDX-License-Identifier: Apache-2.0
// Unix stream sockets by path, close-on-exec.
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

}  // namespace kiln::compute
