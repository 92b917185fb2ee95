// SPDX-License-Identifier: Apache-2.0
// PendingCall: completes once, with whichever comes first: the result, the deadline, cancel().
// Later results are dropped. Thread model: one owner thread.
#pragma once

#include "io/scheduler.h"
#include "objects/object_store.h"

namespace kiln::objects {

template <class T>
class PendingCall final : public Call, public std::enable_shared_from_this<PendingCall<T>> {
  public:
    using Completion = io::Callback<Result<T>>;
    static std::shared_ptr<PendingCall> start(io::Scheduler& scheduler, CallOptions options,
                                              Completion done) {
        auto call = std::shared_ptr<PendingCall>(new PendingCall(scheduler, std::move(done)));
        call->timer_ = scheduler.after(options.timeout, [call] {
            call->timer_ = {};
            call->finish(Error(Code::deadline_exceeded, "the object store did not answer in time"));
        });
        return call;
    }

    bool over() const { return !done_; }
    // Not from inside the call that started this.
    void finish(Result<T> result) {
        if (over()) {
            return;
        }
        if (timer_.value != 0) {
            scheduler_.cancel(timer_);
        }
        Completion done = std::move(done_);
        done(std::move(result));
    }
    void finish_later(Result<T> result) {
        scheduler_.post([self = this->shared_from_this(), result = std::move(result)]() mutable {
            self->finish(std::move(result));
        });
    }
    void cancel() override { finish_later(Error(Code::cancelled, "the call was cancelled")); }

  private:
    PendingCall(io::Scheduler& scheduler, Completion done)
        : scheduler_(scheduler), done_(std::move(done)) {}
    io::Scheduler& scheduler_;
    Completion done_;
    io::TimerId timer_{};
};

}  // namespace kiln::objects
