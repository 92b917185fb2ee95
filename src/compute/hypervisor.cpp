// SPDX-License-Identifier: Apache-2.0
#include "compute/hypervisor.h"

namespace kiln::compute {

std::string_view to_string(MachineState state) {
    switch (state) {
        case MachineState::prelaunch:
            return "prelaunch";
        case MachineState::running:
            return "running";
        case MachineState::paused:
            return "paused";
        case MachineState::shut_down:
            return "shut-down";
        case MachineState::panicked:
            return "panicked";
        case MachineState::io_error:
            return "io-error";
        case MachineState::gone:
            return "gone";
    }
    return "?";
}

std::string_view to_string(MachineEvent::Kind kind) {
    switch (kind) {
        case MachineEvent::Kind::shutdown_guest:
            return "shutdown-guest";
        case MachineEvent::Kind::shutdown_host:
            return "shutdown-host";
        case MachineEvent::Kind::reset:
            return "reset";
        case MachineEvent::Kind::panic:
            return "panic";
        case MachineEvent::Kind::io_error:
            return "io-error";
        case MachineEvent::Kind::exited:
            return "exited";
        case MachineEvent::Kind::disk_released:
            return "disk-released";
        case MachineEvent::Kind::control_lost:
            return "control-lost";
    }
    return "?";
}

}  // namespace kiln::compute
