// SPDX-License-Identifier: Apache-2.0
// Throttle and HostLimit on a simulated clock, where a second takes no time and rates are exact;
// and what an export makes of them.
#include "block/throttle.h"

#include <doctest/doctest.h>

#include <utility>

#include "block/tests/nbd_client.h"
#include "block/tests/support.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;
using namespace std::chrono_literals;

namespace {

// Clients that always have `depth` requests of one size waiting.
class Load {
  public:
    Load(TestReactor& reactor, Throttle& throttle, std::uint64_t bytes, int depth)
        : reactor_(reactor), throttle_(throttle), bytes_(bytes) {
        for (int i = 0; i < depth; ++i) {
            ask();
        }
    }
    ~Load() {
        asking_ = false;
        throttle_.release(this);
    }
    // How many went in so much time, or had gone before it.
    std::uint64_t in(std::chrono::nanoseconds time) {
        bool over = false;
        reactor_->scheduler().after(time, [&over] { over = true; });
        REQUIRE(reactor_->run_until([&over] { return over; }, soon()));
        return done - std::exchange(told_, done);
    }
    std::uint64_t done = 0;

  private:
    void ask() {
        throttle_.admit(this, bytes_, [this] {
            if (asking_) {
                ++done;
                // Not from inside: without a limit it would never end.
                reactor_->scheduler().after(1us, [this] { asking_ ? ask() : void(); });
            }
        });
    }
    TestReactor& reactor_;
    Throttle& throttle_;
    const std::uint64_t bytes_;
    std::uint64_t told_ = 0;
    bool asking_ = true;
};

VolumeLimits operations(std::uint64_t rate, std::uint64_t burst = 0, std::uint64_t credits = 0) {
    return {.operations = {.rate = rate, .burst_rate = burst, .credits = credits}, .bytes = {}};
}

void check_between(std::uint64_t value, std::uint64_t least, std::uint64_t most) {
    CHECK(value >= least);
    CHECK(value <= most);
}

}  // namespace

TEST_CASE("a limit of operations is kept exactly, and used to the full") {
    for (const std::uint64_t rate : {1ULL, 100ULL, 3000ULL}) {
        TestReactor reactor(7);
        Throttle throttle(reactor->scheduler(), reactor.clock(), operations(rate));
        Load load(reactor, throttle, 4096, 32);
        const std::uint64_t moment = std::max<std::uint64_t>(1, rate / 10);
        check_between(load.in(20s), 20 * rate, 20 * rate + moment + 1);
        check_between(load.in(20s), 20 * rate - 1, 20 * rate + 1);
    }
}

TEST_CASE("who was idle has no more than a moment's worth to come") {
    TestReactor reactor(7);
    Throttle throttle(reactor->scheduler(), reactor.clock(), operations(1000));
    {
        Load load(reactor, throttle, 4096, 32);
        (void)load.in(1s);
    }
    bool over = false;
    reactor->scheduler().after(3600s, [&over] { over = true; });
    REQUIRE(reactor->run_until([&over] { return over; }, soon()));
    Load load(reactor, throttle, 4096, 1000);
    check_between(load.in(1s), 1000, 1101);
}

TEST_CASE("a limit of bytes counts bytes; large requests go when the bucket is full, with a debt") {
    TestReactor reactor(7);
    VolumeLimits limits;
    limits.bytes.rate = 1'000'000;
    Throttle throttle(reactor->scheduler(), reactor.clock(), limits);
    {
        Load load(reactor, throttle, 5000, 8);
        check_between(load.in(10s), 2000, 2021);
    }
    Load load(reactor, throttle, 4'000'000, 2);
    check_between(load.in(40s), 9, 11);  // each four seconds' worth
    check_between(load.in(40s), 9, 11);
}

TEST_CASE("a large request counts as several operations") {
    TestReactor reactor(7);
    Throttle throttle(reactor->scheduler(), reactor.clock(), operations(100));
    Load load(reactor, throttle, 1U << 20, 8);
    check_between(load.in(40s), 999, 1004);
}

