// SPDX-License-Identifier: Apache-2.0
// The io_uring backend: reads, writes, syncs, hole punches and all socket operations go into one
// ring, submitted together once per round; what the ring has no operation for (or only in newer
// kernels) runs on one helper thread. Thread model: as Reactor.
#pragma once

#include "io/detail/loop.h"

namespace kiln::io {

// `unsupported` when the kernel, or a container's filter, refuses io_uring.
Result<std::unique_ptr<Reactor>> create_uring_reactor(Clock& clock);

}  // namespace kiln::io
