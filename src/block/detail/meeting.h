// SPDX-License-Identifier: Apache-2.0
// Meeting: where the parts of one operation, each on an owner thread of its own, wait for each
// other. Nobody goes on before all have come, and all go on with the first error that any brought.
// A part that went on may come again, to the next round.
//
// Thread-safe. `go_on` runs on the thread of the part's scheduler; for the part that comes last,
// inside come().
#pragma once

#include <utility>
#include <vector>

#include "block/layer.h"
#include "io/scheduler.h"
#include "util/mutex.h"

namespace kiln::block {

class Meeting {
  public:
    explicit Meeting(std::size_t parts) : parts_(parts) {}

    void come(io::Scheduler& scheduler, Status status, Done go_on) EXCLUDES(mutex_) {
        std::vector<Waiting> others;
        {
            MutexLock lock(mutex_);
            if (!status && status_) {
                status_ = std::move(status);
            }
            if (waiting_.size() + 1 < parts_) {
                waiting_.push_back({scheduler, std::move(go_on)});
                return;
            }
            others = std::exchange(waiting_, {});
            status = std::exchange(status_, ok());
            agreed_ += status ? 1 : 0;
        }
        for (Waiting& other : others) {
            other.scheduler.post(
                [status, go_on = std::move(other.go_on)]() mutable { go_on(std::move(status)); });
        }
        go_on(std::move(status));
    }

    // How many rounds all came to without an error.
    std::size_t agreed() const EXCLUDES(mutex_) {
        MutexLock lock(mutex_);
        return agreed_;
    }

  private:
    struct Waiting {
        io::Scheduler& scheduler;
        Done go_on;
    };
    const std::size_t parts_;
    mutable Mutex mutex_;
    std::vector<Waiting> waiting_ GUARDED_BY(mutex_);
    Status status_ GUARDED_BY(mutex_) = ok();
    std::size_t agreed_ GUARDED_BY(mutex_) = 0;
};

}  // namespace kiln::block
