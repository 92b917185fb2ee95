// SPDX-License-Identifier: Apache-2.0
// Gate of one upload: many puts at once, one for each block, or one thread that has the upload to
// itself. Thread-safe, blocking.
#pragma once

#include <map>
#include <string>

#include "control/snapshot_uploads.h"
#include "util/mutex.h"

namespace kiln::control {

class SnapshotUploads::Gate {
  public:
    // A put passes: false when another one is writing other bytes to the block. One that writes the
    // same bytes waits its turn.
    bool enter(std::uint64_t index, const std::string& digest) EXCLUDES(mutex_) {
        MutexLock lock(mutex_);
        while (true) {
            const auto at = writing_.find(index);
            if (at != writing_.end() && at->second != digest) {
                return false;
            }
            if (at == writing_.end() && !alone_) {
                writing_.emplace(index, digest);
                return true;
            }
            changed_.wait(lock);
        }
    }
    void leave(std::uint64_t index) EXCLUDES(mutex_) {
        const MutexLock lock(mutex_);
        writing_.erase(index);
        changed_.notify_all();
    }
    void close() EXCLUDES(mutex_) {
        MutexLock lock(mutex_);
        while (alone_) {
            changed_.wait(lock);
        }
        alone_ = true;  // puts that come now wait
        while (!writing_.empty()) {
            changed_.wait(lock);
        }
    }
    void open() EXCLUDES(mutex_) {
        const MutexLock lock(mutex_);
        alone_ = false;
        changed_.notify_all();
    }
    // Of the opening of the volume, which is I/O: others have nothing to do before it is done.
    Mutex& opening() { return opening_; }

    // While it lives.
    class Put {
      public:
        Put(Gate& gate, std::uint64_t index) : gate_(gate), index_(index) {}
        ~Put() { gate_.leave(index_); }
        Put(const Put&) = delete;
        Put& operator=(const Put&) = delete;

      private:
        Gate& gate_;
        const std::uint64_t index_;
    };
    class Alone {
      public:
        explicit Alone(Gate& gate) : gate_(gate) { gate_.close(); }
        ~Alone() { gate_.open(); }
        Alone(const Alone&) = delete;
        Alone& operator=(const Alone&) = delete;

      private:
        Gate& gate_;
    };

  private:
    Mutex opening_;
    Mutex mutex_;
    CondVar changed_;
    bool alone_ GUARDED_BY(mutex_) = false;
    std::map<std::uint64_t, std::string> writing_ GUARDED_BY(mutex_);  // by block: its digest
};

}  // namespace kiln::control
