// SPDX-License-Identifier: Apache-2.0
// MemoryLayer: a layer without files, for tests of everything above and as the second
// implementation that keeps the interface honest. Every change is durable at once. Thread model:
// one owner thread.
#pragma once

#include <unordered_map>

#include "block/detail/presence.h"
#include "io/scheduler.h"

namespace kiln::block {

class MemoryLayer final : public Layer {
  public:
    MemoryLayer(io::Scheduler& scheduler, std::uint64_t size_bytes);

    std::uint64_t blocks() const override { return presence_.blocks(); }
    BlockRun presence(std::uint64_t first, std::uint64_t limit) const override {
        return presence_.run(first, limit);
    }
    std::uint64_t version() const override { return version_; }
    void read(BlockRange range, MutableByteView into, Done done) override;
    void write(BlockRange range, ByteView from, Done done) override;
    void zero(BlockRange range, Done done) override;
    void extend(std::uint64_t blocks, Done done) override;
    void flush(std::uint64_t through, Done done) override;
    void seal(Freeze freeze, Done done) override;
    void close(Done done) override;
    void drop(Done done) override;

  private:
    void finish(Done done, Status status);

    io::Scheduler& scheduler_;
    PresenceMap presence_;
    std::unordered_map<std::uint64_t, Bytes> data_;  // by block
    std::uint64_t version_ = 0;
    bool sealed_ = false;
};

}  // namespace kiln::block
