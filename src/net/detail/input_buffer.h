// SPDX-License-Identifier: Apache-2.0
// InputBuffer: bytes read from a connection and not yet parsed. Bounded: room() is empty when
// `limit` bytes wait.
//
// Thread model: one owner thread at a time.
#pragma once

#include <algorithm>
#include <memory>

#include "util/bytes.h"

namespace kiln::net::detail {

class InputBuffer {
  public:
    explicit InputBuffer(std::size_t limit) : limit_(limit) {}

    ByteView data() const { return {memory_.get() + begin_, end_ - begin_}; }
    bool empty() const { return begin_ == end_; }
    void consume(std::size_t count) {
        begin_ += count;
        if (begin_ == end_) {
            begin_ = end_ = 0;
        }
    }

    // Where the next read may put up to `wanted` bytes; grows to that as far as the limit allows.
    MutableByteView room(std::size_t wanted) {
        const std::size_t held = end_ - begin_;
        const std::size_t size = std::min(limit_, held + wanted);
        if (begin_ > 0 || size > capacity_) {
            relocate(std::max(size, capacity_));
        }
        return {memory_.get() + end_, std::min(wanted, capacity_ - end_)};
    }
    void added(std::size_t count) { end_ += count; }

    // Gives the memory back while a connection idles.
    void release_if_empty() {
        if (empty()) {
            memory_.reset();
            capacity_ = 0;
        }
    }

  private:
    void relocate(std::size_t capacity) {
        const std::size_t held = end_ - begin_;
        if (capacity > capacity_) {
            std::unique_ptr<std::uint8_t[]> larger(new std::uint8_t[capacity]);
            std::copy_n(memory_.get() + begin_, held, larger.get());
            memory_ = std::move(larger);
            capacity_ = capacity;
        } else {
            std::copy_n(memory_.get() + begin_, held, memory_.get());
        }
        begin_ = 0;
        end_ = held;
    }

    const std::size_t limit_;
    std::unique_ptr<std::uint8_t[]> memory_;
    std::size_t capacity_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
};

}  // namespace kiln::net::detail
