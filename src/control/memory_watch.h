// SPDX-License-Identifier: Apache-2.0
// MemoryWatch: says in the log when machines run and the host, or the control group's limit, has
// little memory left for them, before the kernel ends one; and again when there is some. Looks
// every few seconds, and changes nothing.
//
// Thread-safe. start() begins the thread, stop() joins it; both once.
#pragma once

#include <atomic>
#include <chrono>

#include "compute/hypervisor.h"
#include "control/periodic.h"

namespace kiln::control {

class MemoryWatch {
  public:
    explicit MemoryWatch(compute::Hypervisor& hypervisor) : hypervisor_(hypervisor) {}

    void start() { rounds_.start(); }
    void stop() { rounds_.stop(); }

    // One round of the thread.
    void look();
    // As the last look found it.
    bool low() const { return low_; }

  private:
    compute::Hypervisor& hypervisor_;
    std::atomic<bool> low_{false};
    Periodic rounds_{std::chrono::seconds(5), [this] { look(); }};  // the last: it uses the others
};

}  // namespace kiln::control
