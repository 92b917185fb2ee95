// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/machine.h"

namespace kiln::compute {

MachineState state_from_status(std::string_view status) {
    if (status == "running" || status == "suspended") {
        return MachineState::running;
    }
    if (status == "prelaunch" || status == "inmigrate") {
        return MachineState::prelaunch;
    }
    if (status == "shutdown") {
        return MachineState::shut_down;
    }
    if (status == "guest-panicked" || status == "internal-error") {
        return MachineState::panicked;
    }
    if (status == "io-error") {
        return MachineState::io_error;
    }
    return MachineState::paused;
}

std::optional<MachineEvent> translate_event(const QmpMessage& message) {
    MachineEvent event;
    if (message.name == "SHUTDOWN") {
        event.kind = message.flag("guest") ? MachineEvent::Kind::shutdown_guest
                                           : MachineEvent::Kind::shutdown_host;
        return event;
    }
    if (message.name == "RESET") {
        event.kind = MachineEvent::Kind::reset;
        event.by_guest = message.flag("guest");
        return event;
    }
    if (message.name == "GUEST_PANICKED") {
        event.kind = MachineEvent::Kind::panic;
        return event;
    }
    if (message.name == "BLOCK_IO_ERROR") {
        event.kind = MachineEvent::Kind::io_error;
        event.disk = message.string("node-name");
        event.no_space = message.flag("nospace");
        return event;
    }
    if (message.name == "DEVICE_DELETED") {
        // It comes twice, first for the path of the virtio back end, which has no id.
        const std::string_view device = message.string("device");
        if (!device.starts_with(kDiskDevicePrefix)) {
            return std::nullopt;
        }
        event.kind = MachineEvent::Kind::disk_released;
        event.disk = device.substr(kDiskDevicePrefix.size());
        return event;
    }
    return std::nullopt;
}

MachineInfo info_of(const Machine& machine, MachineState state) {
    return {machine.record.id, machine.record.generation, state, machine.record.process.pid,
            machine.record.accelerator};
}

}  // namespace kiln::compute
