// SPDX-License-Identifier: Apache-2.0
// The transmission phase of NBD over a real socket, for every backend.
#include <doctest/doctest.h>

#include <thread>

#include "block/limits.h"
#include "block/tests/nbd_client.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;
using nbd::Command;

namespace {

constexpr std::uint64_t kBytes = 64 * kBlockBytes;

struct Exported {
    TestEngine engine;
    std::string socket;

    explicit Exported(io::Backend backend = io::Backend::automatic, std::uint64_t bytes = kBytes,
                      Geometry geometry = kSmall)
        : engine(backend, geometry), socket(engine.dir / "s") {
        REQUIRE(engine.open("vol-1", bytes));
        REQUIRE(engine->export_volume(VolumeId("vol-1"), socket, false, soon()));
    }
};

Bytes pattern(std::size_t size, std::uint32_t seed) {
    std::mt19937 random(seed);
    Bytes bytes(size);
    for (std::uint8_t& byte : bytes) {
        byte = static_cast<std::uint8_t>(random());
    }
    return bytes;
}

}  // namespace

TEST_CASE("reads, writes, zeroes, trims and flushes at any alignment") {
    for (const io::Backend backend : backends()) {
        Exported e(backend);
        NbdClient client(e.socket);
        client.ready();
        Bytes model(kBytes, 0);
        const auto put = [&](std::size_t at, const Bytes& data) {
            std::copy(data.begin(), data.end(), model.begin() + static_cast<std::ptrdiff_t>(at));
        };
        for (const auto& [at, size] :
             {std::pair{0U, 4096U}, {5000U, 10U}, {4095U, 2U}, {9000U, 100000U}, {262143U, 1U}}) {
            const Bytes data = pattern(size, at);
            put(at, data);
            CHECK(client.write(at, data, at % 2 == 0 ? nbd::kCmdFua : 0).error() == 0);
        }
        CHECK(client.call(Command::write_zeroes, 10001, 50000, nbd::kCmdNoHole | nbd::kCmdFastZero)
                  .error() == 0);
        put(10001, Bytes(50000, 0));
        CHECK(client.call(Command::trim, 70000, 20000, nbd::kCmdFua).error() == 0);
        put(70000, Bytes(20000, 0));
        CHECK(client.call(Command::flush, 0, 0).error() == 0);
        CHECK(client.read(0, kBytes) == model);
        CHECK(client.read(9001, 3) == Bytes(model.begin() + 9001, model.begin() + 9004));
        client.request(Command::disc, 0, 0, 1);
        CHECK(client.closed());
        // Durable and seen by others.
        e.engine.restart();
        REQUIRE(e.engine.open("vol-1", kBytes));
        CHECK(e.engine->read(VolumeId("vol-1"), 0, kBytes, soon()).value() == model);
    }
}

TEST_CASE("simple replies, when structured ones were not asked for") {
    Exported e;
    NbdClient client(e.socket);
    client.greet();
    client.go();
    const Bytes data = pattern(8192, 1);
    client.request(Command::write, 4096, 8192, 7, 0, data);
    client.request(Command::read, kBytes, 1, 8);
    const auto reply = [&] {
        CHECK(client.number<std::uint32_t>() == nbd::kSimpleReplyMagic);
        const auto error = client.number<std::uint32_t>();
        return std::pair(client.number<std::uint64_t>(), error);
    };
    std::map<std::uint64_t, std::uint32_t> errors{reply(), reply()};
    CHECK(errors == std::map<std::uint64_t, std::uint32_t>{{7, 0}, {8, 22}});
    client.request(Command::read, 4096, 8192, 9);
    CHECK(reply() == std::pair<std::uint64_t, std::uint32_t>(9, 0));
    CHECK(client.receive(8192) == data);
    client.request(Command::read, 4096, 0, 10);
    CHECK(reply() == std::pair<std::uint64_t, std::uint32_t>(10, 0));
    // DF belongs to structured replies.
    client.request(Command::read, 0, 512, 10, nbd::kCmdDf);
    CHECK(reply().second == 22);
}