TEST_CASE("credits are spent at the burst rate, and come back with what is not used") {
    TestReactor reactor(7);
    // As gp2 of 100 GiB, with fewer credits: 300, and up to 3000 for as long as 27,000 are left.
    Throttle throttle(reactor->scheduler(), reactor.clock(), operations(300, 3000, 27'000));
    {
        Load load(reactor, throttle, 4096, 64);
        check_between(load.in(9s), 27'000, 27'301);
        check_between(load.in(10s), 3000 + 2390, 3000 + 2701);  // the last of them, then the base
        check_between(load.in(10s), 2999, 3001);
    }
    bool over = false;
    reactor->scheduler().after(10s, [&over] { over = true; });
    REQUIRE(reactor->run_until([&over] { return over; }, soon()));
    Load load(reactor, throttle, 4096, 64);
    check_between(load.in(10s), 5999, 6005);  // 3000 that were not used, and 3000
}

TEST_CASE("another limit counts at once, for what waits too") {
    TestReactor reactor(7);
    Throttle throttle(reactor->scheduler(), reactor.clock(), operations(1));
    Load load(reactor, throttle, 4096, 16);
    check_between(load.in(10s), 9, 12);
    throttle.change(operations(1000));
    check_between(load.in(10s), 9'900, 10'101);
    throttle.change(operations(10));
    check_between(load.in(10s), 99, 112);
    throttle.change({});
    CHECK(load.in(100ms) > 10'000);
    CHECK(throttle.waiting() == 0);
}

TEST_CASE("two clients of a volume share its rate, however much one of them asks") {
    TestReactor reactor(7);
    Throttle throttle(reactor->scheduler(), reactor.clock(), operations(1000));
    Load few(reactor, throttle, 4096, 4);
    Load many(reactor, throttle, 4096, 12);
    const std::uint64_t all = few.in(10s) + many.done;
    check_between(all, 9'990, 10'120);
    check_between(few.done, 2400, 2600);
}

TEST_CASE("an export obeys its volume's limits; a flush does not wait, nor the end of a client") {
    for (const io::Backend backend : backends()) {
        TestEngine engine(backend);
        const std::string socket = engine.dir / "s";
        REQUIRE(engine.open("vol-1", 64 * kBlockBytes));
        REQUIRE(engine->export_volume(VolumeId("vol-1"), socket, false, soon()));
        REQUIRE(engine->limit_volume(VolumeId("vol-1"), operations(1), soon()));
        NbdClient client(socket);
        client.ready();
        CHECK(client.write(0, Bytes(4096, 3)).error() == 0);  // the moment's worth
        for (std::uint64_t cookie = 100; cookie < 150; ++cookie) {
            client.request(nbd::Command::read, 0, 4096, cookie);
        }
        client.request(nbd::Command::flush, 0, 0, 7);
        int reads = 0;  // they take 50 seconds in all
        while (client.chunk().cookie != 7) {
            ++reads;
        }
        CHECK(reads < 50);
        client.disconnect();
        REQUIRE(engine->limit_volume(VolumeId("vol-1"), {}, soon()));
        NbdClient other(socket);
        other.ready();
        CHECK(other.read(0, 1) == Bytes(1, 3));
        REQUIRE(engine->limit_volume(VolumeId("vol-1"), operations(1), soon()));
        for (std::uint64_t cookie = 100; cookie < 150; ++cookie) {
            other.request(nbd::Command::write, 0, 4096, cookie, 0, Bytes(4096, 4));
        }
        CHECK(engine->close_volume(VolumeId("vol-1"), soon()));  // does not wait for them
    }
}

TEST_CASE("volumes share what the host allows, however much one of them asks") {
    TestReactor reactor(7);
    HostLimit host(operations(1000), reactor.clock());
    Throttle one(reactor->scheduler(), reactor.clock(), {}, &host);
    Throttle other(reactor->scheduler(), reactor.clock(), {}, &host);
    Load few(reactor, one, 4096, 2);
    Load many(reactor, other, 4096, 200);
    const std::uint64_t all = few.in(10s) + many.done;
    check_between(all, 9'990, 10'120);
    check_between(few.done, 4'850, 5'150);
}

TEST_CASE("what a volume's own limit does not let it use of the host's is the others'") {
    TestReactor reactor(7);
    HostLimit host(operations(1000), reactor.clock());
    Throttle slow(reactor->scheduler(), reactor.clock(), operations(100), &host);
    Throttle fast(reactor->scheduler(), reactor.clock(), {}, &host);
    Load little(reactor, slow, 4096, 8);
    Load much(reactor, fast, 4096, 8);
    (void)little.in(10s);
    check_between(little.done, 990, 1012);
    check_between(much.done, 8'980, 9'115);
    fast.change(operations(10));
    (void)much.in(10s);
    check_between(much.in(10s), 99, 101);
}

TEST_CASE("the host's limit of bytes, and a large request counts as several of its operations") {
    TestReactor reactor(7);
    VolumeLimits limits = operations(100);
    limits.bytes.rate = 10'000'000;
    HostLimit host(limits, reactor.clock());
    Throttle throttle(reactor->scheduler(), reactor.clock(), {}, &host);
    {
        Load load(reactor, throttle, 1U << 20, 4);  // by bytes 9.5 a second, as operations 25
        (void)load.in(10s);
        check_between(load.in(40s), 380, 383);
    }
    Load load(reactor, throttle, 300'000, 4);  // two operations each
    (void)load.in(10s);
    check_between(load.in(40s), 1333, 1335);
}

TEST_CASE("who goes away while it has a place among the host's leaves the others in order") {
    TestReactor reactor(7);
    HostLimit host(operations(10), reactor.clock());
    Throttle throttle(reactor->scheduler(), reactor.clock(), {}, &host);
    Load stays(reactor, throttle, 4096, 1);
    {
        Load goes(reactor, throttle, 4096, 3);
        check_between(stays.in(10s), 24, 27);
    }
    check_between(stays.in(10s), 99, 101);
    CHECK(throttle.waiting() == 1);
}

TEST_CASE("exports of volumes on different reactors keep within what the host allows together" *
          doctest::test_suite("slow")) {
    for (const io::Backend backend : backends()) {
        TestEngine engine(backend);
        engine.options.host_limits.operations.rate = 1;
        engine.restart();
        std::vector<std::unique_ptr<NbdClient>> clients;
        for (const std::string id : {"vol-1", "vol-2"}) {
            const std::string socket = engine.dir / id;
            REQUIRE(engine.open(id, 64 * kBlockBytes));
            REQUIRE(engine->export_volume(VolumeId(id), socket, false, soon()));
            clients.push_back(std::make_unique<NbdClient>(socket));
            clients.back()->ready();
        }
        CHECK(clients[0]->write(0, Bytes(4096, 3)).error() == 0);  // the moment's worth of both
        for (std::uint64_t cookie = 100; cookie < 150; ++cookie) {
            clients[1]->request(nbd::Command::read, 0, 4096, cookie);
        }
        clients[1]->request(nbd::Command::flush, 0, 0, 7);
        int reads = 0;
        while (clients[1]->chunk().cookie != 7) {
            ++reads;
        }
        CHECK(reads < 50);
        CHECK(engine->close_volume(VolumeId("vol-2"), soon()));
        CHECK(clients[0]->read(0, 1) == Bytes(1, 3));  // its turn comes, behind one place of theirs
    }
}
