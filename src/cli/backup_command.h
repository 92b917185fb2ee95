// SPDX-License-Identifier: Apache-2.0
// `kiln backup`: the whole store of a running service, streamed into a file or to standard output.
// The stream is checked on its way, so that a file that appears is a good one.
// Thread model: one thread, and the one that waits for signals.
#pragma once

#include <string>

#include "cli/client.h"

namespace kiln::cli {

struct BackupRequest {
    std::string file;  // "-": standard output
    bool force = false;
};

// Returns the exit status.
int run_backup(const ClientChoices& choices, const BackupRequest& request);

}  // namespace kiln::cli
