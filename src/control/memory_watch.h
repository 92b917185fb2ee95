// SPDX-License-Identifier: Apache-2.0
// MemoryWatch: says in the log when machines run and the host, or the control group's limit, has
// little memory left for them, before the kernel ends one; and again when there is some. Looks
// every few seconds, and changes nothing.
//
// Thread-safe. start() begins the thread, stop() joins it; both once.
#pragma once

#include <atomic>
#include <optional>
#include <thread>

#include "compute/hypervisor.h"
#include "util/mutex.h"

namespace kiln::control {

class MemoryWatch {
  public:
    explicit MemoryWatch(compute::Hypervisor& hypervisor) : hypervisor_(hypervisor) {}
    ~MemoryWatch() { stop(); }

    void start();
    void stop() EXCLUDES(mutex_);

    // One round of the thread.
    void look();
    // As the last look found it.
    bool low() const { return low_; }

  private:
    void run() EXCLUDES(mutex_);

    compute::Hypervisor& hypervisor_;
    std::atomic<bool> low_{false};
    Mutex mutex_;
    CondVar wake_;
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::thread thread_;
};

}  // namespace kiln::control
