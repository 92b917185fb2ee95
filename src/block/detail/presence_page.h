// SPDX-License-Identifier: Apache-2.0
// PresencePage: absent, zero or data for each block of one page of a layer. As a list of runs where
// that is smaller, as it is where little was written or much in sequence; else two bits for each
// block. So random writes all over 64 TiB cost twelve bytes each besides their page, and a full
// layer next to nothing. Thread model: plain value.
#pragma once

#include <memory>
#include <vector>

#include "block/layer.h"

namespace kiln::block {

class PresencePage {
  public:
    // The page has `blocks` blocks, a multiple of 64, as in every call.
    void set(std::uint32_t blocks, BlockRange range, BlockState state);
    // From `first`, inside; at most `limit` and not beyond the page.
    BlockRun run(std::uint32_t blocks, std::uint64_t first, std::uint64_t limit) const;
    // The planes of data and zero, one bit for each block, lowest first: blocks / 4 bytes.
    void put(std::uint32_t blocks, MutableByteView slot) const;
    // The reverse; false for a block that is both, or not one of the first `legal`.
    bool load(std::uint32_t blocks, std::uint64_t legal, ByteView slot);
    // Gives memory back where runs have become few.
    void compact(std::uint32_t blocks);
    bool has_planes() const { return planes_ != nullptr; }

  private:
    struct Run {
        std::uint32_t first;
        std::uint32_t end;
        BlockState state;
    };
    using Planes = std::unique_ptr<std::uint64_t[]>;  // all words of data, then all of zero

    std::vector<Run>::const_iterator first_beyond(std::uint64_t block) const;
    void set_run(Run run);
    Planes planes_of_runs(std::uint32_t blocks) const;
    static std::vector<Run> runs_of(std::uint32_t blocks, const Planes& planes, std::size_t most);

    std::vector<Run> runs_;  // disjoint, ascending, none absent, neighbours that touch differ
    Planes planes_;          // when there are more runs than that is worth
};

}  // namespace kiln::block
