// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "control/parts.h"

namespace kiln::control {

// Settles the cuts (cuts.h) that a killed predecessor left between their two transactions. Before
// any volume is opened; once.
Status recover_cuts(const Parts& parts);

}  // namespace kiln::control
