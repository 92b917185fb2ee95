// SPDX-License-Identifier: Apache-2.0
#include "disks/btrfs_disk.h"

#include <fmt/format.h>

#include <bit>

namespace kiln::disks::btrfs {
namespace {

constexpr std::uint64_t kSuperblockAt = 64U << 10;
constexpr std::size_t kSuperblockBytes = 4096;
constexpr std::size_t kSystemChunksAt = 0x32b;
constexpr std::size_t kSystemChunksBytes = 2048;
constexpr std::size_t kNodeHead = 101;
constexpr std::size_t kLeafEntry = 25;
constexpr std::size_t kInnerEntry = 33;
constexpr std::uint8_t kMaxLevel = 7;
constexpr std::uint8_t kChunkItem = 228;
constexpr std::uint64_t kChunkObject = 256;
constexpr std::size_t kChunkHead = 48;
constexpr std::size_t kStripe = 32;
// RAID0, RAID10, RAID5, RAID6: bytes that follow each other are on different disks.
constexpr std::uint64_t kSpread = 0x8 | 0x40 | 0x80 | 0x100;
constexpr std::size_t kMaxChunks = 16'384;  // a GiB each, as a rule

Error damaged(std::string_view what) {
    return Error(Code::io_error, fmt::format("btrfs: {}", what));
}

// A node as its bytes: how many entries, and where they are.
class Node {
  public:
    explicit Node(ByteView bytes)
        : bytes_(bytes), count_(get_le<std::uint32_t>(&bytes[96])), level_(bytes[kNodeHead - 1]) {}

    bool fits() const {
        const std::size_t entry = level_ == 0 ? kLeafEntry : kInnerEntry;
        return level_ <= kMaxLevel && count_ <= (bytes_.size() - kNodeHead) / entry;
    }
    std::uint8_t level() const { return level_; }
    std::size_t count() const { return count_; }
    Key key(std::size_t i) const { return read_key(entry(i)); }
    std::uint64_t child(std::size_t i) const { return get_le<std::uint64_t>(entry(i) + kKeyBytes); }
    // Nothing when it lies outside.
    std::optional<Bytes> data(std::size_t i) const {
        const std::size_t offset = kNodeHead + get_le<std::uint32_t>(entry(i) + kKeyBytes);
        const std::size_t size = get_le<std::uint32_t>(entry(i) + kKeyBytes + 4);
        if (offset > bytes_.size() || size > bytes_.size() - offset) {
            return std::nullopt;
        }
        const ByteView part = bytes_.subspan(offset, size);
        return Bytes(part.begin(), part.end());
    }
    // The first entry at `key` or behind it.
    std::size_t lower_bound(const Key& wanted) const {
        std::size_t low = 0;
        for (std::size_t high = count_; low < high;) {
            const std::size_t middle = low + (high - low) / 2;
            (key(middle) < wanted ? low : high) = key(middle) < wanted ? middle + 1 : middle;
        }
        return low;
    }

