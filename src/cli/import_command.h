// SPDX-License-Identifier: Apache-2.0
// `kiln import`: streams a disk file to the service. Thread model: one thread.
#pragma once

#include <string>

#include "cli/client.h"

namespace kiln::cli {

struct ImportRequest {
    std::string file;
    std::string format;  // empty: by the file's mark
    std::string image_id;
    std::string name;  // empty, here and below: what the disk says, else the usual
    std::string description;
    std::string architecture;
    std::string virtualization_type = "hvm";
    std::string platform = "linux";
    std::string boot_mode;
    std::string root_device_name;
    bool everybody = false;
    std::string parameter;  // provided to every account under this name
    bool json = false;
};

// The exit status.
int run_import(const ClientChoices& choices, ImportRequest request);

}  // namespace kiln::cli
