// SPDX-License-Identifier: Apache-2.0
// What a network process gives up before it looks at the first frame. It is started as root where
// the daemon is root, because only so can it keep the one right it needs (to bind low ports, such
// as 22 on the instance's own address) while becoming the instance's user. A tunnel is opened
// before.
// Thread model: once, before any other thread exists.
#pragma once

#include <sys/types.h>

#include <optional>

#include "util/result.h"

namespace kiln::compute {

// Becomes `user` (and the group of that number, no others), keeps nothing but CAP_NET_BIND_SERVICE,
// and can never gain anything again. Without a user it stays who it is. Limits: 1,024 descriptors,
// 8 MiB for the log, 1 GiB of memory (not in builds with sanitizers), no core.
Status give_up_privileges(std::optional<uid_t> user);

}  // namespace kiln::compute
