// SPDX-License-Identifier: Apache-2.0
// Nodes and root records, version 1 (docs/formats/tree.md). The encoding is canonical: decoding
// refuses every other form of the same content, so an id always names one content. Thread model:
// plain values.
#pragma once

#include <optional>
#include <vector>

#include "block/image/image_geometry.h"
#include "block/image/image_ids.h"
#include "block/image/pack_format.h"

namespace kiln::block {

inline constexpr std::size_t kRootRecordBytes = 96;
inline constexpr std::size_t kMaxNodeBytes = 24 + 128 * 32;

// A node (or leaf, level 0); an id of zeros = absent.
struct Node {
    unsigned level = 0;
    std::vector<ChunkId> slots;

    bool empty() const;
};

// Of a node that is not empty.
Bytes encode_node(const Node& node);
// data_loss unless it is a node of this level and geometry in canonical form.
Result<Node> decode_node(ByteView bytes, unsigned level, const ImageGeometry& geometry);

struct RootRecord {
    std::uint64_t size_bytes = 0;
    ImageGeometry geometry;
    DigestKind digest = DigestKind::sha256;
    DomainId domain;
    ChunkId top;  // zeros: no data
    friend bool operator==(const RootRecord&, const RootRecord&) = default;
};

Bytes encode_root(const RootRecord& root);
Result<RootRecord> decode_root(ByteView bytes);

}  // namespace kiln::block
