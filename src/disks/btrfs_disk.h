// SPDX-License-Identifier: Apache-2.0
// The lower half of reading btrfs: where the bytes of a logical address lie on the disk, and items
// of its trees by key. On one disk alone (profiles single and DUP); what lies spread over several
// is refused. Nothing is written, the log tree is not replayed, checksums are not judged: a node
// that is not where it says it is counts as damage.
//
// Source: "On-disk Format" of the btrfs documentation (btrfs.readthedocs.io, dev/On-disk-format).
// Errors: io_error, with what was wrong. Thread model: one owner thread, blocking.
#pragma once

#include <compare>
#include <map>
#include <optional>

#include "disks/layout.h"

namespace kiln::disks::btrfs {

struct Key {
    std::uint64_t object = 0;
    std::uint8_t type = 0;
    std::uint64_t offset = 0;
    auto operator<=>(const Key&) const = default;
};
constexpr std::size_t kKeyBytes = 17;
// `at` has kKeyBytes.
Key read_key(const std::uint8_t* at);

struct Item {
    Key key;
    Bytes data;
};

class Disk {
  public:
    // `read` sees the file system alone, `size_bytes` long.
    Disk(std::uint64_t size_bytes, ReadAt read) : size_(size_bytes), read_(std::move(read)) {}

    // First of all, once: the superblock and the map of chunks.
    Status open();
    // Logical address of the node at the top of the tree of roots.
    std::uint64_t root_tree() const { return root_tree_; }
    // The first item at `key` or behind it, in the tree whose top node is at `node`; or none.
    Result<std::optional<Item>> first_from(std::uint64_t node, const Key& key);
    // The item at exactly `key`, or none.
    Result<std::optional<Item>> find(std::uint64_t node, const Key& key);
    // Bytes by logical address, inside one chunk.
    Status read_logical(std::uint64_t logical, MutableByteView into);

  private:
    struct Chunk {
        std::uint64_t length;
        std::uint64_t physical;
    };
    Status add_chunk(std::uint64_t logical, ByteView item);
    Status read_system_chunks(ByteView array);
    Status read_chunk_tree(std::uint64_t node);
    Result<Bytes> read_node(std::uint64_t logical);

    const std::uint64_t size_;
    const ReadAt read_;
    std::uint64_t root_tree_ = 0;
    std::uint64_t device_ = 0;
    std::uint32_t node_bytes_ = 0;
    std::map<std::uint64_t, Chunk> chunks_;  // by logical address
};

}  // namespace kiln::disks::btrfs
