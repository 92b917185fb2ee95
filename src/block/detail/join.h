// SPDX-License-Identifier: Apache-2.0
// Join: one completion for several operations: called when all have completed, with the first
// error. Usage: `auto join = Join::create(done); io.submit(op, join->arm()); ...; join->ready();`
// ready() ends the arming. Thread model: one owner thread.
#pragma once

#include <memory>

#include "block/layer.h"

namespace kiln::block {

class Join : public std::enable_shared_from_this<Join> {
  public:
    static std::shared_ptr<Join> create(Done done) {
        return std::shared_ptr<Join>(new Join(std::move(done)));
    }

    Done arm() {
        ++waiting_;
        return [self = shared_from_this()](Status status) { self->complete(std::move(status)); };
    }
    io::Callback<Result<std::uint64_t>> arm_io() {
        ++waiting_;
        return [self = shared_from_this()](Result<std::uint64_t> result) {
            self->complete(result ? ok() : Status(std::move(result.error())));
        };
    }
    void ready() { complete(ok()); }

  private:
    explicit Join(Done done) : done_(std::move(done)) {}
    void complete(Status status) {
        if (!status && status_) {
            status_ = std::move(status);
        }
        if (--waiting_ == 0) {
            done_(std::move(status_));
        }
    }
    int waiting_ = 1;  // the arming itself
    Status status_ = ok();
    Done done_;
};

}  // namespace kiln::block
