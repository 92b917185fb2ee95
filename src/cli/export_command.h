// SPDX-License-Identifier: Apache-2.0
// `kiln export`: streams the bytes of an image or a snapshot from the service into a disk file.
// Thread model: one thread, and the one that waits for signals.
#pragma once

#include <string>

#include "cli/client.h"

namespace kiln::cli {

struct ExportRequest {
    std::string id;  // ami-... or snap-...
    std::string file;
    std::string format = "raw";
    bool force = false;
    bool json = false;
};

// The exit status.
int run_export(const ClientChoices& choices, const ExportRequest& request);

}  // namespace kiln::cli