  private:
    const std::uint8_t* entry(std::size_t i) const {
        return &bytes_[kNodeHead + i * (level_ == 0 ? kLeafEntry : kInnerEntry)];
    }
    ByteView bytes_;
    std::size_t count_;
    std::uint8_t level_;
};

}  // namespace

Key read_key(const std::uint8_t* at) {
    return {get_le<std::uint64_t>(at), at[8], get_le<std::uint64_t>(at + 9)};
}

Status Disk::open() {
    if (size_ < kSuperblockAt + kSuperblockBytes) {
        return damaged("too short");
    }
    Bytes super(kSuperblockBytes);
    TRY(read_(kSuperblockAt, super));
    root_tree_ = get_le<std::uint64_t>(&super[0x50]);
    node_bytes_ = get_le<std::uint32_t>(&super[0x94]);
    device_ = get_le<std::uint64_t>(&super[0xc9]);
    if (const auto disks = get_le<std::uint64_t>(&super[0x88]); disks != 1) {
        return damaged(fmt::format("it is one of {} disks", disks));
    }
    if (!std::has_single_bit(node_bytes_) || node_bytes_ < 4096 || node_bytes_ > (64U << 10)) {
        return damaged("its size of nodes makes no sense");
    }
    const std::size_t array = get_le<std::uint32_t>(&super[0xa0]);
    if (array > kSystemChunksBytes) {
        return damaged("its first chunks make no sense");
    }
    TRY(read_system_chunks(ByteView(super).subspan(kSystemChunksAt, array)));
    return read_chunk_tree(get_le<std::uint64_t>(&super[0x58]));
}

Status Disk::read_system_chunks(ByteView array) {
    while (!array.empty()) {
        if (array.size() < kKeyBytes + kChunkHead) {
            return damaged("its first chunks are cut short");
        }
        const Key key = read_key(array.data());
        array = array.subspan(kKeyBytes);
        const std::size_t length = kChunkHead + get_le<std::uint16_t>(&array[44]) * kStripe;
        if (key.type != kChunkItem || length > array.size()) {
            return damaged("its first chunks make no sense");
        }
        TRY(add_chunk(key.offset, array.first(length)));
        array = array.subspan(length);
    }
    return ok();
}

Status Disk::read_chunk_tree(std::uint64_t node) {
    Key key{kChunkObject, kChunkItem, 0};
    for (;;) {
        TRY_ASSIGN(const auto item, first_from(node, key));
        if (!item || item->key.object != kChunkObject || item->key.type != kChunkItem) {
            return ok();
        }
        TRY(add_chunk(item->key.offset, item->data));
        if (item->key.offset == UINT64_MAX) {
            return ok();
        }
        key.offset = item->key.offset + 1;
    }
}

Status Disk::add_chunk(std::uint64_t logical, ByteView item) {
    if (item.size() < kChunkHead) {
        return damaged("a chunk is cut short");
    }
    const std::size_t stripes = get_le<std::uint16_t>(&item[44]);
    const bool spread = (get_le<std::uint64_t>(&item[24]) & kSpread) != 0;
    if (spread || item.size() < kChunkHead + stripes * kStripe || chunks_.size() == kMaxChunks) {
        return damaged(spread ? "its bytes are spread as a RAID's" : "its chunks make no sense");
    }
    for (std::size_t i = 0; i < stripes; ++i) {
        const std::uint8_t* const stripe = &item[kChunkHead + i * kStripe];
        if (get_le<std::uint64_t>(stripe) == device_) {
            chunks_[logical] = {get_le<std::uint64_t>(item.data()),
                                get_le<std::uint64_t>(stripe + 8)};
            return ok();
        }
    }
    return damaged("a chunk is on another disk");
}

Status Disk::read_logical(std::uint64_t logical, MutableByteView into) {
    auto chunk = chunks_.upper_bound(logical);
    if (chunk == chunks_.begin()) {
        return damaged("an address is in no chunk");
    }
    --chunk;
    const std::uint64_t inside = logical - chunk->first;
    if (inside > chunk->second.length || into.size() > chunk->second.length - inside) {
        return damaged("an address is in no chunk");
    }
    const std::uint64_t at = chunk->second.physical + inside;
    if (at < inside || at > size_ || into.size() > size_ - at) {
        return damaged("a chunk is beyond the end");
    }
    return read_(at, into);
}

Result<Bytes> Disk::read_node(std::uint64_t logical) {
    Bytes bytes(node_bytes_);
    TRY(read_logical(logical, bytes));
    if (get_le<std::uint64_t>(&bytes[48]) != logical || !Node(bytes).fits()) {
        return damaged("a node of a tree is damaged");
    }
    return bytes;
}

Result<std::optional<Item>> Disk::first_from(std::uint64_t node, const Key& key) {
    // The way down leads to the last entry that is not behind the key. When its leaf has nothing at
    // the key or behind it, what is wanted is the first of the next leaf: a second way down.
    Key wanted = key;
    for (int ways = 0; ways < 2; ++ways) {
        std::optional<Key> beyond;
        std::uint64_t at = node;
        for (int above = kMaxLevel + 1;;) {
            TRY_ASSIGN(const Bytes bytes, read_node(at));
            const Node here(bytes);
            if (here.level() >= above) {
                return damaged("a tree runs in a circle");
            }
            above = here.level();
            const std::size_t found = here.lower_bound(wanted);
            if (here.level() == 0) {
                if (found == here.count()) {
                    break;
                }
                auto data = here.data(found);
                if (!data) {
                    return damaged("an item of a tree is damaged");
                }
                return std::optional<Item>({here.key(found), std::move(*data)});
            }
            if (here.count() == 0) {
                return damaged("a node of a tree is empty");
            }
            const bool exact = found < here.count() && here.key(found) == wanted;
            const std::size_t down = exact || found == 0 ? found : found - 1;
            if (down + 1 < here.count()) {
                beyond = here.key(down + 1);
            }
            at = here.child(down);
        }
        if (!beyond || *beyond <= wanted) {
            break;
        }
        wanted = *beyond;
    }
    return std::optional<Item>();
}

Result<std::optional<Item>> Disk::find(std::uint64_t node, const Key& key) {
    TRY_ASSIGN(auto item, first_from(node, key));
    return item && item->key == key ? item : std::optional<Item>();
}

}  // namespace kiln::disks::btrfs
