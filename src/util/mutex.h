// SPDX-License-Identifier: Apache-2.0
// Mutex, MutexLock and CondVar with the annotations of clang's thread-safety analysis (checked by
// the `clang` preset). Lock order between classes stands in docs/internals. No I/O under a lock
// unless a comment there says why.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>

#if defined(__clang__)
#define KILN_TSA(x) __attribute__((x))
#else
#define KILN_TSA(x)
#endif
#define CAPABILITY(x) KILN_TSA(capability(x))
#define SCOPED_CAPABILITY KILN_TSA(scoped_lockable)
#define GUARDED_BY(x) KILN_TSA(guarded_by(x))
#define REQUIRES(...) KILN_TSA(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) KILN_TSA(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) KILN_TSA(acquire_capability(__VA_ARGS__))
#define RELEASE(...) KILN_TSA(release_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS KILN_TSA(no_thread_safety_analysis)

namespace kiln {

class CAPABILITY("mutex") Mutex {
  public:
    Mutex() = default;
    Mutex(const Mutex&) = delete;
    Mutex& operator=(const Mutex&) = delete;
    void lock() ACQUIRE() { mutex_.lock(); }
    void unlock() RELEASE() { mutex_.unlock(); }

  private:
    std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
  public:
    explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
    ~MutexLock() RELEASE() { mutex_.unlock(); }
    MutexLock(const MutexLock&) = delete;
    MutexLock& operator=(const MutexLock&) = delete;

  private:
    friend class CondVar;
    Mutex& mutex_;
};

class CondVar {
  public:
    // The caller holds the lock; it is released while waiting.
    void wait(MutexLock& lock) { cv_.wait(lock.mutex_); }
    // False on timeout.
    template <class TimePoint>
    bool wait_until(MutexLock& lock, TimePoint at) {
        return cv_.wait_until(lock.mutex_, at) == std::cv_status::no_timeout;
    }
    void notify_one() { cv_.notify_one(); }
    void notify_all() { cv_.notify_all(); }

  private:
    std::condition_variable_any cv_;
};

}  // namespace kiln
