// SPDX-License-Identifier: Apache-2.0
#include "io/buffer_pool.h"

#include <doctest/doctest.h>

#include "io/tests/support.h"

using namespace kiln;
using namespace kiln::io;
using io::testing::TestReactor;

TEST_CASE("a pool gives back what was given to it, of the same size only") {
    TestReactor reactor(1);
    BufferPool pool(reactor->scheduler());
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

TEST_CASE("a pool keeps neither parts of pages nor huge buffers, and never more than its bound") {
    TestReactor reactor(1);
    BufferPool pool(reactor->scheduler());
    for (const std::size_t size : {std::size_t{0}, std::size_t{100}, std::size_t{4097},
                                   (BufferPool::kMaxPages + 1) * Buffer::kAlignment}) {
        CAPTURE(size);
        CHECK(pool.take(size).size() == size);
        pool.give(pool.take(size));
    }
    pool.give({});
    CHECK(pool.kept_bytes() == 0);
    for (std::size_t i = 0; i < 2000; ++i) {
        pool.give(Buffer(4096 * (1 + i % 64)));
        CHECK(pool.kept_bytes() <= BufferPool::kKeptBytes);
    }
    CHECK(pool.kept_bytes() > BufferPool::kKeptBytes - 64 * 4096);
}

TEST_CASE("a full pool makes room for what is asked for now") {
    TestReactor reactor(1);
    BufferPool pool(reactor->scheduler());
    for (std::size_t kept = 0; kept < BufferPool::kKeptBytes; kept += 65536) {
        pool.give(Buffer(65536));
    }
    REQUIRE(pool.kept_bytes() == BufferPool::kKeptBytes);
    Buffer large(1U << 20);
    const auto* const at = large.data();
    pool.give(std::move(large));
    CHECK(pool.kept_bytes() <= BufferPool::kKeptBytes);
    CHECK(pool.take(1U << 20).data() == at);
}

TEST_CASE("a pool that is not used for a while keeps nothing") {
    TestReactor reactor(1);
    BufferPool pool(reactor->scheduler());
    const auto later = [&](std::chrono::nanoseconds delay) {
        bool over = false;
        reactor->scheduler().after(delay, [&] { over = true; });
        REQUIRE(reactor->run_until([&] { return over; }, io::testing::soon()));
    };
    pool.give(Buffer(1U << 20));
    later(BufferPool::kIdle * 3 / 4);
    pool.give(pool.take(1U << 20));
    later(BufferPool::kIdle / 2);
    CHECK(pool.kept_bytes() == 1U << 20);  // it was used meanwhile
    later(2 * BufferPool::kIdle);
    CHECK(pool.kept_bytes() == 0);
    pool.give(Buffer(4096));
    CHECK(pool.kept_bytes() == 4096);
    later(3 * BufferPool::kIdle);
    CHECK(pool.kept_bytes() == 0);
}
