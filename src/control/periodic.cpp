// SPDX-License-Identifier: Apache-2.0
#include "control/periodic.h"

#include "util/deadline.h"

namespace kiln::control {

void Periodic::start() {
    thread_ = std::thread([this] { run(); });
}

void Periodic::stop() {
    {
        MutexLock lock(mutex_);
        stopping_ = true;
        wake_.notify_all();
    }
    if (thread_.joinable()) {
        thread_.join();
    }
}

void Periodic::run() {
    while (true) {
        round_();
        const Deadline next = Deadline::after(period_);
        MutexLock lock(mutex_);
        while (!stopping_ && !next.passed()) {
            wake_.wait_until(lock, next.at());
        }
        if (stopping_) {
            return;
        }
    }
}

}  // namespace kiln::control
