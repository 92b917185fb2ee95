// SPDX-License-Identifier: Apache-2.0
// PackRecord and ChunkEntry: which packs of the image tier there are, and what lies in them, as the
// catalog knows it. Ids are fixed bytes of the block engine; here they are plain byte strings.
//
// A pack begins as `writing`; when its object is durable its entries come in and it is `stored`. A
// `condemned` pack is still read but serves no deduplication, until garbage collection has either
// found it in use (`stored` again) or taken its entries away: `trash`, whose object goes after a
// grace. Thread model: plain values.
#pragma once

#include <cstdint>
#include <optional>

#include "model/names.h"
#include "util/bytes.h"
#include "util/time.h"

namespace kiln::model {

enum class PackState { writing, stored, condemned, trash };
constexpr auto enum_names(PackState) {
    return std::to_array<EnumName<PackState>>({{PackState::writing, "writing"},
                                               {PackState::stored, "stored"},
                                               {PackState::condemned, "condemned"},
                                               {PackState::trash, "trash"}});
}

enum class PackKind { data, node };
constexpr auto enum_names(PackKind) {
    return std::to_array<EnumName<PackKind>>({{PackKind::data, "data"}, {PackKind::node, "node"}});
}

enum class PackDigest { sha256, hmac_sha256 };
constexpr auto enum_names(PackDigest) {
    return std::to_array<EnumName<PackDigest>>(
        {{PackDigest::sha256, "sha256"}, {PackDigest::hmac_sha256, "hmac-sha256"}});
}

struct PackRecord {
    Bytes id;  // 16 bytes
    PackKind kind = PackKind::data;
    PackDigest digest = PackDigest::sha256;
    Bytes domain;  // 16 bytes
    PackState state = PackState::writing;
    std::uint64_t epoch = 0;  // of the lease it was written under
    std::uint64_t bytes = 0;  // 0 until it is stored
    UnixMillis created;
    std::optional<UnixMillis> trashed;
    friend bool operator==(const PackRecord&, const PackRecord&) = default;
};

// The numbers in the last three are those of the pack format (docs/formats/pack.md).
struct ChunkEntry {
    Bytes id;                 // 32 bytes
    std::uint32_t place = 0;  // of the entry in its pack
    std::uint32_t stored_bytes = 0;
    std::uint32_t plain_bytes = 0;
    std::uint8_t type = 0;
    std::uint8_t codec = 0;
    std::uint8_t encryption = 0;
    friend bool operator==(const ChunkEntry&, const ChunkEntry&) = default;
};

}  // namespace kiln::model
