// SPDX-License-Identifier: Apache-2.0
// Ids of the image tier: a chunk or node within a domain, a domain, a pack. Fixed bytes, compared
// as bytes. Thread model: plain values.
#pragma once

#include <array>
#include <compare>
#include <cstring>
#include <functional>
#include <string>

#include "crypto/hash.h"
#include "util/bytes.h"
#include "util/encoding.h"

namespace kiln::block {

template <class Tag, std::size_t N>
struct FixedId {
    static constexpr std::size_t kBytes = N;
    std::array<std::uint8_t, N> bytes{};
    // All zeros: "none"; for a domain, the plain one.
    bool zero() const { return *this == FixedId{}; }
    ByteView view() const { return bytes; }
    std::string hex() const { return hex_encode(bytes); }
    // Of exactly N bytes.
    static FixedId from(ByteView from) {
        FixedId id;
        std::memcpy(id.bytes.data(), from.data(), N);
        return id;
    }
    friend auto operator<=>(const FixedId&, const FixedId&) = default;
    friend bool operator==(const FixedId&, const FixedId&) = default;
};

using ChunkId = FixedId<struct ChunkIdTag, 32>;  // of chunks, nodes and root records
using DomainId = FixedId<struct DomainIdTag, 16>;
using PackId = FixedId<struct PackIdTag, 16>;
using RootDigest = ChunkId;

// The plain digest; keyed domains come with their own.
inline ChunkId plain_id(ByteView plaintext) {
    return ChunkId{crypto::sha256(plaintext)};
}

}  // namespace kiln::block

template <class Tag, std::size_t N>
struct std::hash<kiln::block::FixedId<Tag, N>> {
    // Ids are digests or random: any eight bytes are a hash.
    std::size_t operator()(const kiln::block::FixedId<Tag, N>& id) const noexcept {
        return kiln::get_le<std::uint64_t>(id.bytes.data());
    }
};
