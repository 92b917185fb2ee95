// SPDX-License-Identifier: Apache-2.0
// The contract of ObjectStore, for every backend, and what is special about files.
#include <doctest/doctest.h>

#include <fstream>

#include "io/tests/support.h"
#include "objects/file_object_store.h"
#include "objects/memory_object_store.h"
#include "objects/object_store.h"

using namespace kiln;
using namespace kiln::objects;
using io::testing::TempDir;
using io::testing::TestReactor;

namespace {

SharedBytes content(std::string_view text) {
    const ByteView bytes = as_bytes(text);
    return std::make_shared<const Bytes>(bytes.begin(), bytes.end());
}

struct Sync {
    TestReactor& reactor;
    ObjectStore& store;

    Status put(const std::string& name, SharedBytes bytes, CallOptions options = {}) {
        return reactor.await<void>(
            [&](auto done) { store.put(name, std::move(bytes), options, std::move(done)); });
    }
    Result<std::string> get(const std::string& name, std::uint64_t offset, std::uint64_t length) {
        TRY_ASSIGN(const Bytes bytes, reactor.await<Bytes>([&](auto done) {
            store.get(name, offset, length, {}, std::move(done));
        }));
        return std::string(as_text(bytes));
    }
    Result<Tail> tail(const std::string& name, std::uint64_t length) {
        return reactor.await<Tail>(
            [&](auto done) { store.get_tail(name, length, {}, std::move(done)); });
    }
    Status remove(const std::string& name) {
        return reactor.await<void>([&](auto done) { store.remove(name, {}, std::move(done)); });
    }
};

template <class Check>
void for_each_store(Check check) {
    for (const io::Backend backend : io::testing::backends()) {
        TestReactor reactor(backend);
        TempDir dir;
        FileObjectStore store(reactor->io(), reactor->scheduler(),
                              {.directory = dir.path(), .open_files = 2});
        check(reactor, store);
    }
    TestReactor reactor;
    MemoryObjectStore store(reactor->scheduler());
    check(reactor, store);
}

// Holds every operation of one kind until let go.
class HoldingIo final : public io::Io {
  public:
    HoldingIo(io::Io& below, io::OpKind kind) : below_(below), kind_(kind) {}
    void submit(io::Op op, io::IoDone done) override {
        if (op.kind == kind_ && holding) {
            held.emplace_back(std::move(op), std::move(done));
        } else {
            below_.submit(std::move(op), std::move(done));
        }
    }
    void release() {
        holding = false;
        for (auto& [op, done] : std::exchange(held, {})) {
            below_.submit(std::move(op), std::move(done));
        }
    }
    bool holding = true;
    std::vector<std::pair<io::Op, io::IoDone>> held;

  private:
    io::Io& below_;
    const io::OpKind kind_;
};

}  // namespace

TEST_CASE("an object reads back in ranges and from its end") {
    for_each_store([](TestReactor& reactor, ObjectStore& store) {
        Sync sync{reactor, store};
        REQUIRE(sync.put("a-1", content("0123456789")));
        CHECK(*sync.get("a-1", 0, 10) == "0123456789");
        CHECK(*sync.get("a-1", 3, 4) == "3456");
        CHECK(*sync.get("a-1", 8, 100) == "89");
        CHECK(sync.get("a-1", 10, 5)->empty());
        CHECK(sync.get("a-1", 1000, 5)->empty());
        // As much as an object may have.
        CHECK(*sync.get("a-1", 0, kMaxObjectBytes) == "0123456789");
        CHECK(*sync.get("a-1", 8, kMaxObjectBytes) == "89");
        CHECK(sync.get("a-1", 10, kMaxObjectBytes)->empty());
        CHECK(sync.get("a-1", 1000, kMaxObjectBytes)->empty());
        const auto tail = sync.tail("a-1", 3);
        REQUIRE(tail);
        CHECK(tail->object_bytes == 10);
        CHECK(as_text(tail->bytes) == "789");
        CHECK(sync.tail("a-1", 64)->bytes.size() == 10);
        REQUIRE(sync.put("empty", content("")));
        CHECK(sync.tail("empty", 64)->object_bytes == 0);
    });
}