TEST_CASE("bad requests get the protocol's errors, and the connection goes on") {
    Exported e;
    NbdClient client(e.socket);
    client.ready();
    struct Bad {
        Command command;
        std::uint64_t offset;
        std::uint32_t length;
        std::uint16_t flags;
        std::uint32_t error;
    };
    const Bad cases[] = {
        {Command::read, kBytes - 1, 2, 0, 22},
        {Command::read, ~0ULL, 2, 0, 22},
        {Command::read, kBytes + 1, 0, 0, 22},
        {Command::read, 0, kMaxRequestBytes + 1, 0, 22},
        {Command::read, 0, kMaxRequestBytes + 1, nbd::kCmdDf, 75},
        {Command::read, 0, 512, nbd::kCmdNoHole, 22},
        {Command::trim, kBytes, 1, 0, 22},
        {Command::write_zeroes, kBytes - 4096, 8192, 0, 28},
        {Command::write_zeroes, 0, 4096, nbd::kCmdReqOne, 22},
        {Command::block_status, kBytes - 1, 2, 0, 22},
        {Command::block_status, 0, 0, 0, 22},
        {Command::cache, 0, 4096, 0, 22},
        {static_cast<Command>(8), 0, 4096, 0, 22},
        {static_cast<Command>(0xffff), 0, 0, 0, 22},
        {Command::flush, 0, 0, 0x8000, 22},
    };
    for (const Bad& bad : cases) {
        CAPTURE(static_cast<int>(bad.command));
        CAPTURE(bad.offset);
        CHECK(client.call(bad.command, bad.offset, bad.length, bad.flags).error() == bad.error);
    }
    // The payload of a refused write is skipped.
    CHECK(client.write(kBytes - 4096, Bytes(8192, 1)).error() == 28);
    CHECK(client.write(0, Bytes(4096, 1), nbd::kCmdFastZero).error() == 22);
    CHECK(client.write(0, Bytes(kMaxRequestBytes + 4096, 1)).error() == 22);
    CHECK(client.call(Command::read, 0, 512, nbd::kCmdDf).error() == 0);
    CHECK(client.read(0, kBytes) == Bytes(kBytes, 0));
}

TEST_CASE("an empty request is answered, and does nothing") {
    Exported e;
    NbdClient client(e.socket);
    client.ready();
    CHECK(client.write(8192, Bytes(4096, 1)).error() == 0);
    CHECK(client.write(8192, {}, nbd::kCmdFua).error() == 0);
    for (const Command command : {Command::trim, Command::write_zeroes, Command::read}) {
        for (const std::uint64_t offset : {std::uint64_t{8192}, std::uint64_t{kBytes}}) {
            const auto answer = client.call(command, offset, 0);
            CHECK(answer.type == nbd::Chunk::none);  // a chunk of data has at least one byte
            CHECK(answer.payload.empty());
        }
    }
    CHECK(client.read(8192, 4096) == Bytes(4096, 1));
}

TEST_CASE("a read-only export refuses every change, and other connections still write") {
    Exported e;
    REQUIRE(e.engine->export_volume(VolumeId("vol-1"), e.engine.dir / "ro", true, soon()));
    NbdClient reader(e.engine.dir / "ro");
    reader.ready();
    NbdClient writer(e.socket);
    writer.ready();
    CHECK(reader.write(0, Bytes(4096, 1)).error() == 1);
    CHECK(reader.call(Command::trim, 0, 4096).error() == 1);
    CHECK(reader.call(Command::write_zeroes, 0, 4096).error() == 1);
    CHECK(reader.call(Command::flush, 0, 0).error() == 0);
    CHECK(writer.write(0, Bytes(4096, 1)).error() == 0);
    CHECK(reader.read(0, 4096) == Bytes(4096, 1));
}

TEST_CASE("block status tells data from holes, one extent or all, at any offset") {
    Exported e;
    NbdClient client(e.socket);
    client.ready();
    CHECK(client.write(8192, Bytes(8192, 1)).error() == 0);
    CHECK(client.write(20480, Bytes(4096, 1)).error() == 0);
    CHECK(client.call(Command::write_zeroes, 12288, 4096).error() == 0);
    const auto status = [&](std::uint64_t offset, std::uint32_t length, std::uint16_t flags) {
        const auto chunk = client.call(Command::block_status, offset, length, flags);
        REQUIRE(chunk.type == nbd::Chunk::block_status);
        CHECK(get_be<std::uint32_t>(chunk.payload.data()) == nbd::kBaseAllocationId);
        std::vector<std::pair<std::uint32_t, std::uint32_t>> extents;
        for (std::size_t i = 4; i < chunk.payload.size(); i += 8) {
            extents.emplace_back(get_be<std::uint32_t>(&chunk.payload[i]),
                                 get_be<std::uint32_t>(&chunk.payload[i + 4]));
        }
        return extents;
    };
    using Extents = std::vector<std::pair<std::uint32_t, std::uint32_t>>;
    CHECK(status(0, kBytes, 0) ==
          Extents{{8192, 3}, {4096, 0}, {8192, 3}, {4096, 0}, {kBytes - 24576, 3}});
    CHECK(status(8000, 1000, 0) == Extents{{192, 3}, {808, 0}});
    CHECK(status(0, kBytes, nbd::kCmdReqOne) == Extents{{8192, 3}});
}

