// SPDX-License-Identifier: Apache-2.0
#include "io/buffer.h"

#include <doctest/doctest.h>

#include <algorithm>

using kiln::io::Buffer;

TEST_CASE("memory for direct I/O begins at a page, and from two MiB on at a huge page") {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{1}, std::size_t{4096}, Buffer::kHugePage - 1,
          Buffer::kHugePage, Buffer::kHugePage + 1, 5 * Buffer::kHugePage / 2}) {
        CAPTURE(size);
        const std::size_t page = size < Buffer::kHugePage ? Buffer::kAlignment : Buffer::kHugePage;
        Buffer buffer(size);
        CHECK(buffer.size() == size);
        CHECK(reinterpret_cast<std::uintptr_t>(buffer.data()) % page == 0);
        // All of it can be written, and stays where it is when its owner changes.
        std::ranges::fill(buffer.mutable_view(), 0xA5);
        const std::uint8_t* const at = buffer.data();
        Buffer other(4096);
        other = std::move(buffer);
        CHECK(other.data() == at);
        CHECK(std::ranges::all_of(other.view(), [](std::uint8_t byte) { return byte == 0xA5; }));
        CHECK(buffer.empty());
    }
}
