// SPDX-License-Identifier: Apache-2.0
// What both halves of the fake need: events, serial logs, the error for a machine that is not
// there. Thread model: functions without state.
#pragma once

#include <string_view>

#include "compute/hypervisor.h"

namespace kiln::compute::fake {

MachineEvent event_of(MachineEvent::Kind kind);
MachineEvent exited_with(int status);
// Makes the file and its directory where they are missing.
Status append(const std::string& path, std::string_view text);
Error no_machine(const MachineId& id);

}  // namespace kiln::compute::fake
