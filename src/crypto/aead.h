// SPDX-License-Identifier: Apache-2.0
// AES-256-GCM (OpenSSL 3, hidden in the .cpp): what is sealed can be read and changed by nobody
// without the key.
//
// A key must never seal two texts with one nonce. Broken invariants of OpenSSL stop the process;
// input never does. Thread model: pure functions.
#pragma once

#include <optional>

#include "util/bytes.h"

namespace kiln::crypto {

inline constexpr std::size_t kAeadKeyBytes = 32;
inline constexpr std::size_t kAeadNonceBytes = 12;
inline constexpr std::size_t kAeadTagBytes = 16;
// Of a text, and of what is bound: OpenSSL takes no more at a time.
inline constexpr std::size_t kAeadMaxBytes = 1 << 30;

// The ciphertext and its tag, which also covers `bound`.
Bytes seal_aead(ByteView key, ByteView nonce, ByteView bound, ByteView text);
// The text; nothing unless all of it is as it was sealed.
std::optional<Bytes> open_aead(ByteView key, ByteView nonce, ByteView bound, ByteView sealed);

}  // namespace kiln::crypto
