// SPDX-License-Identifier: Apache-2.0
// SHA-256 and HMAC-SHA256 (OpenSSL 3, hidden in the .cpp), and comparison of secrets.
//
// The algorithm is fetched from OpenSSL once and contexts are reused: a fetch costs more than
// hashing a small message. None of these can fail on any input; OpenSSL without SHA-256, or out of
// memory, stops the process (INVARIANT). Thread model: functions are thread-safe; one Sha256 object
// has one owner thread at a time.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "util/bytes.h"

namespace kiln::crypto {

inline constexpr std::size_t kSha256Bytes = 32;
using Digest256 = std::array<std::uint8_t, kSha256Bytes>;

// Hashes a stream piece by piece.
class Sha256 {
  public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;

    Sha256& update(ByteView data);
    // The digest of everything since construction or the last finish(); the object is then empty
    // again.
    Digest256 finish();

  private:
    struct State;
    std::unique_ptr<State> state_;
};

Digest256 sha256(ByteView data);
// Of each message; `digests` has a place for every one. Messages of one length that follow each
// other cost about half, four at a time, where the processor has instructions for SHA.
void sha256_each(std::span<const ByteView> messages, std::span<Digest256> digests);
std::string sha256_hex(ByteView data);  // lower case
Digest256 hmac_sha256(ByteView key, ByteView data);

// Takes the same time wherever the first difference is. Only the lengths are not secret.
bool constant_time_equal(ByteView a, ByteView b);

}  // namespace kiln::crypto
