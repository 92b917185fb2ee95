// SPDX-License-Identifier: Apache-2.0
// Layer: one stratum of a volume. For each 4 KiB block it is absent (look below), zero, or data.
// LocalLayer keeps it in files, MemoryLayer in memory; both run the same contract suite.
//
// Rules for callers: ranges are whole blocks inside the layer; memory is aligned to a page and
// stays until completion; operations that change one block are never in flight together (the
// volume's RangeLock sees to it); `read` only where presence() says data. A layer is destroyed only
// after close() or drop() completed, or when it was never used.
//
// A completed write or zero survives the end of the process, and the loss of power once a later
// flush completed. version() counts completed changes; flush(v) completes when all changes up to v
// are durable, at once if they are. Errors: out_of_space leaves the range as it was or written;
// data_loss and io_error. After a failed sync every operation fails with io_error: what the device
// lost cannot be known. Completions never run inside the call. Thread model: one owner thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "io/callback.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::block {

enum class BlockState : std::uint8_t { absent, zero, data };

struct BlockRange {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
    std::uint64_t end() const { return first + count; }
    friend bool operator==(const BlockRange&, const BlockRange&) = default;
};

// `count` blocks of one state.
struct BlockRun {
    BlockState state = BlockState::absent;
    std::uint64_t count = 0;
};

// Evidence of the cut a layer was sealed for; both may be empty (an import).
struct Freeze {
    std::string set_id;
    std::string successor;
};

using Done = io::Callback<Status>;

class Layer {
  public:
    virtual ~Layer() = default;

    virtual std::uint64_t blocks() const = 0;
    // The longest run of one state from `first`, at most `limit` blocks. Beyond the layer's end:
    // absent.
    virtual BlockRun presence(std::uint64_t first, std::uint64_t limit) const = 0;
    virtual std::uint64_t version() const = 0;

    virtual void read(BlockRange range, MutableByteView into, Done done) = 0;
    virtual void write(BlockRange range, ByteView from, Done done) = 0;
    virtual void zero(BlockRange range, Done done) = 0;
    virtual void flush(std::uint64_t through, Done done) = 0;
    // Makes the layer at least this large, durably; what is new is absent. Nothing to do is fine.
    // Other operations go on meanwhile, but no other end of the layer and no seal. out_of_space
    // leaves it as it was.
    virtual void extend(std::uint64_t blocks, Done done) = 0;
    // Makes everything durable and refuses changes from then on, for ever. No change is in flight,
    // and none comes until it completes; reads and flushes may.
    virtual void seal(Freeze freeze, Done done) = 0;
    // The check sums of its data exist from now on (LocalLayer): reads that begin later are checked
    // against them, and those of other bytes are data_loss. Of a sealed layer.
    virtual void check_reads() {}
    // After a failed sync: every operation fails.
    virtual bool failed() const { return false; }
    // Ends the use of the layer without flushing. Nothing else may be in flight.
    virtual void close(Done done) = 0;
    // Closes and deletes it.
    virtual void drop(Done done) = 0;
};

}  // namespace kiln::block
