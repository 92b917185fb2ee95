// SPDX-License-Identifier: Apache-2.0
// SpaceWatch: measures the reserve every second, and lets guests go on that wait for space (SPC-3).
//
// A guest whose write found no space is paused by its machine, which keeps the write. It is told
// here (machine_refused), kept until its machine is seen running, and resumed whenever there is
// room: the write may be refused again, so each further attempt comes later, up to half a minute.
// Nothing is stored, because the machine itself keeps the state: the first look after a start asks
// every machine.
//
// Thread-safe. start() begins the thread, stop() joins it; both once. Every question to a machine
// has a deadline.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "control/parts.h"
#include "control/periodic.h"
#include "util/mutex.h"
#include "util/time.h"

namespace kiln::control {

// A paused guest; `volume` is empty when the daemon was away at that moment.
struct SpaceWait {
    std::string volume;
    UnixMillis since;
};

class SpaceWatch {
  public:
    explicit SpaceWatch(const Parts& parts) : parts_(parts) {}

    void start() { rounds_.start(); }
    void stop() { rounds_.stop(); }

    // A disk of the machine refused a write because there is no space. Does not block.
    void machine_refused(const model::InstanceId& id, const std::string& volume) EXCLUDES(mutex_);
    std::optional<SpaceWait> wait_of(const model::InstanceId& id) EXCLUDES(mutex_);

    // One round of the thread: measure, and resume those whose time has come.
    void look() EXCLUDES(mutex_);

  private:
    using Clock = std::chrono::steady_clock;
    struct Waiting {
        SpaceWait wait;
        Clock::time_point next_try{};
        std::chrono::milliseconds pause{0};  // between the last try and that
    };

    void find_paused() EXCLUDES(mutex_);
    bool has_room();
    void try_resume(const model::InstanceId& id, bool room) EXCLUDES(mutex_);

    const Parts parts_;
    bool looked_ = false;   // the thread's alone, as the next two
    bool low_ = false;      // only the reserve was left
    bool measured_ = true;  // the last measure succeeded
    Mutex mutex_;
    std::map<model::InstanceId, Waiting> waiting_ GUARDED_BY(mutex_);
    Periodic rounds_{std::chrono::seconds(1), [this] { look(); }};  // the last: it uses the others
};

}  // namespace kiln::control
