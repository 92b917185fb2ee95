// SPDX-License-Identifier: Apache-2.0
// kill -9 of a process that writes: what it had been told is there.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/tests/nbd_client.h"

using namespace kiln;
using namespace kiln::block;
using namespace kiln::block::testing;

namespace {

constexpr std::uint64_t kBlocks = 256;
const VolumeId kVolume("vol-1");

// One acknowledged write.
struct Acked {
    std::uint32_t block;
    std::uint32_t value;
};

// Writes until it is killed, telling `out` of each write after it was acknowledged.
[[noreturn]] void write_for_ever(const EngineOptions& options, std::uint64_t seed,
                                 std::uint32_t value, int out) {
    TestContents contents;
    const auto clock = io::make_system_clock();
    const auto rng = io::make_system_rng();
    auto engine = Engine::create(options, make_memory_tier(), contents, *clock, *rng);
    if (!engine ||
        !(*engine)->open_volume({kVolume, kBlocks * kBlockBytes, ContentId(), LayerId("l-1"), true},
                                soon())) {
        ::_exit(1);
    }
    std::mt19937_64 random(seed);
    while (true) {
        const auto block = static_cast<std::uint32_t>(random() % kBlocks);
        Bytes data(kBlockBytes, 0);
        for (std::size_t i = 0; i < data.size(); i += 4) {
            put_le(&data[i], ++value);
        }
        const std::uint32_t first = get_le<std::uint32_t>(data.data());
        if (!(*engine)->write(kVolume, block * kBlockBytes, data, soon())) {
            ::_exit(2);
        }
        const Acked acked{block, first};
        if (::write(out, &acked, sizeof acked) != sizeof acked) {
            ::_exit(3);
        }
    }
}

}  // namespace

TEST_CASE("I2, P16: kill -9 under load loses no acknowledged write, five times over one store") {
    TempDir dir;
    EngineOptions options;
    options.directory = dir / "layers";
    options.store_uuid = "store";
    options.geometry = {.shard_bytes = 256 << 10,
                        .page_blocks = 64,
                        .journal_bytes = 1 << 20,
                        .journal_first_bytes = 8 << 10};
    const auto seed = test_seed();
    CAPTURE(seed);
    std::vector<std::uint32_t> last(kBlocks, 0);  // first word of the last acknowledged write
    std::uint32_t next_value = 1;
    for (int round = 0; round < 5; ++round) {
        int pipe_ends[2];
        REQUIRE(::pipe(pipe_ends) == 0);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::close(pipe_ends[0]);
            write_for_ever(options, seed + static_cast<std::uint64_t>(round), next_value,
                           pipe_ends[1]);
        }
        ::close(pipe_ends[1]);
        Acked acked{};
        std::uint32_t highest = next_value;
        std::vector<bool> touched(kBlocks, false);
        const auto take = [&] {
            const ssize_t n = ::read(pipe_ends[0], &acked, sizeof acked);
            if (n == sizeof acked) {
                last[acked.block] = acked.value;
                highest = std::max(highest, acked.value);
                touched[acked.block] = true;
                return true;
            }
            return n < 0 && errno == EINTR;
        };
        for (int i = 0; i < 200; ++i) {
            REQUIRE(take());
        }
        REQUIRE(::kill(child, SIGKILL) == 0);
        while (take()) {  // what it told before it died
        }
        ::close(pipe_ends[0]);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFSIGNALED(status));
        next_value = highest + 10 * kBlockBytes;

        TestContents contents;
        const auto clock = io::make_system_clock();
        const auto rng = io::make_system_rng();
        auto engine = Engine::create(options, make_memory_tier(), contents, *clock, *rng);
        REQUIRE(engine);
        const auto opened = (*engine)->open_volume(
            {kVolume, kBlocks * kBlockBytes, ContentId(), LayerId("l-1"), false}, soon());
        REQUIRE_MESSAGE(opened, opened.error().to_string());
        int newer = 0;
        for (std::uint32_t block = 0; block < kBlocks; ++block) {
            const Bytes bytes =
                (*engine)->read(kVolume, block * kBlockBytes, kBlockBytes, soon()).value();
            const auto found = get_le<std::uint32_t>(bytes.data());
            CAPTURE(block);
            if (found > highest) {
                ++newer;  // the one write that was in flight
            } else {
                REQUIRE(found == last[block]);
                // Whole: the words of one write follow each other.
                if (found != 0) {
                    REQUIRE(get_le<std::uint32_t>(&bytes[kBlockBytes - 4]) ==
                            found + kBlockBytes / 4 - 1);
                }
            }
            last[block] = found;
        }
        CHECK(newer <= 1);
    }
}
