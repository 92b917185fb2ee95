// SPDX-License-Identifier: Apache-2.0
// Volume: a block device made of layers: an active one that takes the writes, and sealed ones below
// it, newest first. Each block comes from the first layer that has it; where none has, and beyond a
// short base, it is zeros.
//
// The stack is an immutable value; an operation in flight keeps the one it started with. Any byte
// range is fine: parts of blocks are read, merged and written under the range lock, as are trims,
// so a late hole punch never erases a newer write. Reads take no lock: concurrent with a write they
// may see either. A write with `durable` set completes when it survives a loss of power. Errors:
// invalid_argument beyond the end, else those of Layer. Completions never run inside the call.
// Thread model: one owner thread. Destroyed after close() completed, or when it was never used.
#pragma once

#include <memory>
#include <vector>

#include "block/detail/range_lock.h"
#include "block/ids.h"
#include "block/layer.h"
#include "io/buffer.h"
#include "io/scheduler.h"

namespace kiln::block {

struct Stack {
    std::shared_ptr<Layer> active;
    std::vector<std::shared_ptr<Layer>> sealed;  // newest first
};

// Bytes of one kind, as block status tells it. `zero` covers absent.
struct Extent {
    std::uint64_t bytes = 0;
    bool zero = false;
};

class Volume {
  public:
    Volume(io::Scheduler& scheduler, VolumeId id, std::uint64_t size_bytes,
           std::shared_ptr<const Stack> stack);
    ~Volume();

    const VolumeId& id() const { return id_; }
    std::uint64_t size_bytes() const { return size_bytes_; }

    void read(std::uint64_t offset, MutableByteView into, Done done);
    void write(std::uint64_t offset, ByteView from, bool durable, Done done);
    void zero(std::uint64_t offset, std::uint64_t length, bool durable, Done done);
    // Covers every write completed before the call.
    void flush(Done done);
    // Of a range inside the volume, at most `most` entries; memory only.
    std::vector<Extent> extents(std::uint64_t offset, std::uint64_t length, std::size_t most) const;

    // Waits for what is in flight, flushes, closes all layers. No operation afterwards. Closed also
    // when it fails.
    void close(Done done);
    // Like close(), with the active layer sealed before.
    void seal_and_close(Freeze freeze, Done done);

  private:
    using StackRef = std::shared_ptr<const Stack>;
    struct Source {
        Layer* layer = nullptr;  // null: zeros
        std::uint64_t count = 0;
    };
    struct Write;
    struct Zero;

    static Source resolve(const Stack& stack, std::uint64_t first, std::uint64_t limit);
    // Checks the range and counts the operation; false when `done` was answered.
    bool begin(std::uint64_t offset, std::uint64_t length, Done& done);
    void read_blocks(const StackRef& stack, BlockRange range, MutableByteView into, Done done);
    void read_edges(std::shared_ptr<Write> write);
    void write_blocks(std::shared_ptr<Write> write);
    void zero_blocks(BlockRange range, Done done);
    void zero_next(std::shared_ptr<Zero> zero);
    void finish_change(const StackRef& stack, bool durable, Status status, Done done);
    void when_drained(io::Callback<> task);
    void close_layers(Status status, Done done);

    io::Scheduler& scheduler_;
    const VolumeId id_;
    const std::uint64_t size_bytes_;
    StackRef stack_;
    RangeLock locks_;
    std::size_t in_flight_ = 0;
    io::Callback<> drained_;
    bool closed_ = false;
};

}  // namespace kiln::block
