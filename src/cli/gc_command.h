// SPDX-License-Identifier: Apache-2.0
// `kiln gc`: a run of garbage collection, and waiting for its end. Thread model: one thread.
#pragma once

#include "cli/client.h"

namespace kiln::cli {

// Returns the exit status.
int run_gc(const ClientChoices& choices, bool as_json);

}  // namespace kiln::cli
