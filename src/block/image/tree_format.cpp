// SPDX-License-Identifier: Apache-2.0
#include "block/image/tree_format.h"

#include <algorithm>

#include "block/detail/text_field.h"
#include "util/check.h"
#include "util/crc32c.h"

namespace kiln::block {
namespace {

constexpr std::string_view kMagic = "KILNROOT";
constexpr std::uint16_t kVersion = 1;
constexpr std::uint8_t kNodeVersion = 1;
constexpr std::size_t kNodeHeaderBytes = 24;

Error bad_node(const char* what) {
    return Error(Code::data_loss, std::string("a tree node is damaged: ") + what);
}

std::uint32_t crc_of(ByteView bytes) {
    const std::uint8_t zeros[4] = {};
    return crc32c(bytes.subspan(16), crc32c(zeros, crc32c(bytes.first(12))));
}

}  // namespace

bool Node::empty() const {
    return std::all_of(slots.begin(), slots.end(), [](const ChunkId& id) { return id.zero(); });
}

Bytes encode_node(const Node& node) {
    INVARIANT(node.slots.size() <= 128 && !node.empty());
    Bytes bytes(kNodeHeaderBytes, 0);
    std::uint16_t count = 0;
    for (std::size_t i = 0; i < node.slots.size(); ++i) {
        if (!node.slots[i].zero()) {
            bytes[8 + i / 8] |= static_cast<std::uint8_t>(1U << (i % 8));
            const ByteView id = node.slots[i].view();
            bytes.insert(bytes.end(), id.begin(), id.end());
            ++count;
        }
    }
    bytes[0] = static_cast<std::uint8_t>(node.level);
    bytes[1] = kNodeVersion;
    put_le(&bytes[2], count);
    put_le(&bytes[4], static_cast<std::uint32_t>(node.slots.size()));
    return bytes;
}

Result<Node> decode_node(ByteView bytes, unsigned level, const ImageGeometry& geometry) {
    if (bytes.size() < kNodeHeaderBytes || bytes.size() > kMaxNodeBytes) {
        return bad_node("its length");
    }
    if (bytes[1] != kNodeVersion) {
        return Error(Code::unsupported, "a tree node of a newer version");
    }
    const auto count = get_le<std::uint16_t>(&bytes[2]);
    if (bytes[0] != level || get_le<std::uint32_t>(&bytes[4]) != geometry.slots(level)) {
        return bad_node("it is of another level or geometry");
    }
    if (count == 0 || bytes.size() != kNodeHeaderBytes + std::size_t{count} * ChunkId::kBytes) {
        return bad_node("the number of its ids");
    }
    Node node{level, std::vector<ChunkId>(geometry.slots(level))};
    std::size_t found = 0;
    for (std::size_t i = 0; i < 128; ++i) {
        if ((bytes[8 + i / 8] >> (i % 8) & 1U) == 0) {
            continue;
        }
        if (i >= node.slots.size() || found == count) {
            return bad_node("its bitmap");
        }
        node.slots[i] = ChunkId::from(
            bytes.subspan(kNodeHeaderBytes + found * ChunkId::kBytes, ChunkId::kBytes));
        if (node.slots[i].zero()) {
            return bad_node("an id of zeros");
        }
        ++found;
    }
    if (found != count) {
        return bad_node("its bitmap");
    }
    return node;
}

Bytes encode_root(const RootRecord& root) {
    Bytes bytes(kRootRecordBytes, 0);
    std::uint8_t* at = bytes.data();
    std::memcpy(at, kMagic.data(), kMagic.size());
    put_le(at + 8, kVersion);
    put_le(at + 16, root.size_bytes);
    put_le(at + 24, root.geometry.chunk_bytes);
    put_le(at + 28, root.geometry.leaf_chunks);
    put_le(at + 30, root.geometry.fan_out);
    at[32] = root.geometry.height;
    at[33] = static_cast<std::uint8_t>(root.digest);
    std::memcpy(at + 40, root.domain.bytes.data(), DomainId::kBytes);
    std::memcpy(at + 56, root.top.bytes.data(), ChunkId::kBytes);
    put_le(at + 12, crc_of(bytes));
    return bytes;
}

Result<RootRecord> decode_root(ByteView bytes) {
    if (bytes.size() != kRootRecordBytes || as_text(bytes.first(8)) != kMagic ||
        get_le<std::uint32_t>(&bytes[12]) != crc_of(bytes)) {
        return Error(Code::data_loss, "a root record is damaged");
    }
    if (get_le<std::uint16_t>(&bytes[8]) != kVersion || get_le<std::uint16_t>(&bytes[10]) != 0 ||
        bytes[33] != static_cast<std::uint8_t>(DigestKind::sha256)) {
        return Error(Code::unsupported, "a root record of a newer version or a keyed domain");
    }
    RootRecord root;
    root.size_bytes = get_le<std::uint64_t>(&bytes[16]);
    root.geometry = {.chunk_bytes = get_le<std::uint32_t>(&bytes[24]),
                     .leaf_chunks = get_le<std::uint16_t>(&bytes[28]),
                     .fan_out = get_le<std::uint16_t>(&bytes[30]),
                     .height = bytes[32]};
    root.domain = DomainId::from(bytes.subspan(40, DomainId::kBytes));
    root.top = ChunkId::from(bytes.subspan(56, ChunkId::kBytes));
    if (!root.geometry.check() || root.size_bytes == 0 ||
        root.size_bytes > root.geometry.capacity_bytes() || !all_zero(bytes.subspan(34, 6)) ||
        !all_zero(bytes.subspan(88))) {
        return Error(Code::data_loss, "the fields of a root record are impossible");
    }
    return root;
}

}  // namespace kiln::block
