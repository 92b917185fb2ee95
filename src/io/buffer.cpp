// SPDX-License-Identifier: Apache-2.0
#include "io/buffer.h"

#include <sys/mman.h>

#include <algorithm>

namespace kiln::io {
namespace {

std::align_val_t alignment_of(std::size_t size) {
    return std::align_val_t(size < Buffer::kHugePage ? Buffer::kAlignment : Buffer::kHugePage);
}

}  // namespace

Buffer::Buffer(std::size_t size) : size_(size) {
    const std::size_t pages = std::max<std::size_t>((size + kAlignment - 1) / kAlignment, 1);
    data_ = static_cast<std::uint8_t*>(::operator new(pages* kAlignment, alignment_of(size)));
    if (size >= kHugePage) {
        // Only where all of a huge page is this buffer's. Where the kernel has none, others do.
        ::madvise(data_, size / kHugePage * kHugePage, MADV_HUGEPAGE);
    }
}

void Buffer::reset() {
    if (data_ != nullptr) {
        ::operator delete(data_, alignment_of(size_));
        data_ = nullptr;
    }
}

}  // namespace kiln::io
