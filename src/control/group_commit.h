// SPDX-License-Identifier: Apache-2.0
// GroupCommit: small effects of many threads in one transaction, so that they wait for the medium
// together. Whoever comes first commits what has gathered; the others wait for that.
//
// An effect that refuses (an error with a code of the API) has written nothing before it; the
// others go on. Any other error is the store's, and everybody's. Thread-safe, blocking.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "catalog/store.h"
#include "util/mutex.h"

namespace kiln::control {

class GroupCommit {
  public:
    using Effect = std::function<Status(catalog::Transaction& tx)>;

    explicit GroupCommit(catalog::Store& store) : store_(store) {}
    Status run(Effect effect) EXCLUDES(mutex_);

  private:
    struct Waiting {
        Effect effect;
        std::optional<Status> outcome{};
    };
    void commit(const std::vector<Waiting*>& batch) EXCLUDES(mutex_);

    catalog::Store& store_;
    Mutex mutex_;
    CondVar changed_;
    bool busy_ GUARDED_BY(mutex_) = false;
    std::vector<Waiting*> queue_ GUARDED_BY(mutex_);
};

}  // namespace kiln::control
