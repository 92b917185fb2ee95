// SPDX-License-Identifier: Apache-2.0
// `kiln operations`: which operations the service has, and what one of them takes. Thread model:
// one thread.
#pragma once

#include "cli/client.h"

namespace kiln::cli {

struct OperationsRequest {
    std::string name;  // empty: all
    bool built_only = false;
    bool json = false;
};

// Returns the exit status.
int run_operations(const ClientChoices& choices, const OperationsRequest& request);

}  // namespace kiln::cli
