// SPDX-License-Identifier: Apache-2.0
#include "control/space_watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "control/space.h"
#include "util/log.h"

namespace kiln::control {
namespace {

constexpr std::chrono::seconds kAskTime{5};
// Between two attempts: the first at once, then a second, doubled up to this.
constexpr std::chrono::milliseconds kFirstPause{1000};
constexpr std::chrono::milliseconds kLongestPause{30'000};

}  // namespace

void SpaceWatch::machine_refused(const model::InstanceId& id, const std::string& volume) {
    MutexLock lock(mutex_);
    const auto [place, added] = waiting_.try_emplace(id);
    if (added) {
        place->second.wait = {volume, parts_.clock.now()};
        log_warn("space", fmt::format("{} is paused: a write to {} needs space and only the "
                                      "reserve is left; it goes on by itself when there is some",
                                      id.str(), volume.empty() ? "its disk" : volume));
    }
}

std::optional<SpaceWait> SpaceWatch::wait_of(const model::InstanceId& id) {
    MutexLock lock(mutex_);
    const auto found = waiting_.find(id);
    return found == waiting_.end() ? std::nullopt : std::optional(found->second.wait);
}

void SpaceWatch::look() {
    if (!looked_) {
        find_paused();
        looked_ = true;
    }
    const bool room = has_room();
    std::vector<model::InstanceId> due;
    {
        MutexLock lock(mutex_);
        for (const auto& [id, waiting] : waiting_) {
            due.push_back(id);
        }
    }
    for (const model::InstanceId& id : due) {
        try_resume(id, room);
    }
}

// What happened while the daemon was away.
void SpaceWatch::find_paused() {
    for (const compute::MachineId& id : parts_.hypervisor.machines()) {
        const auto info = parts_.hypervisor.query(id, Deadline::after(kAskTime));
        if (info && info->state == compute::MachineState::io_error) {
            machine_refused(model::InstanceId(id.str()), "");
        }
    }
}

bool SpaceWatch::has_room() {
    const auto figures = parts_.space.measure();
    if (!figures) {
        if (std::exchange(measured_, false)) {
            log_error("space", figures.error().to_string());
        }
        return false;
    }
    measured_ = true;
    const bool low = figures->room() < kLeastRoom;
    if (low != std::exchange(low_, low)) {
        const std::string text =
            fmt::format("{} of {} are free, the reserve is {}", size_text(figures->space.available),
                        size_text(figures->space.total), size_text(figures->reserve));
        if (low) {
            log_warn("space", text + ": new snapshots, images, volumes and launches are refused");
        } else {
            log_info("space", text + ": there is room again");
        }
    }
    return !low;
}

void SpaceWatch::try_resume(const model::InstanceId& id, bool room) {
    const auto info = parts_.hypervisor.query(machine_id(id), Deadline::after(kAskTime));
    if (!info && info.error().code() != Code::not_found) {
        return;  // it does not answer now
    }
    {
        MutexLock lock(mutex_);
        const auto found = waiting_.find(id);
        if (found == waiting_.end()) {
            return;
        }
        if (!info || info->state != compute::MachineState::io_error) {
            log_info("space",
                     fmt::format("{} no longer waits for space: its machine is {}", id.str(),
                                 info ? compute::to_string(info->state) : "gone"));
            waiting_.erase(found);
            return;
        }
        Waiting& waiting = found->second;
        if (!room || Clock::now() < waiting.next_try) {
            return;
        }
        waiting.pause = std::clamp(waiting.pause * 2, kFirstPause, kLongestPause);
        waiting.next_try = Clock::now() + waiting.pause;
    }
    const Status resumed = parts_.hypervisor.resume(machine_id(id), Deadline::after(kAskTime));
    if (!resumed) {
        log_warn("space",
                 fmt::format("{} does not go on: {}", id.str(), resumed.error().to_string()));
    }
}

}  // namespace kiln::control
