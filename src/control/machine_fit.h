// SPDX-License-Identifier: Apache-2.0
// Whether an instance type runs what an image needs (RUN-3, BM-1). Thread model: pure function.
#pragma once

#include <optional>

#include "control/instance_types.h"
#include "model/machine.h"
#include "util/result.h"

namespace kiln::control {

struct MachineNeeds {
    model::Architecture architecture = model::Architecture::x86_64;
    model::VirtualizationType virtualization_type = model::VirtualizationType::hvm;
    bool ena_support = false;
    std::optional<model::BootMode> boot_mode;
    bool tpm_v2 = false;
};

// EC2's own refusals, in its order.
Status check_fit(const MachineNeeds& needs, const InstanceType& type);

}  // namespace kiln::control
