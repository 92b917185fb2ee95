// SPDX-License-Identifier: Apache-2.0
// Periodic: a thread that does one thing again and again, at once and then after each period.
// Thread-safe. start() begins the thread, stop() waits for a round under way; both once.
#pragma once

#include <chrono>
#include <functional>
#include <thread>

#include "util/mutex.h"

namespace kiln::control {

class Periodic {
  public:
    Periodic(std::chrono::milliseconds period, std::function<void()> round)
        : period_(period), round_(std::move(round)) {}
    ~Periodic() { stop(); }
    Periodic(const Periodic&) = delete;
    Periodic& operator=(const Periodic&) = delete;

    void start();
    void stop() EXCLUDES(mutex_);

  private:
    void run() EXCLUDES(mutex_);

    const std::chrono::milliseconds period_;
    const std::function<void()> round_;
    Mutex mutex_;
    CondVar wake_;
    bool stopping_ GUARDED_BY(mutex_) = false;
    std::thread thread_;
};

}  // namespace kiln::control
