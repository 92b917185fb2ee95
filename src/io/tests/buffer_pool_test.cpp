// SPDX-License-Identifier: Apache-2.0
#include "io/buffer_pool.h"

#include <doctest/doctest.h>

using namespace kiln;
using namespace kiln::io;

TEST_CASE("a pool gives back what was given to it, of the same size only") {
    BufferPool pool;
    Buffer first = pool.take(8192);
    const auto* const at = first.data();
    pool.give(std::move(first));
    CHECK(pool.kept_bytes() == 8192);
    CHECK(pool.take(4096).data() != at);
    const Buffer again = pool.take(8192);
    CHECK(again.data() == at);
    CHECK(again.size() == 8192);
    CHECK(pool.kept_bytes() == 0);
}

TEST_CASE("a pool keeps neither parts of pages nor large buffers, and never more than its bound") {
    BufferPool pool;
    for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{4097},
                                   (BufferPool::kMaxPages + 1) * Buffer::kAlignment}) {
        CAPTURE(size);
        CHECK(pool.take(size).size() == size);
        pool.give(pool.take(size));
    }
    pool.give({});
    CHECK(pool.kept_bytes() == 0);
    for (std::size_t i = 0; i < 100; ++i) {
        pool.give(Buffer(4096 * (1 + i % BufferPool::kMaxPages)));
        CHECK(pool.kept_bytes() <= BufferPool::kKeptBytes);
    }
    CHECK(pool.kept_bytes() > BufferPool::kKeptBytes - BufferPool::kMaxPages * 4096);
}
