// SPDX-License-Identifier: Apache-2.0
#include "control/machine_watch.h"

#include <fmt/format.h>

#include "util/log.h"

namespace kiln::control {
namespace {

std::optional<EndReason> end_reason(const compute::MachineEvent& event) {
    switch (event.kind) {
        case compute::MachineEvent::Kind::shutdown_guest:
            return EndReason::guest;
        case compute::MachineEvent::Kind::shutdown_host:
        case compute::MachineEvent::Kind::exited:
            return EndReason::machine_failed;
        case compute::MachineEvent::Kind::disk_released:
        case compute::MachineEvent::Kind::reset:
        case compute::MachineEvent::Kind::panic:  // SHD-1: a crash without power-off leaves it
                                                  // running
        case compute::MachineEvent::Kind::io_error:
        case compute::MachineEvent::Kind::control_lost:
            return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

void MachineWatch::on_event(const compute::MachineId& id, std::uint64_t generation,
                            const compute::MachineEvent& event) {
    log_info("machines", fmt::format("{}: {}{}{}", id.str(), compute::to_string(event.kind),
                                     event.disk.empty() ? "" : " on " + event.disk,
                                     event.no_space ? " (no space)" : ""));
    if (event.kind == compute::MachineEvent::Kind::io_error && event.no_space) {
        space_->machine_refused(model::InstanceId(id.str()), event.disk);
        return;
    }
    if (event.kind == compute::MachineEvent::Kind::disk_released) {
        note("the release of " + event.disk,
             [this, instance = model::InstanceId(id.str()), disk = event.disk] {
                 return attachments_->disk_released(instance, disk);
             });
        return;
    }
    if (const auto reason = end_reason(event)) {
        note("the end of " + id.str(), [this, id, generation, why = *reason] {
            return worker_->machine_ended(model::InstanceId(id.str()), generation, why);
        });
    }
}

void MachineWatch::note(std::string what, std::function<Status()> work) {
    Status queued = executor_.submit([what, work = std::move(work)] {
        if (const Status noted = work(); !noted) {
            log_error("machines", what + " was not noted: " + noted.error().to_string());
        }
    });
    if (!queued) {
        log_error("machines", what + " was not noted: " + queued.error().to_string());
    }
}

}  // namespace kiln::control
