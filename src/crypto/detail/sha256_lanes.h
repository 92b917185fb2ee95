// SPDX-License-Identifier: Apache-2.0
// SHA-256 of several messages side by side, with the processor's SHA instructions: each of those
// waits for the one before of its own message, so one message leaves the processor half idle.
// Thread model: pure functions.
#pragma once

#include "crypto/hash.h"

namespace kiln::crypto::detail {

inline constexpr std::size_t kSha256Lanes = 4;

// Whether this processor can; else sha256_lanes must not be called.
bool has_sha256_lanes();
// `messages` are of one length.
void sha256_lanes(std::span<const ByteView, kSha256Lanes> messages,
                  std::span<Digest256, kSha256Lanes> digests);

}  // namespace kiln::crypto::detail
