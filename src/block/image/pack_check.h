// SPDX-License-Identifier: Apache-2.0
// A whole pack, checked without an index: header, footer, every entry down to the digest of what it
// decodes to, and that nothing lies between the entries. Takes any bytes. Thread model: a pure
// function.
#pragma once

#include "block/image/pack_format.h"

namespace kiln::block {

struct PackReport {
    // Set when the footer can be believed: what the index has to say about the pack.
    std::optional<PackFooter> footer;
    std::vector<PackEntry> bad;         // entries of the footer that do not give their plaintext
    std::vector<std::string> problems;  // one line each, `bad` included; at most kMaxPackProblems
    std::size_t more = 0;               // beyond those
};

inline constexpr std::size_t kMaxPackProblems = 100;

PackReport check_pack(ByteView pack, const std::string& store_uuid, const PackId& id);

}  // namespace kiln::block