TEST_CASE("a name is written once, and the first bytes stay") {
    for_each_store([](TestReactor& reactor, ObjectStore& store) {
        Sync sync{reactor, store};
        REQUIRE(sync.put("a", content("first")));
        CHECK(sync.put("a", content("second")).error().code() == Code::already_exists);
        CHECK(*sync.get("a", 0, 100) == "first");
        // Two at once: exactly one of them.
        int fine = 0;
        int ended = 0;
        for (int i = 0; i < 2; ++i) {
            store.put("b", content("b"), {}, [&](Status status) {
                fine += status.has_value();
                ++ended;
            });
        }
        REQUIRE(reactor->run_until([&] { return ended == 2; }, io::testing::soon()));
        CHECK(fine == 1);
    });
}

TEST_CASE("a missing object is not_found to read and fine to remove") {
    for_each_store([](TestReactor& reactor, ObjectStore& store) {
        Sync sync{reactor, store};
        CHECK(sync.get("a", 0, 1).error().code() == Code::not_found);
        CHECK(sync.tail("a", 1).error().code() == Code::not_found);
        REQUIRE(sync.remove("a"));
        REQUIRE(sync.put("a", content("x")));
        CHECK(*sync.get("a", 0, 1) == "x");
        REQUIRE(sync.remove("a"));
        REQUIRE(sync.remove("a"));
        CHECK(sync.get("a", 0, 1).error().code() == Code::not_found);
    });
}

TEST_CASE("bad names and sizes are refused before anything happens") {
    for_each_store([](TestReactor& reactor, ObjectStore& store) {
        Sync sync{reactor, store};
        for (const char* name : {"", "-a", "A", "a/b", "..", "a.b", ".put-0"}) {
            CHECK(sync.put(name, content("x")).error().code() == Code::invalid_argument);
            CHECK(sync.get(name, 0, 1).error().code() == Code::invalid_argument);
            CHECK(sync.tail(name, 1).error().code() == Code::invalid_argument);
            CHECK(sync.remove(name).error().code() == Code::invalid_argument);
        }
        CHECK(sync.put(std::string(121, 'a'), content("x")).error().code() ==
              Code::invalid_argument);
        CHECK(sync.put("big", std::make_shared<const Bytes>(kMaxObjectBytes + 1)).error().code() ==
              Code::invalid_argument);
        CHECK(sync.get("big", 0, kMaxObjectBytes + 1).error().code() == Code::invalid_argument);
    });
}

TEST_CASE("completions never run inside the call, also for errors") {
    for_each_store([](TestReactor& reactor, ObjectStore& store) {
        Sync sync{reactor, store};
        REQUIRE(sync.put("a", content("x")));
        CHECK(*sync.get("a", 0, 1) == "x");
        bool inside = true;
        int ended = 0;
        const auto note = [&](auto) {
            CHECK(!inside);
            ++ended;
        };
        store.put("-bad", content("x"), {}, note);
        store.put("a", content("x"), {}, note);
        store.get("a", 0, 1, {}, note);
        store.get("none", 0, 1, {}, note);
        store.get_tail("a", 1, {}, note);
        store.remove("b", {}, note);
        inside = false;
        REQUIRE(reactor->run_until([&] { return ended == 6; }, io::testing::soon()));
    });
}

