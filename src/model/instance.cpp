// SPDX-License-Identifier: Apache-2.0
#include "model/instance.h"

namespace kiln::model {

namespace {

constexpr Refusal kNotStartable{
    Code::failed_precondition, "IncorrectInstanceState",
    "The instance '{}' is not in a state from which it can be started."};
constexpr Refusal kNotStoppable{
    Code::failed_precondition, "IncorrectInstanceState",
    "This instance '{}' is not in a state from which it can be stopped."};
constexpr Refusal kNotRebootable{
    Code::failed_precondition, "IncorrectInstanceState",
    "The instance '{}' is not in a state from which it can be rebooted."};
// Clients retry while the text has "Instance is not in state" (CI-2).
constexpr Refusal kNotImageable{Code::failed_precondition, "InvalidParameterValue",
                                "Instance is not in state 'running' or 'stopped'"};
constexpr Refusal kNotFound{Code::not_found, "InvalidInstanceID.NotFound",
                            "The instance ID '{}' does not exist"};
constexpr Refusal kNotRunning{Code::failed_precondition, "IncorrectState",
                              "Instance '{}' is not 'running'."};
constexpr Refusal kNotStopped{Code::failed_precondition, "IncorrectInstanceState",
                              "The instance '{}' is not in the 'stopped' state."};
constexpr Refusal kSuperseded{Code::failed_precondition, "", "instance {} has moved on meanwhile"};

using S = InstanceState;
using E = InstanceEvent;

// Before the machine runs, and while it does.
constexpr InstanceTransition kAlive[] = {
    {S::pending, E::start, S::pending},  // STP-3: asked for already
    {S::pending, E::stop, S::stopping},
    {S::pending, E::reboot, {}, &kNotRebootable},
    {S::pending, E::terminate, S::shutting_down},
    {S::pending, E::create_image, {}, &kNotImageable},
    {S::pending, E::attach_volume, {}, &kNotRunning},
    {S::pending, E::modify_stopped, {}, &kNotStopped},
    {S::pending, E::started, S::running},
    {S::pending, E::launch_failed, S::terminated},  // RUN-5
    {S::pending, E::start_failed, S::stopped},
    // A guest may power off before we have noticed that it runs.
    {S::pending, E::guest_stop, S::stopping},
    {S::pending, E::guest_terminate, S::shutting_down},
    {S::pending, E::powered_off, {}, &kSuperseded},

    {S::running, E::start, S::running},
    {S::running, E::stop, S::stopping},
    {S::running, E::reboot, S::running},
    {S::running, E::terminate, S::shutting_down},
    {S::running, E::create_image, S::running},
    {S::running, E::attach_volume, S::running},
    {S::running, E::modify_stopped, {}, &kNotStopped},
    {S::running, E::started, S::running},
    {S::running, E::launch_failed, {}, &kSuperseded},
    {S::running, E::start_failed, {}, &kSuperseded},
    {S::running, E::guest_stop, S::stopping},
    {S::running, E::guest_terminate, S::shutting_down},
    // Why it went decides what comes next, so say guest_stop or guest_terminate first.
    {S::running, E::powered_off, {}, &kSuperseded},
};

// On the way down, and at rest.
constexpr InstanceTransition kDown[] = {
    {S::stopping, E::start, {}, &kNotStartable},
    {S::stopping, E::stop, S::stopping},
    {S::stopping, E::reboot, {}, &kNotRebootable},
    {S::stopping, E::terminate, S::shutting_down},
    {S::stopping, E::create_image, {}, &kNotImageable},
    {S::stopping, E::attach_volume, {}, &kNotRunning},
    {S::stopping, E::modify_stopped, {}, &kNotStopped},
    {S::stopping, E::started, {}, &kSuperseded},
    {S::stopping, E::launch_failed, S::stopped},
    {S::stopping, E::start_failed, S::stopped},
    {S::stopping, E::guest_stop, S::stopping},
    {S::stopping, E::guest_terminate, S::stopping},  // who asked first decides
    {S::stopping, E::powered_off, S::stopped},

    {S::stopped, E::start, S::pending},
    {S::stopped, E::stop, S::stopped},
    {S::stopped, E::reboot, {}, &kNotRebootable},
    {S::stopped, E::terminate, S::terminated},  // INS-1: there is nothing to shut down
    {S::stopped, E::create_image, S::stopped},
    {S::stopped, E::attach_volume, S::stopped},
    {S::stopped, E::modify_stopped, S::stopped},
    {S::stopped, E::started, {}, &kSuperseded},
    {S::stopped, E::launch_failed, {}, &kSuperseded},
    {S::stopped, E::start_failed, S::stopped},
    {S::stopped, E::guest_stop, {}, &kSuperseded},
    {S::stopped, E::guest_terminate, {}, &kSuperseded},
    {S::stopped, E::powered_off, S::stopped},
};

// For good.
constexpr InstanceTransition kEnding[] = {
    {S::shutting_down, E::start, {}, &kNotStartable},
    {S::shutting_down, E::stop, {}, &kNotStoppable},
    {S::shutting_down, E::reboot, S::shutting_down},  // RBT-1: ignored
    {S::shutting_down, E::terminate, S::shutting_down},
    {S::shutting_down, E::create_image, {}, &kNotImageable},
    {S::shutting_down, E::attach_volume, {}, &kNotRunning},
    {S::shutting_down, E::modify_stopped, {}, &kNotStopped},
    {S::shutting_down, E::started, {}, &kSuperseded},
    {S::shutting_down, E::launch_failed, S::terminated},
    {S::shutting_down, E::start_failed, S::terminated},
    {S::shutting_down, E::guest_stop, S::shutting_down},
    {S::shutting_down, E::guest_terminate, S::shutting_down},
    {S::shutting_down, E::powered_off, S::terminated},

    {S::terminated, E::start, {}, &kNotStartable},
    {S::terminated, E::stop, {}, &kNotStoppable},
    {S::terminated, E::reboot, S::terminated},     // RBT-1: ignored
    {S::terminated, E::terminate, S::terminated},  // TRM-1
    {S::terminated, E::create_image, {}, &kNotFound},
    {S::terminated, E::attach_volume, {}, &kNotRunning},
    {S::terminated, E::modify_stopped, {}, &kNotStopped},
    {S::terminated, E::started, {}, &kSuperseded},
    {S::terminated, E::launch_failed, S::terminated},
    {S::terminated, E::start_failed, {}, &kSuperseded},
    {S::terminated, E::guest_stop, {}, &kSuperseded},
    {S::terminated, E::guest_terminate, {}, &kSuperseded},
    {S::terminated, E::powered_off, S::terminated},
};

}  // namespace

const std::vector<InstanceState>& states_with_machine() {
    static const std::vector<InstanceState> kStates{InstanceState::pending, InstanceState::running,
                                                    InstanceState::stopping,
                                                    InstanceState::shutting_down};
    return kStates;
}

std::span<const InstanceTransition> instance_transitions() {
    static constexpr auto kTable = [] {
        std::array<InstanceTransition, std::size(kAlive) + std::size(kDown) + std::size(kEnding)>
            table{};
        auto out = std::copy(std::begin(kAlive), std::end(kAlive), table.begin());
        out = std::copy(std::begin(kDown), std::end(kDown), out);
        std::copy(std::begin(kEnding), std::end(kEnding), out);
        return table;
    }();
    return kTable;
}

Result<InstanceState> next(InstanceState state, InstanceEvent event, const InstanceId& id) {
    return look_up(instance_transitions(), state, event, id.str());
}

}  // namespace kiln::model
