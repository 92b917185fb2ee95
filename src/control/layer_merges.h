// SPDX-License-Identifier: Apache-2.0
// LayerMerges: keeps the layers few that are the faster copy of a rooted content (D4). A volume
// that is open keeps what it stands on when that is stored, so each of its snapshots leaves one
// more layer; of these the newest are written together as one, in the background, when there are
// more than kMostCopyLayers.
//
//   layers.merge   of a content: makes one layer of some, and puts it in their place
//
// A merge that comes to nothing (no space, a content that is gone or has other layers by then) is
// forgotten: the next snapshot asks again. Thread-safe, blocking.
#pragma once

#include <functional>
#include <span>

#include "control/job_runner.h"
#include "control/parts.h"
#include "model/content.h"
#include "util/mutex.h"

namespace kiln::control {

inline constexpr std::size_t kMostCopyLayers = 8;
// Where merges do not keep up, a content that becomes rooted keeps so many layers below its own:
// the newest. With those that are not stored yet (SNP-9) no volume stands on more than 200.
inline constexpr std::size_t kMostSpares = 128;

// How many of these layers, newest first, are to become one: 0, or at least 2. So many that none of
// them is much larger than all before it, since what is merged is rewritten.
std::size_t layers_to_merge(std::span<const std::uint64_t> data_bytes);

class LayerMerges {
  public:
    // `work_added` is called after a transaction that queued or woke a job.
    LayerMerges(const Parts& parts, std::function<void()> work_added)
        : parts_(parts), work_added_(std::move(work_added)) {}

    void install(JobRunner& runner);
    // Has the layers of a content merged if they are too many.
    Status consider(const model::Content& content);
    // Ends the merge under way. Before the runner stops.
    void stop() EXCLUDES(mutex_);

  private:
    Status run(const model::Job& job);
    Result<block::LayerMerge> plan(const model::ContentId& id);
    Result<model::LayerId> make_target(const block::LayerMerge& merge);
    Status merge(const block::LayerMerge& merge) EXCLUDES(mutex_);
    // Wherever these layers lie over each other: snapshots go on meanwhile. The contents it
    // changed.
    Result<std::vector<model::ContentId>> put_in_place(const block::LayerMerge& merge);
    Status forget(const model::LayerId& target);
    Status finish(const model::Job& job);

    const Parts parts_;
    const std::function<void()> work_added_;
    Mutex mutex_;
    CondVar idle_;
    bool stopping_ GUARDED_BY(mutex_) = false;
    bool merging_ GUARDED_BY(mutex_) = false;
};

}  // namespace kiln::control
