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
// Chunks of one batch on their way through destage: 1 MiB of plaintext, twice (one being read).
inline constexpr std::size_t kBatchChunks = 16;
// Data packs being written at the same time; more would only hold memory.
inline constexpr std::size_t kPacksInFlight = 2;
// Reads of one request in flight at the store.
inline constexpr std::size_t kGetsInFlight = 32;
// One object call. An 8 MiB pack over a slow link takes seconds.
inline constexpr std::chrono::seconds kObjectTimeout{60};
// The host-wide cache of nodes and decoded chunks.
inline constexpr std::size_t kImageCacheBytes = 128U << 20;

}  // namespace kiln::block
