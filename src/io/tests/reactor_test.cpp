// SPDX-License-Identifier: Apache-2.0
// The contract of Io and Scheduler, for every backend.
#include <doctest/doctest.h>

#include <thread>

#include "io/buffer.h"
#include "io/tests/support.h"

using namespace kiln;
using namespace kiln::io;
using namespace kiln::io::testing;

#define FOR_EACH_BACKEND(reactor)            \
    for (const Backend backend : backends()) \
        if (TestReactor reactor(backend); true)

#define FOR_EACH_DISK(reactor)       \
    for (const auto& disk : disks()) \
        if (TestReactor reactor(disk); true)

TEST_CASE("what was written is read back, and a read ends with the file") {
    FOR_EACH_DISK(reactor) {
        TempDir dir;
        const auto file = reactor.open(dir / "f", {.write = true, .create = true});
        REQUIRE(file);
        CHECK(*reactor.run(Op::write(*file, 5, as_bytes("hello"))) == 5);
        CHECK(*reactor.run(Op::size(*file)) == 10);
        Bytes into(20, 0xff);
        CHECK(*reactor.run(Op::read(*file, 0, into)) == 10);
        CHECK(as_text(ByteView(into).subspan(5, 5)) == "hello");
        CHECK(into[0] == 0);
        CHECK(*reactor.run(Op::read(*file, 100, into)) == 0);
        CHECK(reactor.run(Op::sync_data(*file)));
        CHECK(reactor.run(Op::sync(*file)));
        CHECK(reactor.run(Op::truncate(*file, 7)));
        CHECK(*reactor.run(Op::size(*file)) == 7);
        CHECK(reactor.run(Op::close(*file)));
    }
}

TEST_CASE("names: list, rename, unlink, and the sync of a directory") {
    FOR_EACH_DISK(reactor) {
        TempDir dir;
        const auto file = reactor.open(dir / "a", {.write = true, .create = true});
        REQUIRE(file);
        CHECK(reactor.run(Op::close(*file)));
        CHECK(reactor.run(Op::rename(dir / "a", dir / "b")));
        CHECK(reactor.run(Op::sync_dir(dir.path())));
        std::vector<std::string> names;
        CHECK(reactor.run(Op::list(dir.path(), &names)));
        CHECK(names == std::vector<std::string>{"b"});
        CHECK(reactor.run(Op::unlink(dir / "b")));
        CHECK(reactor.run(Op::unlink(dir / "b")));  // a missing file is not an error
        CHECK(reactor.open(dir / "b", {}).error().code() == Code::not_found);
        CHECK(reactor.run(Op::rename(dir / "b", dir / "c")).error().code() == Code::not_found);
    }
}

TEST_CASE("direct files take aligned memory, and a punched range reads as zeros") {
    FOR_EACH_DISK(reactor) {
        TempDir dir;
        const auto file = reactor.open(dir / "f", {.write = true, .create = true, .direct = true});
        REQUIRE(file);
        Buffer data(16384);
        std::fill(data.mutable_view().begin(), data.mutable_view().end(), 7);
        CHECK(*reactor.run(Op::write(*file, 4096, data.view())) == 16384);
        const auto punched = reactor.run(Op::punch(*file, 8192, 4096));
        Buffer into(20480);
        CHECK(*reactor.run(Op::read(*file, 0, into.mutable_view())) == 20480);
        CHECK(into.data()[0] == 0);
        CHECK(into.data()[4096] == 7);
        CHECK(into.data()[8192] == (punched ? 0 : 7));
        CHECK(into.data()[12288] == 7);
        const auto allocated = reactor.run(Op::allocate(*file, 0, 1 << 20));
        CHECK((allocated || allocated.error().code() == Code::unsupported));
        CHECK(*reactor.run(Op::size(*file)) == (allocated ? 1U << 20 : 20480U));
        CHECK(reactor.run(Op::close(*file)));
    }
}

TEST_CASE("errors name the operation and come as completions") {
    FOR_EACH_DISK(reactor) {
        TempDir dir;
        const auto file = reactor.open(dir / "f", {.write = true, .create = true});
        REQUIRE(file);
        CHECK(reactor.run(Op::close(*file)));
        const auto read_only = reactor.open(dir / "f", {});
        REQUIRE(read_only);
        const auto written = reactor.run(Op::write(*read_only, 0, as_bytes("x")));
        REQUIRE(!written);
        CHECK(written.error().message().find("write 1 bytes at 0") != std::string::npos);
        CHECK(reactor.run(Op::close(*read_only)));
    }
}

