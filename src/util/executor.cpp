// SPDX-License-Identifier: Apache-2.0
#include "util/executor.h"

#include <pthread.h>

namespace kiln {

Executor::Executor(std::string name, std::size_t threads, std::size_t queue_limit)
    : name_(std::move(name)), queue_limit_(queue_limit) {
    for (std::size_t i = 0; i < threads; ++i) {
        threads_.emplace_back([this] { run(); });
    }
}

Executor::~Executor() {
    stop();
}

Status Executor::submit(std::function<void()> task) {
    {
        MutexLock lock(mutex_);
        if (stopping_) {
            return Error(Code::cancelled, name_ + " is shutting down");
        }
        if (queue_.size() >= queue_limit_) {
            return Error(Code::resource_exhausted, name_ + " has a full queue");
        }
        queue_.push_back(std::move(task));
    }
    wake_.notify_one();
    return ok();
}

void Executor::stop() {
    {
        MutexLock lock(mutex_);
        stopping_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) {
        if (thread.joinable()) {
            thread.join();
        }
    }
}

void Executor::run() {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    while (true) {
        std::function<void()> task;
        {
            MutexLock lock(mutex_);
            while (queue_.empty() && !stopping_) {
                wake_.wait(lock);
            }
            if (queue_.empty()) {
                return;
            }
            task = std::move(queue_.front());
            queue_.pop_front();
        }
        task();
    }
}

}  // namespace kiln
