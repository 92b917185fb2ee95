// SPDX-License-Identifier: Apache-2.0
// `kiln verify`: has a running service read everything an image, a snapshot or a volume consists
// of, and tells what is damaged. Thread model: one thread.
#pragma once

#include <string>

#include "cli/client.h"

namespace kiln::cli {

struct VerifyRequest {
    std::string id;
    bool json = false;
};

// Returns the exit status: 0 when all of it is whole, 1 when it is not or when that is not known.
int run_verify(const ClientChoices& choices, const VerifyRequest& request);

}  // namespace kiln::cli
