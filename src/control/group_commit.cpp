// SPDX-License-Identifier: Apache-2.0
#include "control/group_commit.h"

namespace kiln::control {

Status GroupCommit::run(Effect effect) {
    Waiting mine{std::move(effect)};
    std::vector<Waiting*> batch;
    {
        MutexLock lock(mutex_);
        queue_.push_back(&mine);
        while (busy_ && !mine.outcome) {
            changed_.wait(lock);
        }
        if (mine.outcome) {
            return std::move(*mine.outcome);
        }
        busy_ = true;
        batch.swap(queue_);
    }
    commit(batch);
    return std::move(*mine.outcome);
}

void GroupCommit::commit(const std::vector<Waiting*>& batch) {
    std::vector<Status> outcomes;
    const Status committed = store_.run([&](catalog::Transaction& tx) -> Status {
        outcomes.clear();  // the transaction may run again
        for (const Waiting* waiting : batch) {
            Status outcome = waiting->effect(tx);
            if (!outcome && !outcome.error().has_api_code()) {
                return outcome;  // the store's: the transaction can only be given up
            }
            outcomes.push_back(std::move(outcome));
        }
        return ok();
    });
    const MutexLock lock(mutex_);
    for (std::size_t i = 0; i < batch.size(); ++i) {
        batch[i]->outcome = committed ? std::move(outcomes[i]) : committed;
    }
    busy_ = false;
    changed_.notify_all();
}

}  // namespace kiln::control
