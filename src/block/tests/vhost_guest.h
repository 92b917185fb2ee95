// SPDX-License-Identifier: Apache-2.0
// A volume served over vhost-user, and a guest with one ring at work on it. Thread model: one owner
// thread beside the engine's.
#pragma once

#include "block/tests/nbd_client.h"
#include "block/tests/vhost_front_end.h"

namespace kiln::block::testing {

inline constexpr std::uint64_t kDiskBytes = 64 * kBlockBytes;
inline constexpr std::uint64_t kSectors = kDiskBytes / 512;
inline const VolumeId kVolume("vol-1");

struct Served {
    TestEngine engine;
    std::string socket;
    explicit Served(io::Backend backend = io::Backend::automatic, bool read_only = false,
                    std::uint64_t bytes = kDiskBytes)
        : engine(backend), socket(engine.dir / "s") {
        REQUIRE(engine.open("vol-1", bytes));
        REQUIRE(
            engine->export_vhost_user(kVolume, socket, "vol0123456789abcdef0", read_only, soon()));
    }
    Bytes read(std::uint64_t offset, std::uint32_t bytes) {
        const auto got = engine->read(kVolume, offset, bytes, soon());
        REQUIRE(got);
        return *got;
    }
};

// A front end with one ring at work.
struct Guest {
    TestMemory memory;
    TestRing ring{memory, 0};
    FrontEnd front;
    UniqueFd marks;
    explicit Guest(const std::string& socket, std::uint64_t without = 0) : front(socket) {
        front.negotiate(without);
        front.share(memory);
        marks = front.make_marks(2);
        REQUIRE(front.start_ring(memory, ring, 0, 0));
    }
    void fill(std::uint64_t offset, ByteView bytes) {
        std::copy(bytes.begin(), bytes.end(), memory.start + offset);
    }
    Bytes bytes(std::uint64_t offset, std::size_t count) {
        return {memory.start + offset, memory.start + offset + count};
    }
};

inline Bytes zero_range(std::uint64_t sector, std::uint32_t sectors, std::uint32_t flags) {
    Bytes out;
    ByteWriter(out).le(sector).le(sectors).le(flags);
    return out;
}

}  // namespace kiln::block::testing
