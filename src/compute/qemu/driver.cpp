// SPDX-License-Identifier: Apache-2.0
#include "compute/qemu/driver.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "compute/console.h"
#include "compute/qemu/unix_socket.h"
#include "util/check.h"
#include "util/log.h"

namespace kiln::compute {
namespace {

// How often logs are bounded and lost control connections noticed.
constexpr auto kTick = std::chrono::seconds(1);

}  // namespace

Status QemuDriver::begin() {
    TRY_ASSIGN(supervisor_, Supervisor::create(kTick, [this] { on_tick(); }));
    return ok();
}

// ---- the table
// ------------------------------------------------------------------------------------------------------

Result<QemuDriver::Claim> QemuDriver::claim(const MachineId& id) {
    MutexLock lock(mutex_);
    if (!claimed_.insert(id).second) {
        return Error(Code::failed_precondition, id.str() + " is being started or adopted");
    }
    return Claim(*this, id);
}

void QemuDriver::unclaim(const MachineId& id) {
    MutexLock lock(mutex_);
    claimed_.erase(id);
}

MachinePtr QemuDriver::find(const MachineId& id) {
    MutexLock lock(mutex_);
    const auto found = machines_.find(id);
    return found == machines_.end() ? nullptr : found->second;
}

Result<MachinePtr> QemuDriver::get(const MachineId& id) {
    if (auto machine = find(id)) {
        return machine;
    }
    return Error(Code::not_found, "no machine " + id.str());
}

Result<UniqueFd> QemuDriver::open_serial(const MachineId& id) {
    TRY_ASSIGN(const MachinePtr machine, get(id));
    TRY_ASSIGN(UniqueFd port, connect_unix(serial_path(machine->record.runtime_directory)));
    const int flags = ::fcntl(port.get(), F_GETFL);
    if (flags < 0 || ::fcntl(port.get(), F_SETFL, flags & ~O_NONBLOCK) != 0) {
        return Error::from_errno(errno, "set the serial port's connection up");
    }
    return port;
}

std::vector<MachineId> QemuDriver::machines() {
    MutexLock lock(mutex_);
    std::vector<MachineId> ids;
    for (const auto& [id, machine] : machines_) {
        ids.push_back(id);
    }
    return ids;
}

// ---- commands
// -------------------------------------------------------------------------------------------------------

Result<std::shared_ptr<QmpClient>> QemuDriver::control_of(const MachineId& id) {
    INVARIANT(!supervisor_->on_this_thread());
    TRY_ASSIGN(const MachinePtr machine, get(id));
    MutexLock lock(machine->mutex);
    if (!machine->control) {
        return Error(Code::unavailable, "no control connection to " + id.str());
    }
    return machine->control;
}

Status QemuDriver::command(const MachineId& id, std::string_view name, Deadline deadline) {
    TRY_ASSIGN(const auto control, control_of(id));
    TRY_ASSIGN([[maybe_unused]] auto reply, control->execute(name, deadline), id.str());
    return ok();
}

Result<MachineInfo> QemuDriver::query(const MachineId& id, Deadline deadline) {
    TRY_ASSIGN(const MachinePtr machine, get(id));
    return query(*machine, deadline);
}

Result<MachineInfo> QemuDriver::query(Machine& machine, Deadline deadline) {
    TRY_ASSIGN(const auto control, control_of(machine.record.id));
    TRY_ASSIGN(const QmpMessage reply, control->execute("query-status", deadline));
    return info_of(machine, state_from_status(reply.string("status")));
}

Status QemuDriver::resume(const MachineId& id, Deadline deadline) {
    TRY_ASSIGN(const MachineInfo info, query(id, deadline));
    if (info.state == MachineState::running) {
        return ok();
    }
    if (info.state != MachineState::io_error) {
        return Error(Code::failed_precondition, fmt::format("{} is {}, not waiting for a disk",
                                                            id.str(), to_string(info.state)));
    }
    return command(id, "cont", deadline);
}

Result<bool> QemuDriver::has_agent(const MachineId& id, Deadline deadline) {
    TRY_ASSIGN(const auto control, control_of(id));
    TRY_ASSIGN(const QmpMessage reply, control->execute("query-chardev", deadline));
    return reply.flag("agent/frontend-open");
}

Result<GuestAgent> QemuDriver::agent_of(const MachineId& id, Deadline deadline) {
    TRY_ASSIGN(const MachinePtr machine, get(id));
    return GuestAgent::connect(agent_path(machine->record.runtime_directory), deadline);
}

Result<bool> QemuDriver::freeze(const MachineId& id, Deadline deadline) {
    TRY_ASSIGN(const bool answers, has_agent(id, deadline));
    if (!answers) {
        return false;
    }
    TRY_ASSIGN(GuestAgent agent, agent_of(id, deadline));
    TRY(agent.freeze(deadline));
    return true;
}

Status QemuDriver::thaw(const MachineId& id, Deadline deadline) {
    TRY_ASSIGN(const bool answers, has_agent(id, deadline));
    if (!answers) {
        return Error(Code::unavailable, "the guest's agent is not there");
    }
    TRY_ASSIGN(GuestAgent agent, agent_of(id, deadline));
    return agent.thaw(deadline);
}

Status QemuDriver::kill(const MachineId& id, Deadline deadline) {
    TRY_ASSIGN(const MachinePtr machine, get(id));
    return kill(*machine, deadline);
}

Status QemuDriver::kill(Machine& machine, Deadline deadline) {
    INVARIANT(!supervisor_->on_this_thread());
    TRY(signal_process(machine.pidfd, SIGKILL));
    MutexLock lock(machine.mutex);
    while (!machine.exited) {
        if (!machine.changed.wait_until(lock, deadline.at()) && deadline.passed()) {
            return Error(Code::deadline_exceeded,
                         machine.record.id.str() + " did not end in time after SIGKILL");
        }
    }
    return ok();
}

// ---- start
// ----------------------------------------------------------------------------------------------------------

Result<MachineInfo> QemuDriver::start(const MachineSpec& spec, Deadline deadline) {
    TRY_ASSIGN(const Claim claimed, claim(spec.id));
    TRY_ASSIGN(const MachineInfo present, adopt_claimed(spec.id, spec.directory, deadline));
    if (present.state != MachineState::gone) {
        if (present.generation != spec.generation) {
            return Error(Code::failed_precondition,
                         fmt::format("{} still has the process of its start {}", spec.id.str(),
                                     present.generation));
        }
        if (present.state != MachineState::prelaunch) {
            return present;
        }
        // A start that was cut short between record and `cont`.
        TRY(kill(spec.id, deadline));
    }
    return launch(spec, deadline);
}

Result<MachineInfo> QemuDriver::launch(const MachineSpec& spec, Deadline deadline) {
    TRY_ASSIGN(HeldMachine held, prepare_launch(spec, facts_), "start " + spec.id.str());
    const auto machine = std::make_shared<Machine>(std::move(held.record),
                                                   held.process.take_pidfd(), spec.directory);
    TRY(publish(machine));
    const Status up = bring_up(held.process, machine, deadline);
    if (up) {
        return info_of(*machine, MachineState::running);
    }
    machine->reporting = false;
    // Its own time: the caller's may be used up, and a process left behind would hold the disks.
    if (const auto killed = kill(*machine, Deadline::after(std::chrono::seconds(10))); !killed) {
        log_error("compute", killed.error().to_string());
    }
    const std::string words = last_words(spec.directory);
    return Error(up.error())
        .with("start " + spec.id.str() + (words.empty() ? "" : " [" + words + "]"));
}

Status QemuDriver::bring_up(HeldProcess& process, const MachinePtr& machine, Deadline deadline) {
    TRY(process.release(deadline));
    TRY(connect(machine, qmp_path(machine->record.runtime_directory), deadline));
    machine->reporting = true;
    TRY_ASSIGN(const auto control, control_of(machine->record.id));
    TRY_ASSIGN([[maybe_unused]] auto reply, control->execute("cont", deadline));
    return ok();
}

Status QemuDriver::publish(const MachinePtr& machine) {
    {
        MutexLock lock(mutex_);
        machines_[machine->record.id] = machine;
    }
    auto watched = supervisor_->watch(machine->pidfd.get(), [this, machine] {
        on_exit(machine);
        return false;
    });
    if (!watched) {
        MutexLock lock(mutex_);
        machines_.erase(machine->record.id);
    }
    return watched;
}

// ---- on the supervisor thread
// ---------------------------------------------------------------------------------------

void QemuDriver::report(const Machine& machine, const MachineEvent& event) {
    if (machine.reporting) {
        events_.on_event(machine.record.id, machine.record.generation, event);
    }
}

void QemuDriver::report_all(const Machine& machine, const std::vector<QmpMessage>& messages) {
    for (const auto& message : messages) {
        if (const auto event = translate_event(message)) {
            report(machine, *event);
        }
    }
}

bool QemuDriver::on_control(const MachinePtr& machine, QmpClient& client) {
    const auto input = client.on_readable();
    report_all(*machine, input.events);
    return !input.closed;
}

void QemuDriver::on_exit(const MachinePtr& machine) {
    std::shared_ptr<QmpClient> control;
    {
        MutexLock lock(machine->mutex);
        control = std::move(machine->control);
    }
    if (control) {
        // What it said last: why it ended.
        report_all(*machine, control->on_readable().events);
        control->close("the process ended");
    }
    MachineEvent event;
    event.kind = MachineEvent::Kind::exited;
    event.exit_status = reap(machine->pidfd);
    {
        MutexLock lock(mutex_);
        machines_.erase(machine->record.id);
    }
    {
        MutexLock lock(machine->mutex);
        machine->exited = true;
        machine->changed.notify_all();
    }
    report(*machine, event);
}

void QemuDriver::on_tick() {
    std::vector<MachinePtr> all;
    {
        MutexLock lock(mutex_);
        for (const auto& [id, machine] : machines_) {
            all.push_back(machine);
        }
    }
    for (const auto& machine : all) {
        if (const auto bounded = bound_console_log(machine->record.serial_log); !bounded) {
            log_warn("compute", bounded.error().to_string());
        }
        bool lost = false;
        {
            MutexLock lock(machine->mutex);
            if (machine->control && machine->control->closed()) {
                // A process that ends closes its socket a moment before it is gone: wait one tick
                // before crying.
                lost = std::exchange(machine->control_suspect, true);
                if (lost) {
                    machine->control.reset();
                }
            }
        }
        if (lost) {
            MachineEvent event;
            event.kind = MachineEvent::Kind::control_lost;
            report(*machine, event);
        }
    }
}

}  // namespace kiln::compute
