// SPDX-License-Identifier: Apache-2.0
// Limits of the image tier, in one place. Thread model: constants.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace kiln::block {

// Where a pack is closed. 8 MiB: 130-330 chunks share one PUT and one fsync.
inline constexpr std::uint32_t kPackTargetBytes = 8U << 20;
// One tail read always holds the footer: 4096 * 48 + 1216 bytes.
inline constexpr std::uint32_t kMaxPackEntries = 4096;
inline constexpr std::uint64_t kPackTailBytes = 256U << 10;
// What a reader believes; the largest object.
inline constexpr std::uint64_t kMaxPackBytes = 64ULL << 20;
// The largest chunk a geometry allows.
inline constexpr std::uint32_t kMaxPlainBytes = 1U << 20;
// Chunks of one batch on their way through destage: 4 MiB of plaintext, twice (one being read).
// With half of it threads wake each other twice as often.
inline constexpr std::size_t kBatchChunks = 64;
// Data packs being written at the same time; more would only hold memory.
inline constexpr std::size_t kPacksInFlight = 2;
// Reads of one request in flight at the store.
inline constexpr std::size_t kGetsInFlight = 32;
// Of entries that lie one behind the other in a pack so many bytes are read at once: the 512 KiB of
// a request of the EBS direct API, should they not compress, with their headers.
inline constexpr std::uint64_t kRunBytes = 513U << 10;
// And so many of them are decoded one after the other by one worker: waking one takes its time,
// too.
inline constexpr std::size_t kOpenTogether = 4;
// Entries being read ahead for all volumes, beside those, until they are decoded; and of them those
// that take the workers' time: what a reader has read is decoded next. One goes on in any case; no
// further one begins while readers have so many gets in flight, or any waiting.
inline constexpr std::size_t kAheadInFlight = 16;
inline constexpr std::size_t kAheadOpening = 2;
inline constexpr std::size_t kAheadGivesWay = 16;
// Leaves that are being read ahead for one volume at a time.
inline constexpr std::size_t kAheadLeaves = 2;
// How often a read looks for another pack when garbage collection took the one it had found. Each
// time takes a whole collection, so a second time is rare already.
inline constexpr unsigned kMaxLocateAttempts = 4;
// A mark reads this many nodes at a time and asks the index for so many ids in one question, two
// questions at a time: guests' reads go first.
inline constexpr std::size_t kMarkReads = 4;
inline constexpr std::size_t kMarkBatch = 512;
inline constexpr std::size_t kMarkLookups = 2;
// Nodes a mark remembers so as to walk shared subtrees once: about 20 MiB, enough for
// 64 GiB of unique data.
inline constexpr std::size_t kMarkRemembered = 256U << 10;
// Pairs of nodes that a walk through two trees fetches at a time: as many as there are gets in
// flight, if one of each two is in the cache.
inline constexpr std::size_t kWalkBatch = 32;
// Entries of packs that a mark counts one by one, four bytes each: those of a TiB of unique data.
inline constexpr std::size_t kMarkCounted = 16U << 20;
// One object call. An 8 MiB pack over a slow link takes seconds.
inline constexpr std::chrono::seconds kObjectTimeout{60};

}  // namespace kiln::block
