// SPDX-License-Identifier: Apache-2.0
// ContentWorker: the jobs that bring contents into the image tier and take away the files of layers
// nobody needs.
//
//   content.destage  store: the content's chain becomes a tree, the row `rooted`, and the layers it
//                    merged its spares. It waits for parents that are named and not rooted yet; it
//                    starts from its beginning after an interruption, which finds what was stored.
//                    release: once no open volume reads the content's layers, or there is no space
//                    for a second copy, they go.
//   layer.drop       unlink a layer's files, then erase its row
//
// A store step holds a lease on an epoch of garbage collection (D3): it is recorded before the step
// reads or writes anything, and the transaction that roots the content checks that no pack it wrote
// or hit was condemned meanwhile; if one was, the step is done again.
//
// Thread-safe, blocking.
#pragma once

#include <functional>
#include <optional>
#include <string_view>

#include "control/contents.h"
#include "control/job_runner.h"
#include "control/layer_merges.h"
#include "control/parts.h"
#include "control/volume_access.h"
#include "util/mutex.h"

namespace kiln::control {

class ContentWorker {
  public:
    // `work_added` is called after a transaction that queued or woke a job.
    ContentWorker(const Parts& parts, VolumeAccess& volumes, std::function<void()> work_added)
        : parts_(parts),
          volumes_(volumes),
          work_added_(std::move(work_added)),
          merges_(parts_, work_added_) {}

    // Registers the handlers above, and that of the merges.
    void install(JobRunner& runner);
    // A volume was closed: layers may have come free.
    void volume_closed(const model::VolumeId& id);
    // Ends the store step and the merge under way, which begin again at the next start. Before the
    // runner stops.
    void stop() EXCLUDES(mutex_);

  private:
    enum class Turn { gone, waits, ready };
    Status destage(const model::Job& job);
    // The engine's part; `cancelled` when we stop.
    Result<block::DestagedContent> make_tree(const block::ContentId& id, std::uint64_t epoch)
        EXCLUDES(mutex_);
    Status store(model::Job job);
    Result<Turn> begin(catalog::Transaction& tx, model::Job& job);
    Result<bool> may_be_stored(catalog::Transaction& tx, const model::ContentId& id);
    Result<bool> commit_root(catalog::Transaction& tx, model::Job& job,
                             const block::DestagedContent& made,
                             std::optional<std::uint64_t> allocated_bytes);
    Status release(const model::Job& job);
    Status give_up_layers(const model::Job& job, const model::Content& content);
    Status drop_layer(const model::Job& job);
    Status wake_layer_drops();
    Status finish(const model::Job& job);
    Status park(const model::Job& job, std::chrono::milliseconds wait);

    const Parts parts_;
    VolumeAccess& volumes_;
    const std::function<void()> work_added_;
    LayerMerges merges_;
    Mutex mutex_;
    CondVar idle_;
    bool stopping_ GUARDED_BY(mutex_) = false;
    bool storing_ GUARDED_BY(mutex_) = false;
};

// The epoch of garbage collection, 1 at first.
Result<std::uint64_t> gc_epoch(catalog::Transaction& tx);
// The epoch under which this destage job holds a lease right now, if it does.
std::optional<std::uint64_t> leased_epoch(const model::Job& job);

}  // namespace kiln::control
