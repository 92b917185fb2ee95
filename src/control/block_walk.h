// SPDX-License-Identifier: Apache-2.0
// BlockWalk: one content's blocks of 512 KiB in ascending order: which may have data, and their
// bytes. What has none is skipped without cost. One owner thread, blocking.
#pragma once

#include "block/engine.h"
#include "util/bytes.h"
#include "util/result.h"

namespace kiln::control {

class BlockWalk {
  public:
    // Of what the engine has open under `name`, and that is `size_bytes` long.
    BlockWalk(block::Engine& engine, block::VolumeId name, std::uint64_t size_bytes)
        : engine_(engine), name_(std::move(name)), size_(size_bytes) {}

    static constexpr std::uint64_t kNone = ~std::uint64_t{0};
    // The first block from `index` on that may hold other bytes than zeros, or kNone. Ascending.
    Result<std::uint64_t> next(std::uint64_t index);
    // 512 KiB, with zeros behind the end.
    Result<Bytes> read(std::uint64_t index);

  private:
    block::Engine& engine_;
    const block::VolumeId name_;
    const std::uint64_t size_;
    block::DataPage page_;
    std::size_t at_ = 0;  // the ranges before end before what is asked for
};

}  // namespace kiln::control
