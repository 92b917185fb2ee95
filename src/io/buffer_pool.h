// SPDX-License-Identifier: Apache-2.0
// BufferPool: keeps small buffers that were given back, for the next one of the same size. An
// aligned allocation is the dearest thing that a small request does outside the kernel. Holds at
// most kKeptBytes. Thread model: one owner thread.
#pragma once

#include <array>
#include <vector>

#include "io/buffer.h"

namespace kiln::io {

class BufferPool {
  public:
    // Requests of file systems are mostly whole pages, and few; what larger ones cost is elsewhere.
    static constexpr std::size_t kMaxPages = 16;
    static constexpr std::size_t kKeptBytes = 256U << 10;

    Buffer take(std::size_t size) {
        if (!pooled(size) || kept(size).empty()) {
            return Buffer(size);
        }
        Buffer buffer = std::move(kept(size).back());
        kept(size).pop_back();
        kept_bytes_ -= size;
        return buffer;
    }
    void give(Buffer buffer) {
        const std::size_t size = buffer.size();
        if (pooled(size) && kept_bytes_ + size <= kKeptBytes) {
            kept_bytes_ += size;
            kept(size).push_back(std::move(buffer));
        }
    }
    std::size_t kept_bytes() const { return kept_bytes_; }

  private:
    static bool pooled(std::size_t size) {
        return size > 0 && size % Buffer::kAlignment == 0 && size <= kMaxPages * Buffer::kAlignment;
    }
    std::vector<Buffer>& kept(std::size_t size) { return kept_[size / Buffer::kAlignment - 1]; }

    std::array<std::vector<Buffer>, kMaxPages> kept_;
    std::size_t kept_bytes_ = 0;
};

}  // namespace kiln::io
