// SPDX-License-Identifier: Apache-2.0
// DestageRun: a content's sealed layers over its first rooted ancestor, as a tree. Opens the layers
// for itself, sees to it that their data has check sums, then merges all of them, and has closed
// them when it completes, exactly once, never inside start(). Thread model: one owner thread.
#pragma once

#include "block/detail/stack_opener.h"
#include "block/image/destage.h"

namespace kiln::block {

class DestageRun : public std::enable_shared_from_this<DestageRun> {
  public:
    using Finished = io::Callback<Result<WrittenTree>>;
    static std::shared_ptr<DestageRun> start(const EngineParts& parts, const ContentId& content,
                                             std::uint64_t epoch, Finished done);
    // Completes with `cancelled` after what is in flight, unless it was about to succeed.
    void cancel();

  private:
    class Layers;
    DestageRun(const EngineParts& parts, std::uint64_t epoch, Finished done)
        : parts_(parts), epoch_(epoch), done_(std::move(done)) {}
    void opened(Result<OpenedStack> opened);
    void protect_next();
    void end(Result<WrittenTree> result);

    const EngineParts& parts_;
    const std::uint64_t epoch_;
    Finished done_;
    bool cancelled_ = false;
    std::vector<std::shared_ptr<UsedLayer>> to_protect_;
    std::shared_ptr<DataCrcMaker> maker_;
    WriterOptions options_;
    std::shared_ptr<Layers> source_;
    std::shared_ptr<Destage> destage_;
};

}  // namespace kiln::block
