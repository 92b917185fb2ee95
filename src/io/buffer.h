// SPDX-License-Identifier: Apache-2.0
// Buffer: owned memory aligned for direct I/O. Not initialised; move-only; its address never
// changes while it lives. Thread model: plain value with one owner.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <new>
#include <utility>

#include "util/bytes.h"

namespace kiln::io {

class Buffer {
  public:
    // What every device and file system accepts for direct I/O: the page.
    static constexpr std::size_t kAlignment = 4096;
    // A buffer of this size or more is asked for in huge pages: the kernel has one page in 512 to
    // look up and to mark for each direct read.
    static constexpr std::size_t kHugePage = 2U << 20;

    Buffer() = default;
    explicit Buffer(std::size_t size);
    ~Buffer() { reset(); }
    Buffer(Buffer&& other) noexcept
        : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}
    Buffer& operator=(Buffer&& other) noexcept {
        if (this != &other) {
            reset();
            data_ = std::exchange(other.data_, nullptr);
            size_ = std::exchange(other.size_, 0);
        }
        return *this;
    }

    std::uint8_t* data() { return data_; }
    const std::uint8_t* data() const { return data_; }
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    MutableByteView mutable_view() { return {data_, size_}; }
    ByteView view() const { return {data_, size_}; }

  private:
    void reset();
    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
};

inline bool is_aligned(const void* address) {
    return reinterpret_cast<std::uintptr_t>(address) % Buffer::kAlignment == 0;
}

}  // namespace kiln::io
