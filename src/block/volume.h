// SPDX-License-Identifier: Apache-2.0
// Volume: a block device over a stack (detail/stack.h): the active layer takes the writes. Without
// an active layer it is a read-only look at a content.
//
// The stack is an immutable value that the owner may replace; an operation in flight keeps the one
// it started with. Any byte range is fine: parts of blocks are read, merged and written under the
// range lock, as are trims, so a late hole punch never erases a newer write. Reads take no lock:
// concurrent with a write they may see either. A write with `durable` set completes when it
// survives a loss of power. Errors: invalid_argument beyond the end, failed_precondition for
// changes without an active layer, else those of Layer and TreeReader. Completions never run inside
// the call. Thread model: one owner thread. Destroyed after close() completed, or when it was never
// used.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "block/data_page.h"
#include "block/detail/range_lock.h"
#include "block/detail/read_ahead.h"
#include "block/detail/stack.h"
#include "block/ids.h"
#include "block/throttle.h"
#include "io/buffer.h"

namespace kiln::block {

// Bytes of one kind, as block status tells it. `zero` covers absent.
struct Extent {
    std::uint64_t bytes = 0;
    bool zero = false;
};

class Volume {
  public:
    Volume(io::Scheduler& scheduler, VolumeId id, std::uint64_t size_bytes, StackRef stack);
    ~Volume();

    const VolumeId& id() const { return id_; }
    std::uint64_t size_bytes() const { return size_bytes_; }
    bool read_only() const { return stack_->active == nullptr; }
    const StackRef& stack() const { return stack_; }
    // The first io_error or data_loss an operation ended with.
    const std::optional<Error>& trouble() const { return trouble_; }

    void read(std::uint64_t offset, MutableByteView into, Done done);
    void write(std::uint64_t offset, ByteView from, bool durable, Done done);
    void zero(std::uint64_t offset, std::uint64_t length, bool durable, Done done);
    // Covers every write completed before the call.
    void flush(Done done);
    // Of a range inside the volume, at most `most` entries; memory only. What comes from the tree
    // counts as data.
    std::vector<Extent> extents(std::uint64_t offset, std::uint64_t length, std::size_t most) const;
    // The same with the holes of the tree, for which its nodes are read; what they would say and
    // cannot be read counts as data.
    void status(std::uint64_t offset, std::uint64_t length, std::size_t most,
                io::Callback<std::vector<Extent>> done);
    // From `offset`, a whole block, to the end of the volume, with the holes of the tree.
    void data_page(std::uint64_t offset, std::size_t most, io::Callback<Result<DataPage>> done);

    // Holds back reads, writes and zeroes that come from now on, and completes when those in flight
    // are over. No flush is waited for or held back, nor the flush at the end of a durable write:
    // it covers the stack it began with.
    void pause(io::Callback<> quiet);
    // Starts what was held back.
    void resume();
    // The same bytes; another active layer only while paused and quiet.
    void replace_stack(StackRef stack);

    // The volume is larger from now on, and reads as zeros there. The active layer has room for it.
    void grow(std::uint64_t size_bytes);

    // From now on exports let requests through by these limits. `clock` outlives the volume.
    void limit(io::Clock& clock, const VolumeLimits& limits);
    // From the beginning, where all volumes together have limits.
    void share(HostLimit& host);
    // None: without limits. Exports ask it before they read, write or zero; what the volume is
    // asked to do itself is done at once.
    Throttle* throttle() const { return throttle_.get(); }

    // From now on what sequential readers will ask the tree for is read ahead into the cache.
    void read_ahead(const ReadAheadLimits& limits);

    // Waits for what is in flight, flushes, closes all layers. No operation afterwards; not while
    // paused. Closed also when it fails.
    void close(Done done);
    // Like close(), with the active layer sealed before.
    void seal_and_close(Freeze freeze, Done done);

  private:
    struct Write;

    void answer_later(Done done, Status status);
    void note(const Status& status);
    // Checks the range and counts the operation; false when `done` was answered.
    bool begin(std::uint64_t offset, std::uint64_t length, bool change, Done& done);
    // Makes `done` end a read or change, and then count the operation off.
    void count(bool durable, Done& done);
    void end_data();
    void end();
    void note_read(std::uint64_t offset, std::uint64_t length);
    void read_edges(std::shared_ptr<Write> write);
    void write_blocks(std::shared_ptr<Write> write);
    void zero_blocks(BlockRange range, Done done);
    void when_drained(io::Callback<> task);
    void close_layers(Status status, Done done);

    io::Scheduler& scheduler_;
    const VolumeId id_;
    std::uint64_t size_bytes_;
    StackRef stack_;
    std::unique_ptr<Throttle> throttle_;
    std::unique_ptr<ReadAhead> ahead_;
    RangeLock locks_;
    std::size_t in_flight_ = 0;       // all operations
    std::size_t data_in_flight_ = 0;  // those that read or change bytes right now
    io::Callback<> drained_;
    bool paused_ = false;
    io::Callback<> quiet_;
    std::deque<io::Callback<>> held_;
    bool closed_ = false;
    std::optional<Error> trouble_;
};

}  // namespace kiln::block
