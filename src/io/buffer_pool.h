// SPDX-License-Identifier: Apache-2.0
// BufferPool: keeps buffers that were given back, for the next one of the same size. An aligned
// allocation is the dearest thing that a small request does outside the kernel, and a large one is
// memory that the kernel has to map and to clear page by page, which takes as long as a disk does.
// Holds at most kKeptBytes, and nothing once it was not used for kIdle. Thread model: one owner
// thread, that of the scheduler.
#pragma once

#include <array>
#include <vector>

#include "io/buffer.h"
#include "io/scheduler.h"

namespace kiln::io {

class BufferPool {
  public:
    // What file systems ask for at once is mostly whole pages, and seldom more than 1 MiB.
    static constexpr std::size_t kMaxPages = 256;
    static constexpr std::size_t kKeptBytes = 4U << 20;
    static constexpr std::chrono::nanoseconds kIdle = std::chrono::seconds(1);

    explicit BufferPool(Scheduler& scheduler) : scheduler_(scheduler) {}
    ~BufferPool() { scheduler_.cancel(timer_); }
    BufferPool(const BufferPool&) = delete;
    BufferPool& operator=(const BufferPool&) = delete;

    Buffer take(std::size_t size) {
        used_ = true;
        if (!pooled(size) || kept(size).empty()) {
            return Buffer(size);
        }
        return take_kept(size);
    }
    void give(Buffer buffer) {
        const std::size_t size = buffer.size();
        if (!pooled(size)) {
            return;
        }
        // What is asked for now counts, not what was asked for earlier.
        for (std::size_t pages = kMaxPages; pages > 0 && kept_bytes_ + size > kKeptBytes;) {
            const std::size_t other = pages * Buffer::kAlignment;
            if (other == size || kept(other).empty()) {
                --pages;
            } else {
                (void)take_kept(other);
            }
        }
        if (kept_bytes_ + size > kKeptBytes) {
            return;
        }
        kept_bytes_ += size;
        kept(size).push_back(std::move(buffer));
        watch();
    }
    std::size_t kept_bytes() const { return kept_bytes_; }

  private:
    static bool pooled(std::size_t size) {
        return size > 0 && size % Buffer::kAlignment == 0 && size <= kMaxPages * Buffer::kAlignment;
    }
    std::vector<Buffer>& kept(std::size_t size) { return kept_[size / Buffer::kAlignment - 1]; }
    Buffer take_kept(std::size_t size) {
        Buffer buffer = std::move(kept(size).back());
        kept(size).pop_back();
        kept_bytes_ -= size;
        return buffer;
    }
    void watch() {
        if (watching_) {
            return;
        }
        watching_ = true;
        used_ = false;
        timer_ = scheduler_.after(kIdle, [this] {
            watching_ = false;
            if (used_) {
                watch();
                return;
            }
            for (auto& buffers : kept_) {
                buffers.clear();
            }
            kept_bytes_ = 0;
        });
    }

    Scheduler& scheduler_;
    std::array<std::vector<Buffer>, kMaxPages> kept_;
    std::size_t kept_bytes_ = 0;
    TimerId timer_{};
    bool watching_ = false;
    bool used_ = false;
};

}  // namespace kiln::io
