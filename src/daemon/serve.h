// SPDX-License-Identifier: Apache-2.0
// `kiln serve`: runs the service until SIGTERM or SIGINT. Here alone the concrete backends are
// named. Thread model: called once, from the main thread, before any other thread exists.
#pragma once

#include "daemon/options.h"

namespace kiln::daemon {

// The exit status.
int serve(const ServeOptions& options);

}  // namespace kiln::daemon
