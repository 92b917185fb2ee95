// SPDX-License-Identifier: Apache-2.0
// BlockTokens: what the block API hands out to be brought back: the place a list goes on at, and
// the right to read one block (ED-8, ED-10). A token is good for the account it was made for, for
// what it names, and until its time is over.
//
// Nothing is kept per token: it carries its end and its index, authenticated with a secret of the
// store, which also covers what is not in it. So there may be any number of them.
//
//   token   base64 of  version u8 = 1 | kind u8 | end, ms since 1970, i64 BE | block index, i64 BE
//   |
//           HMAC-SHA256 32 B, over  "kiln block token" 0 | account 0 | region 0 | subject 0 | the
//           first 18 bytes
//
// The subject is the id of the snapshot; of a page of changes, those of both. Thread-safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "catalog/store.h"
#include "control/caller.h"
#include "io/clock.h"

namespace kiln::control {

inline constexpr std::chrono::minutes kPageTokenTime{60};
inline constexpr std::chrono::hours kBlockTokenTime{7 * 24};

class BlockTokens {
  public:
    enum class Kind : std::uint8_t { blocks_page = 1, changes_page = 2, block = 3 };

    BlockTokens(Bytes secret, io::Clock& clock) : secret_(std::move(secret)), clock_(clock) {}
    // Reads the store's secret, or makes it.
    static Result<BlockTokens> create(catalog::Store& store, io::Clock& clock, io::Rng& rng);

    // The last moment at which a token made now is good.
    UnixMillis end_of(Kind kind) const;
    std::string issue(Kind kind, const Caller& caller, std::string_view subject,
                      std::uint64_t index, UnixMillis end) const;
    // The index; nothing when it is no such token, or its time is over.
    std::optional<std::uint64_t> open(Kind kind, const Caller& caller, std::string_view subject,
                                      std::string_view token) const;

  private:
    Bytes seal(const Caller& caller, std::string_view subject, ByteView head) const;

    Bytes secret_;
    io::Clock& clock_;
};

}  // namespace kiln::control
