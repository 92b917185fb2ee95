// SPDX-License-Identifier: Apache-2.0
// Answer: one blocking call's answer, and who waits for it. Shared, because the caller may give up
// first. Thread-safe.
#pragma once

#include <optional>

#include "util/deadline.h"
#include "util/mutex.h"
#include "util/result.h"

namespace kiln::block {

template <class T>
class Answer {
  public:
    void give(Result<T> result) EXCLUDES(mutex_) {
        MutexLock lock(mutex_);
        result_.emplace(std::move(result));
        given_.notify_all();
    }
    // Whether it is there before the deadline passes.
    bool given_by(Deadline deadline) EXCLUDES(mutex_) {
        MutexLock lock(mutex_);
        return wait(lock, deadline);
    }
    Result<T> take(Deadline deadline) EXCLUDES(mutex_) {
        MutexLock lock(mutex_);
        if (!wait(lock, deadline)) {
            return Error(Code::deadline_exceeded, "the block engine did not answer in time");
        }
        return std::move(*result_);
    }

  private:
    bool wait(MutexLock& lock, Deadline deadline) REQUIRES(mutex_) {
        while (!result_) {
            if (deadline.passed()) {
                return false;
            }
            given_.wait_until(lock, Deadline::clock::now() + deadline.left());
        }
        return true;
    }

    Mutex mutex_;
    CondVar given_;
    std::optional<Result<T>> result_ GUARDED_BY(mutex_);
};

}  // namespace kiln::block
