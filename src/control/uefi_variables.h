// SPDX-License-Identifier: Apache-2.0
// The UEFI variables of instances (BM-2, CI-10): those that a machine begins with are of the
// instance's image; from its first start on they are its own, in a file of its directory that its
// firmware writes. Thread-safe, blocking.
#pragma once

#include <optional>
#include <string>

#include "compute/uefi/variables.h"
#include "control/parts.h"
#include "model/instance.h"

namespace kiln::control {

// What the machine's variables are to be made with: nothing for one that has some already, or whose
// image brings none. The image may be deregistered: its tombstone has them still (DR-5).
Result<compute::UefiVariables> first_uefi_variables(catalog::Store& store,
                                                    const model::Instance& instance,
                                                    const std::string& directory);

// Those that the instance has now, in EC2's form; nothing for one that does not boot with UEFI or
// has not been started so. IncorrectInstanceState, with words, when its guest left them in a state
// that cannot be read.
Result<std::optional<std::string>> current_uefi_data(const model::Instance& instance,
                                                     const std::string& directory);

}  // namespace kiln::control