TEST_CASE(
    "a completion never runs inside submit, and more operations than the ring holds complete") {
    FOR_EACH_DISK(reactor) {
        TempDir dir;
        const auto file = reactor.open(dir / "f", {.write = true, .create = true});
        REQUIRE(file);
        constexpr int kCount = 3000;
        std::vector<Bytes> data;
        for (int i = 0; i < kCount; ++i) {
            data.emplace_back(512, static_cast<std::uint8_t>(i));
        }
        int completed = 0;
        bool inside = true;
        for (int i = 0; i < kCount; ++i) {
            reactor->io().submit(Op::write(*file, 512U * static_cast<unsigned>(i), data[i]),
                                 [&](Result<std::uint64_t> n) {
                                     CHECK(!inside);
                                     CHECK(*n == 512);
                                     ++completed;
                                 });
        }
        inside = false;
        CHECK(reactor->run_until([&] { return completed == kCount; }, soon()));
        Bytes into(512);
        CHECK(*reactor.run(Op::read(*file, 512 * 2999, into)) == 512);
        CHECK(into == data[2999]);
        CHECK(reactor.run(Op::close(*file)));
    }
}

TEST_CASE("posted tasks run in order, from any thread, and wake the loop") {
    FOR_EACH_BACKEND(reactor) {
        std::vector<int> order;
        std::thread other([&] {
            for (int i = 0; i < 100; ++i) {
                reactor->scheduler().post([&order, i] { order.push_back(i); });
            }
        });
        CHECK(reactor->run_until([&] { return order.size() == 100; }, soon()));
        other.join();
        CHECK(std::is_sorted(order.begin(), order.end()));
        bool inside = true;
        bool ran_inside = false;
        bool ran = false;
        reactor->scheduler().post([&] {
            reactor->scheduler().post([&] {
                ran_inside = inside;
                ran = true;
            });
            inside = false;
        });
        CHECK(reactor->run_until([&] { return ran; }, soon()));
        CHECK(!ran_inside);
    }
}

// Under ThreadSanitizer this shows whether the last poster is done with the reactor.
TEST_CASE("a reactor may be destroyed as soon as the last task posted to it has run") {
    for (const Backend backend : backends()) {
        for (int round = 0; round < 100; ++round) {
            std::thread poster;
            {
                TestReactor reactor(backend);
                std::atomic<bool> ran{false};
                poster = std::thread([&] { reactor->scheduler().post([&] { ran = true; }); });
                CHECK(reactor->run_until([&] { return ran.load(); }, soon()));
            }
            poster.join();
        }
    }
}

TEST_CASE("timers fire in the order of their times, not early, and not when cancelled") {
    FOR_EACH_DISK(reactor) {
        std::vector<int> fired;
        const auto start = reactor.clock().monotonic();
        Scheduler& scheduler = reactor->scheduler();
        scheduler.after(std::chrono::milliseconds(30), [&] { fired.push_back(2); });
        scheduler.after(std::chrono::milliseconds(10), [&] { fired.push_back(1); });
        const TimerId cancelled =
            scheduler.after(std::chrono::milliseconds(20), [&] { fired.push_back(9); });
        scheduler.cancel(cancelled);
        CHECK(reactor->run_until([&] { return fired.size() == 2; }, soon()));
        CHECK(fired == std::vector<int>{1, 2});
        CHECK(reactor.clock().monotonic() - start >= std::chrono::milliseconds(30));
        scheduler.cancel(cancelled);  // unknown by now
    }
}

TEST_CASE("stop ends run from another thread, also when it came first") {
    FOR_EACH_BACKEND(reactor) {
        CHECK(!reactor->on_owner_thread());
        std::thread other([&] { reactor->run(); });
        reactor->stop();
        other.join();
        bool owner = false;
        reactor->scheduler().post([&] {
            owner = reactor->on_owner_thread();
            reactor->stop();
        });
        reactor->run();
        CHECK(owner);
    }
}

TEST_CASE("a reactor may be destroyed with operations in flight: they finish, uncalled") {
    for (const Backend backend : backends()) {
        TempDir dir;
        Bytes data(1 << 20, 3);
        bool called = false;
        {
            TestReactor reactor(backend);
            const auto file = reactor.open(dir / "f", {.write = true, .create = true});
            REQUIRE(file);
            for (unsigned i = 0; i < 20; ++i) {
                reactor->io().submit(Op::write(*file, i << 20, data),
                                     [&](Result<std::uint64_t>) { called = true; });
            }
        }
        CHECK(!called);
        CHECK(std::filesystem::file_size(dir / "f") <= 20U << 20);
    }
}
