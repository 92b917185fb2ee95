// SPDX-License-Identifier: Apache-2.0
// Limits of the block library, in one place. Thread model: constants.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace kiln::block {

// Reactors of one engine.
inline constexpr std::size_t kMaxReactors = 64;

// The largest read or write in one request. 32 MiB is what NBD clients assume when a server says
// nothing.
inline constexpr std::uint32_t kMaxRequestBytes = 32U << 20;

// Requests of one NBD connection being worked on. QEMU keeps at most 16, nbdcopy 64.
inline constexpr std::size_t kMaxRequestsInFlight = 256;
// And their payload: two of the largest.
inline constexpr std::size_t kMaxPayloadInFlight = 2 * static_cast<std::size_t>(kMaxRequestBytes);
// Connections of one export. nbdcopy opens 4, QEMU 1; the rest is room for inspection.
inline constexpr std::size_t kMaxConnections = 64;
// From connecting to the end of the NBD handshake. A local peer needs a millisecond.
inline constexpr std::chrono::seconds kHandshakeTimeout{30};
// One NBD option. The longest legal ones name an export (4096 bytes) and a few queries.
inline constexpr std::uint32_t kMaxOptionBytes = 64U << 10;
inline constexpr std::uint32_t kMaxExportNameBytes = 4096;
// Options in one handshake; qemu sends about 5.
inline constexpr std::uint32_t kMaxOptions = 64;
// Descriptors in one answer to block status; the client asks again for the rest.
inline constexpr std::size_t kMaxExtents = 8192;

// Queues of one vhost-user device: what its messages have numbers for. QEMU makes one per
// processor.
inline constexpr std::uint16_t kMaxQueues = 256;
// From connecting to the first message of a vhost-user front end, and for the rest of a message
// that has begun. One that waits with it would keep others out.
inline constexpr std::chrono::seconds kMessageTimeout{30};
// How long a request that found the store full waits before it is tried again.
inline constexpr std::chrono::seconds kFullRetry{1};

// Layers in one chain that an open walks. Far above what a lineage reaches before it is destaged.
inline constexpr std::size_t kMaxChainLayers = 1024;

// Records bigger than this are split, so that a reader can bound its memory.
inline constexpr std::uint32_t kMaxRecordPayload = 64U << 10;
// One journal write; what waits longer goes with the next.
inline constexpr std::size_t kMaxJournalBatch = 1U << 20;
// The end of the journal is kept for FLUSHED, CKPT, FREEZE and BOOT, so that a full one can still
// be flushed, checkpointed and sealed. 64 boots that each end before a checkpoint fit.
inline constexpr std::uint64_t journal_reserve(std::uint64_t ring_bytes) {
    return ring_bytes < 16384 ? ring_bytes / 4 : 4096;
}
inline constexpr std::uint64_t kMinJournalRing = 2048;
// A ring that flushes fill with data grows by this factor, up to this size: then the changes alone
// make it larger. Some 4000 flushes of a block fill it, so that what a checkpoint costs is small
// beside them, and what one has to sync is bounded.
inline constexpr std::uint64_t kDataGrowth = 8;
inline constexpr std::uint64_t kDataRing = 16ULL << 20;
// And a checkpoint is begun for them if it makes room for so many.
inline constexpr std::uint64_t kFlushesPerCheckpoint = 8;
// A larger ring is filled with zeros in pieces of this or what the ring had, each synced before the
// next, since a flush that comes meanwhile waits for the piece.
inline constexpr std::size_t kRingPiece = 256U << 10;
// A journal of less than this is replayed in less time than a checkpoint takes: about 2000 records.
inline constexpr std::uint64_t kShortReplayBytes = 64U << 10;
// Pages of check sums that each open sealed layer keeps in memory, 4 KiB each; they speak for
// 2 GiB of data that lie together.
inline constexpr std::size_t kDataCrcPagesKept = 512;
// Slots of the map file on their way at a time, 4 KiB each.
inline constexpr std::size_t kMapBatch = 64;
// Bounds on what a superblock may make a reader allocate for one table of the map: 1 MiB.
inline constexpr std::uint32_t kMaxDirectoryPages = 65536;
inline constexpr std::uint64_t kMaxDirectories = 65536;
// A map that had to move has places for at least so many directories: 1 TiB.
inline constexpr std::uint64_t kMovedMapRoom = 16;
// Bound on where a superblock may say that the map begins. The largest map ends below 2^43, and
// each place has four times the room of the one before.
inline constexpr std::uint64_t kMaxMapStart = 1ULL << 48;

}  // namespace kiln::block
