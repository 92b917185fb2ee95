// SPDX-License-Identifier: Apache-2.0
// Destage: turns what a stack of sealed layers says over a base tree into a new tree. Reads the
// dirty chunks in order, one batch ahead of the writer; memory is bounded by two batches and the
// packs in flight. It keeps no state on disk: after a crash or an error it is started again from
// the beginning, and finds what it had stored by its ids. Nothing is visible before the caller
// commits the root it completes with.
//
// The source and the store outlive it. Completes exactly once, never inside start(). Thread model:
// one owner thread.
#pragma once

#include "block/image/tree_writer.h"
#include "io/buffer.h"

namespace kiln::block {

struct ByteRange {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

// What a stack of sealed layers over a base offers. Immutable while a destage runs.
class ContentSource {
  public:
    virtual ~ContentSource() = default;
    virtual std::uint64_t size_bytes() const = 0;
    // The first range at or after `from` that may differ from the base; none at the end. Ranges
    // may be larger than what really differs.
    virtual std::optional<ByteRange> next_dirty(std::uint64_t from) = 0;
    // The content's bytes, layers over base. Inside the size; `into` is aligned like Buffer when
    // the offset is. Never completes inside the call.
    virtual void read(std::uint64_t offset, MutableByteView into, Done done) = 0;
};

class Destage : public std::enable_shared_from_this<Destage> {
  public:
    // options.size_bytes is taken from the source.
    static std::shared_ptr<Destage> start(ChunkStore& store, ContentSource& source,
                                          WriterOptions options,
                                          io::Callback<Result<WrittenTree>> done);
    // Completes with `cancelled` after what is in flight.
    void cancel();

  private:
    struct Batch {
        io::Buffer memory;  // of kBatchChunks
        std::vector<ChunkChange> changes;
    };
    Destage(ChunkStore& store, ContentSource& source, WriterOptions options,
            io::Callback<Result<WrittenTree>> done);
    void pump();
    std::unique_ptr<Batch> next_batch();
    void read(std::unique_ptr<Batch> batch);
    void write();
    void finish();
    void note(const Status& status);

    ContentSource& source_;
    const std::uint64_t chunk_bytes_;
    const std::uint64_t chunks_;
    const std::shared_ptr<TreeWriter> writer_;
    io::Callback<Result<WrittenTree>> done_;
    Status status_ = ok();
    std::uint64_t cursor_ = 0;  // next chunk to look at
    bool all_read_ = false;
    bool reading_ = false;
    bool writing_ = false;
    io::Buffer spare_;  // new memory would have to be mapped page by page for every batch
    std::unique_ptr<Batch> ready_;
    std::unique_ptr<Batch> in_writer_;
};

}  // namespace kiln::block
