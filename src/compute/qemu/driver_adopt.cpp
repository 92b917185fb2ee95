// SPDX-License-Identifier: Apache-2.0
// QemuDriver's adoption: machines that another process of ours started.
#include <signal.h>

#include "compute/qemu/driver.h"
#include "util/log.h"

namespace kiln::compute {
namespace {

// Between the end of a process's sockets and its own.
constexpr auto kExitGrace = std::chrono::milliseconds(250);

MachineInfo gone_info(const MachineId& id) {
    MachineInfo info;
    info.id = id;
    return info;
}

}  // namespace

Result<MachineInfo> QemuDriver::adopt(const MachineId& id, const std::string& directory,
                                      Deadline deadline) {
    TRY_ASSIGN(const Claim claimed, claim(id));
    return adopt_claimed(id, directory, deadline);
}

Result<MachineInfo> QemuDriver::adopt_claimed(const MachineId& id, const std::string& directory,
                                              Deadline deadline) {
    MachinePtr machine = find(id);
    if (!machine) {
        TRY_ASSIGN(machine, find_recorded(id, directory, deadline), "adopt " + id.str());
    }
    if (!machine) {
        return gone_info(id);
    }
    bool connected = false;
    {
        MutexLock lock(machine->mutex);
        connected = machine->control && !machine->control->closed();
    }
    if (!connected) {
        if (auto made = connect_any(machine, deadline); !made) {
            // A process met while it was ending refuses or drops connections a moment before it is
            // gone.
            const auto moment = Deadline::after(std::min(deadline.left(), kExitGrace));
            if (wait_for_exit(machine->pidfd, moment)) {
                return gone_info(id);
            }
            return std::move(made).error().with("adopt " + id.str());
        }
    }
    machine->reporting = true;
    return query(*machine, deadline);
}

// The recorded process, if it lives, now known and watched, but without control connection. Null
// when it is gone.
Result<MachinePtr> QemuDriver::find_recorded(const MachineId& id, const std::string& directory,
                                             Deadline deadline) {
    TRY_ASSIGN(auto record, read_record(directory));
    if (!record) {
        return MachinePtr();
    }
    if (record->id != id) {
        return Error(Code::data_loss, directory + " holds the record of " + record->id.str());
    }
    TRY_ASSIGN(auto pidfd, open_process(record->process));
    if (!pidfd) {
        return MachinePtr();
    }
    const auto arguments = command_line(record->process.pid);
    if (arguments && hash_argv_text(*arguments) != record->argv_hash) {
        // Our child, but it never executed QEMU: its parent died before releasing it, so it is
        // ending by itself.
        TRY(signal_process(*pidfd, SIGKILL));
        if (!wait_for_exit(*pidfd, deadline)) {
            return Error(Code::deadline_exceeded, "an unfinished start of " + id.str());
        }
        reap(*pidfd);
        return MachinePtr();
    }
    if (const auto granted = grant_sockets(*record); !granted) {
        log_warn("compute", id.str() + ": " + granted.error().to_string());
    }
    auto machine = std::make_shared<Machine>(std::move(*record), std::move(*pidfd), directory);
    TRY(publish(machine));
    return machine;
}

Status QemuDriver::connect(const MachinePtr& machine, const std::string& path, Deadline deadline) {
    TRY_ASSIGN(const auto client, QmpClient::connect(path));
    TRY(supervisor_->watch(client->fd(),
                           [this, machine, client] { return on_control(machine, *client); }));
    if (auto greeted = client->handshake(deadline); !greeted) {
        client->close("the handshake failed");  // which also ends the watch
        return greeted;
    }
    MutexLock lock(machine->mutex);
    machine->control = client;
    machine->control_suspect = false;
    return ok();
}

// The main control socket, and with the second half of the time the spare one: the main one serves
// one client at a time, and somebody (a debugging person, an inherited descriptor) may hold it.
Status QemuDriver::connect_any(const MachinePtr& machine, Deadline deadline) {
    const std::string& directory = machine->record.runtime_directory;
    const auto half = std::min(deadline.left() / 2, std::chrono::milliseconds(10'000));
    const auto first = connect(machine, qmp_path(directory), Deadline::after(half));
    if (first) {
        return ok();
    }
    log_warn("compute", machine->record.id.str() + ": " + first.error().to_string() +
                            "; trying the spare control socket");
    return connect(machine, qmp_spare_path(directory), deadline);
}

}  // namespace kiln::compute
