// SPDX-License-Identifier: Apache-2.0
// `kiln diff`: the blocks in which two snapshots, or the root disks of two images, differ. Thread
// model: one thread.
#pragma once

#include <string>

#include "cli/client.h"

namespace kiln::cli {

struct DiffRequest {
    std::string from;
    std::string to;
    bool json = false;
};

// Returns the exit status: 0 whether they differ or not.
int run_diff(const ClientChoices& choices, const DiffRequest& request);

}  // namespace kiln::cli