TEST_CASE("hundreds of requests in flight are all answered, on several connections") {
    for (const io::Backend backend : backends()) {
        Exported e(backend, 2048 * kBlockBytes, Geometry{});
        constexpr int kConnections = 3;
        constexpr std::uint32_t kRequests = 600;  // more than a connection works on at a time
        std::vector<std::unique_ptr<NbdClient>> clients;
        for (int i = 0; i < kConnections; ++i) {
            clients.push_back(std::make_unique<NbdClient>(e.socket));
            clients.back()->ready();
        }
        std::vector<std::thread> senders;
        for (int i = 0; i < kConnections; ++i) {
            senders.emplace_back([&client = *clients[i], i] {
                for (std::uint32_t n = 0; n < kRequests; ++n) {
                    const std::uint64_t block = n * kConnections + static_cast<std::uint32_t>(i);
                    client.request(Command::write, block * kBlockBytes, kBlockBytes, n, 0,
                                   Bytes(kBlockBytes, static_cast<std::uint8_t>(block)));
                    if (n % 50 == 0) {
                        client.request(Command::flush, 0, 0, 100000 + n);
                    }
                }
            });
        }
        for (int i = 0; i < kConnections; ++i) {
            std::set<std::uint64_t> answered;
            for (std::uint32_t n = 0; n < kRequests + kRequests / 50; ++n) {
                const auto chunk = clients[i]->chunk();
                CHECK(chunk.error() == 0);
                answered.insert(chunk.cookie);
            }
            CHECK(answered.size() == kRequests + kRequests / 50);
        }
        for (std::thread& sender : senders) {
            sender.join();
        }
        for (std::uint64_t block = 0; block < kRequests * kConnections; block += 97) {
            CHECK(clients[0]->read(block * kBlockBytes, kBlockBytes) ==
                  Bytes(kBlockBytes, static_cast<std::uint8_t>(block)));
        }
    }
}

TEST_CASE("the largest request passes whole, both ways") {
    for (const io::Backend backend : backends()) {
        Exported e(backend, 2ULL * kMaxRequestBytes, Geometry{});
        NbdClient client(e.socket);
        client.ready();
        const Bytes data = pattern(kMaxRequestBytes, 3);
        CHECK(client.write(12345, data).error() == 0);
        CHECK(client.read(12345, kMaxRequestBytes) == data);
    }
}

TEST_CASE("a client that goes away in the middle of anything does no harm") {
    for (const io::Backend backend : backends()) {
        Exported e(backend);
        {
            NbdClient client(e.socket);  // says nothing
        }
        {
            NbdClient client(e.socket);
            client.greet();
            client.send(Bytes(7, 'x'));
        }
        for (const std::size_t sent : {0U, 100U, 4096U, 60000U}) {
            NbdClient client(e.socket);
            client.ready();
            client.request(Command::write, 0, 65536, 1, 0, Bytes(sent, 9));  // never whole
        }
        {
            NbdClient client(e.socket);
            client.ready();
            for (std::uint64_t i = 0; i < 100; ++i) {
                client.request(Command::read, 0, kBytes, i);  // answers nobody reads
            }
        }
        NbdClient bad(e.socket);
        bad.ready();
        bad.send(Bytes(nbd::kRequestBytes, 'x'));
        CHECK(bad.closed());
        NbdClient client(e.socket);
        client.ready();
        CHECK(client.read(0, 4096) == Bytes(4096, 0));
    }
}

TEST_CASE(
    "unexport and close disconnect clients, remove the socket, and lose nothing acknowledged") {
    for (const io::Backend backend : backends()) {
        Exported e(backend);
        NbdClient client(e.socket);
        client.ready();
        CHECK(client.write(0, Bytes(4096, 5)).error() == 0);
        CHECK(e.engine->unexport_volume(VolumeId("vol-1"), e.socket, soon()));
        CHECK(client.closed());
        CHECK(!std::filesystem::exists(e.socket));
        REQUIRE(e.engine->export_volume(VolumeId("vol-1"), e.socket, false, soon()));
        NbdClient second(e.socket);
        second.ready();
        NbdClient idle(e.socket);
        CHECK(second.read(0, 4096) == Bytes(4096, 5));
        CHECK(e.engine->close_volume(VolumeId("vol-1"), soon()));
        CHECK(second.closed());
        CHECK(!std::filesystem::exists(e.socket));
        CHECK(!e.engine->is_open(VolumeId("vol-1")));
    }
}
