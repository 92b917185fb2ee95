// SPDX-License-Identifier: Apache-2.0
// MergeRun: sealed layers that lie over each other, as one new sealed layer that says what they say
// together (D4): for each block what the first of them says that does not say absent. Zeros stay,
// since they hide what is below. Opens the layers for itself and has closed them when it completes,
// exactly once, never inside start(). On an error the new layer has no files.
//
// In the background: one read or write of at most 1 MiB at a time, so that guests' requests go
// between. Thread model: one owner thread.
#pragma once

#include "block/detail/stack_opener.h"
#include "block/engine.h"

namespace kiln::block {

class MergeRun : public std::enable_shared_from_this<MergeRun> {
  public:
    // `layers` outlives it.
    static std::shared_ptr<MergeRun> start(LayerUses& layers, LayerMerge merge, Done done);
    // Completes with `cancelled` after what is in flight, unless it was about to succeed.
    void cancel();

  private:
    MergeRun(LayerUses& layers, LayerMerge merge, Done done)
        : layers_(layers), merge_(std::move(merge)), done_(std::move(done)) {}
    void begin();
    void open_next();
    void open_target();
    void copy_next();
    void copy_data(Layer& from, BlockRange range);
    void copied(Status status);
    void seal();
    void protect();
    void end(Status status);

    LayerUses& layers_;
    const LayerMerge merge_;
    Done done_;
    bool cancelled_ = false;
    std::vector<LayerPin> pins_;
    std::vector<std::shared_ptr<UsedLayer>> sources_;
    std::shared_ptr<UsedLayer> target_;
    io::Buffer buffer_;
    std::uint64_t at_ = 0;
    std::shared_ptr<DataCrcMaker> maker_;
};

}  // namespace kiln::block
