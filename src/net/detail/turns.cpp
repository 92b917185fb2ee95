// SPDX-License-Identifier: Apache-2.0
#include "net/detail/turns.h"

namespace kiln::net::detail {

// Submitted in a box, so that nothing of it stays with the submitter: what a task holds must be
// gone when the task says that it is done.
bool Turns::hand_over(std::function<void()>& task) {
    const auto box = std::make_shared<std::function<void()>>(std::move(task));
    if (executor_.submit([self = shared_from_this(), box] { self->work(std::move(*box)); })) {
        return true;
    }
    task = std::move(*box);
    return false;
}

bool Turns::run(std::function<void()> task) {
    {
        MutexLock lock(mutex_);
        if (running_ == limit_) {
            waiting_.push_back(std::move(task));
            return true;
        }
        ++running_;
    }
    if (hand_over(task)) {
        return true;
    }
    MutexLock lock(mutex_);
    --running_;  // nobody can be waiting for this turn: one caller at a time
    return false;
}

std::function<void()> Turns::next() {
    MutexLock lock(mutex_);
    if (waiting_.empty()) {
        --running_;
        return nullptr;
    }
    std::function<void()> task = std::move(waiting_.front());
    waiting_.pop_front();
    return task;
}

void Turns::work(std::function<void()> task) {
    while (task) {
        std::exchange(task, nullptr)();
        task = next();
        if (task && hand_over(task)) {
            return;
        }
        // No next one; or the executor is full or ending, and this thread carries on.
    }
}

}  // namespace kiln::net::detail