TEST_CASE("many objects are read at once through few open files") {
    for_each_store([](TestReactor& reactor, ObjectStore& store) {
        Sync sync{reactor, store};
        for (int i = 0; i < 12; ++i) {
            REQUIRE(sync.put("o-" + std::to_string(i), content(std::to_string(i))));
        }
        int right = 0;
        int ended = 0;
        for (int i = 0; i < 120; ++i) {
            const std::string text = std::to_string(i % 12);
            store.get("o-" + text, 0, 9, {}, [&, text](Result<Bytes> bytes) {
                ++ended;
                right += bytes && as_text(*bytes) == text;
            });
        }
        REQUIRE(reactor->run_until([&] { return ended == 120; }, io::testing::soon()));
        CHECK(right == 120);
    });
}

TEST_CASE("a cancelled or late put ends at once and leaves neither object nor temporary file") {
    TestReactor reactor;
    for (const bool cancel : {true, false}) {
        TempDir dir;
        HoldingIo io(reactor->io(), io::OpKind::sync);
        FileObjectStore store(io, reactor->scheduler(), {.directory = dir.path()});
        std::optional<Status> ended;
        const CallPtr call = store.put("a", content("x"),
                                       {.timeout = std::chrono::milliseconds(cancel ? 60'000 : 10)},
                                       [&](Status status) { ended = std::move(status); });
        REQUIRE(reactor->run_until([&] { return !io.held.empty(); }, io::testing::soon()));
        if (cancel) {
            call->cancel();
        }
        REQUIRE(reactor->run_until([&] { return ended.has_value(); }, io::testing::soon()));
        CHECK(ended->error().code() == (cancel ? Code::cancelled : Code::deadline_exceeded));
        io.release();
        REQUIRE(reactor->run_until([&] { return std::filesystem::is_empty(dir.path()); },
                                   io::testing::soon()));
        Sync sync{reactor, store};
        CHECK(sync.get("a", 0, 1).error().code() == Code::not_found);
        // The name is free once the reactor heard of the removal, which the directory shows before.
        Status again = sync.put("a", content("y"));
        const auto patience = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (!again && again.error().code() == Code::already_exists &&
               std::chrono::steady_clock::now() < patience) {
            again = sync.put("a", content("y"));
        }
        CHECK_MESSAGE(again, again.error().to_string());
    }
}

TEST_CASE("files: a removed object does not come back after a loss of power") {
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
        CAPTURE(seed);
        io::SimMachine machine(seed);
        const auto wait = [](io::SimReactor& reactor, auto start) {
            std::optional<Status> result;
            start([&](Status status) { result = std::move(status); });
            while (!result && reactor.step()) {
            }
            REQUIRE((result && *result));
        };
        {
            io::SimReactor reactor(machine);
            FileObjectStore store(reactor, reactor, {.directory = "/objects"});
            wait(reactor, [&](auto done) {
                store.put("a", std::make_shared<const Bytes>(Bytes{1}), {}, done);
            });
            wait(reactor, [&](auto done) { store.remove("a", {}, done); });
            reactor.crash(io::Crash::power_loss);
            while (reactor.step()) {
            }
        }
        io::SimReactor reactor(machine);
        FileObjectStore store(reactor, reactor, {.directory = "/objects"});
        std::optional<Code> found;
        store.get("a", 0, 1, {}, [&](Result<Bytes> bytes) {
            found = bytes ? Code::internal : bytes.error().code();
        });
        while (!found && reactor.step()) {
        }
        REQUIRE(found);
        CHECK(*found == Code::not_found);
    }
}

TEST_CASE("files: what a dead writer left is cleaned, objects stay") {
    TestReactor reactor;
    TempDir dir;
    FileObjectStore store(reactor->io(), reactor->scheduler(), {.directory = dir.path()});
    Sync sync{reactor, store};
    REQUIRE(sync.put("a", content("x")));
    std::ofstream(dir / ".put-0") << "half";
    std::ofstream(dir / ".put-77") << "half";
    REQUIRE(reactor.await<void>([&](auto done) { store.clean(std::move(done)); }));
    CHECK(!std::filesystem::exists(dir / ".put-0"));
    CHECK(!std::filesystem::exists(dir / ".put-77"));
    CHECK(*sync.get("a", 0, 1) == "x");
}
