// SPDX-License-Identifier: Apache-2.0
#include "block/image/worker.h"

#include <sys/resource.h>
#include <unistd.h>

namespace kiln::block {

void InlineWorker::run(io::Callback<> work, io::Callback<> done) {
    scheduler_.post([work = std::move(work), done = std::move(done)]() mutable {
        work();
        done();
    });
}

void PoolWorker::run(io::Callback<> work, io::Callback<> done) {
    waiting_.push_back(std::make_shared<Job>(Job{std::move(work), std::move(done)}));
    pump();
}

void PoolWorker::pump() {
    while (running_ < most_ && !waiting_.empty()) {
        const std::shared_ptr<Job> job = waiting_.front();
        waiting_.pop_front();
        ++running_;
        const Status taken = threads_.submit([this, job] {
            // Linux keeps priorities per thread; 0 is the calling one. Repeating it costs nothing
            // beside the work.
            (void)::setpriority(PRIO_PROCESS, 0, 10);
            job->work();
            scheduler_.post([this, job] {
                --running_;
                pump();
                job->done();
            });
        });
        INVARIANT(taken);  // never more than `most` are submitted
    }
}

}  // namespace kiln::block
