// SPDX-License-Identifier: Apache-2.0
// btrfs by its documented format, since no library reads it without the kernel. Files are plain or
// compressed with zstd; another compression is told and not read.
#include <fmt/format.h>
#include <zstd.h>

#include <algorithm>
#include <array>

#include "disks/btrfs_disk.h"
#include "disks/file_tree.h"
#include "util/crc32c.h"
#include "util/strings.h"

namespace kiln::disks {
namespace {

using btrfs::Item;
using btrfs::Key;

constexpr std::uint8_t kInodeItem = 1;
constexpr std::uint8_t kDirItem = 84;
constexpr std::uint8_t kExtentData = 108;
constexpr std::uint8_t kRootItem = 132;
constexpr std::uint64_t kTopSubvolume = 5;
constexpr std::uint64_t kRootTreeDirectory = 6;
constexpr std::uint64_t kFirstInode = 256;  // a subvolume's own directory
constexpr std::size_t kInodeBytes = 160;
constexpr std::size_t kDirEntryHead = 30;
constexpr std::size_t kExtentHead = 21;
constexpr std::size_t kExtentBytes = 53;
constexpr std::uint64_t kMaxCompressed = 128U << 10;  // what the kernel compresses at a time
constexpr std::size_t kMaxLink = 4096;
constexpr std::uint32_t kTypeMask = 0170000;
// Where distributions have the root directory, below the top: Fedora, openSUSE and Ubuntu, Debian.
constexpr std::array<const char*, 3> kRootNames{"/root", "/@", "/@rootfs"};

Error damaged(std::string_view what) {
    return Error(Code::io_error, fmt::format("btrfs: {}", what));
}

// The kernel's: crc32c from ~1, and not inverted at the end.
std::uint64_t name_hash(std::string_view name) {
    return static_cast<std::uint32_t>(~crc32c(as_bytes(name), 1));
}

struct Place {
    std::uint64_t tree = 0;  // the top node of the subvolume's tree
    std::uint64_t inode = kFirstInode;
};

class BtrfsTree final : public FileTree {
  public:
    BtrfsTree(std::uint64_t size_bytes, ReadAt read) : disk_(size_bytes, std::move(read)) {}

    Status open() {
        TRY(disk_.open());
        TRY_ASSIGN(top_.tree, subvolume(kTopSubvolume));
        const Place top = top_;
        TRY_ASSIGN(const auto chosen, look_up({disk_.root_tree(), kRootTreeDirectory}, "default"));
        if (chosen) {
            top_ = *chosen;
        }
        TRY_ASSIGN(bool found, has_system());
        for (std::size_t i = 0; !found && i < kRootNames.size(); ++i) {
            top_ = top;
            TRY_ASSIGN(const auto below, walk(kRootNames[i]));
            if (below) {
                top_ = *below;
                TRY_ASSIGN(found, has_system());
            }
        }
        return ok();
    }

    Result<NodeKind> kind(const std::string& path) override {
        TRY_ASSIGN(const auto place, walk(path));
        return place ? kind_of(*place) : Result<NodeKind>(NodeKind::none);
    }
    Result<std::string> read(const std::string& path, std::size_t limit) override {
        return read_node(path, NodeKind::file, limit);
    }
    Result<std::string> link_target(const std::string& path) override {
        return read_node(path, NodeKind::symlink, kMaxLink);
    }

  private:
    Result<bool> has_system() {
        TRY_ASSIGN(const auto usr, walk("/usr"));
        TRY_ASSIGN(const auto etc, walk("/etc"));
        return usr.has_value() || etc.has_value();
    }

    // The top node of its tree.
    Result<std::uint64_t> subvolume(std::uint64_t id) {
        TRY_ASSIGN(const auto item, disk_.first_from(disk_.root_tree(), {id, kRootItem, 0}));
        if (!item || item->key.object != id || item->key.type != kRootItem ||
            item->data.size() < kInodeBytes + 24) {
            return damaged("a subvolume is not there");
        }
        return get_le<std::uint64_t>(&item->data[kInodeBytes + 16]);
    }

    // A name in a directory; names of one hash share an item.
    Result<std::optional<Place>> look_up(const Place& directory, std::string_view name) {
        TRY_ASSIGN(const auto item,
                   disk_.find(directory.tree, {directory.inode, kDirItem, name_hash(name)}));
        ByteView rest = item ? ByteView(item->data) : ByteView();
        while (rest.size() >= kDirEntryHead) {
            const std::size_t data = get_le<std::uint16_t>(&rest[25]);
            const std::size_t length = get_le<std::uint16_t>(&rest[27]);
            if (data + length > rest.size() - kDirEntryHead) {
                return damaged("a directory is damaged");
            }
            if (as_text(rest.subspan(kDirEntryHead, length)) == name) {
                return place_of(directory, btrfs::read_key(rest.data()));
            }
            rest = rest.subspan(kDirEntryHead + length + data);
        }
        return std::optional<Place>();
    }
    Result<std::optional<Place>> place_of(const Place& directory, const Key& location) {
        if (location.type != kRootItem) {
            return std::optional<Place>({directory.tree, location.object});
        }
        TRY_ASSIGN(const std::uint64_t tree, subvolume(location.object));
        return std::optional<Place>({tree, kFirstInode});
    }
    Result<std::optional<Place>> walk(std::string_view path) {
        Place at = top_;
        for (const std::string_view name : split(path, '/')) {
            if (name.empty()) {
                continue;
            }
            TRY_ASSIGN(const auto next, look_up(at, name));
            if (!next) {
                return next;
            }
            at = *next;
        }
        return std::optional<Place>(at);
    }

    Result<Bytes> inode(const Place& place) {
        TRY_ASSIGN(auto item, disk_.find(place.tree, {place.inode, kInodeItem, 0}));
        if (!item || item->data.size() < kInodeBytes) {
            return damaged("an inode is not there");
        }
        return std::move(item->data);
    }
    Result<NodeKind> kind_of(const Place& place) {
        TRY_ASSIGN(const Bytes bytes, inode(place));
        switch (get_le<std::uint32_t>(&bytes[52]) & kTypeMask) {
            case 0100000:
                return NodeKind::file;
            case 0040000:
                return NodeKind::directory;
            case 0120000:
                return NodeKind::symlink;
            default:
                return NodeKind::other;
        }
    }

    Result<std::string> read_node(const std::string& path, NodeKind wanted, std::size_t limit) {
        TRY_ASSIGN(const auto place, walk(path));
        if (!place) {
            return Error(Code::not_found, path + " is not there");
        }
        TRY_ASSIGN(const NodeKind kind, kind_of(*place));
        if (kind != wanted) {
            return Error(Code::not_found, path + " is something else");
        }
        TRY_ASSIGN(const Bytes bytes, inode(*place));
        const auto size = get_le<std::uint64_t>(&bytes[16]);
        // What no extent covers is zeros.
        std::string text(static_cast<std::size_t>(std::min<std::uint64_t>(size, limit)), '\0');
        Key key{place->inode, kExtentData, 0};
        for (;;) {
            TRY_ASSIGN(const auto item, disk_.first_from(place->tree, key));
            if (!item || item->key.object != place->inode || item->key.type != kExtentData ||
                item->key.offset >= text.size()) {
                return text;
            }
            TRY_ASSIGN(const Bytes part, extent(item->data, text.size() - item->key.offset));
            const std::size_t count = std::min(part.size(), text.size() - item->key.offset);
            std::copy_n(part.begin(), count,
                        text.begin() + static_cast<std::ptrdiff_t>(item->key.offset));
            key.offset = item->key.offset + 1;
        }
    }

    // At least the first `wanted` bytes of an extent, or all of it.
    Result<Bytes> extent(ByteView item, std::size_t wanted) {
        if (item.size() < kExtentHead || item[17] != 0) {
            return damaged("an extent is damaged or encrypted");
        }
        const auto whole = get_le<std::uint64_t>(&item[8]);
        const std::uint8_t compression = item[16];
        if (item[20] == 0) {  // in the item itself
            return unpacked(compression, item.subspan(kExtentHead), whole);
        }
        if (item.size() < kExtentBytes) {
            return damaged("an extent is damaged");
        }
        const auto address = get_le<std::uint64_t>(&item[21]);
        const auto stored = get_le<std::uint64_t>(&item[29]);
        const auto begin = get_le<std::uint64_t>(&item[37]);
        const auto length = get_le<std::uint64_t>(&item[45]);
        const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(length, wanted));
        if (address == 0 || item[20] == 2) {  // a hole, or reserved and never written
            return Bytes(count, 0);
        }
        if (compression == 0) {
            if (begin > stored || count > stored - begin || address + begin < address) {
                return damaged("an extent is damaged");
            }
            Bytes bytes(count);
            TRY(disk_.read_logical(address + begin, bytes));
            return bytes;
        }
        if (stored > kMaxCompressed) {
            return damaged("an extent is damaged");
        }
        Bytes packed(static_cast<std::size_t>(stored));
        TRY(disk_.read_logical(address, packed));
        TRY_ASSIGN(Bytes bytes, unpacked(compression, packed, whole));
        if (begin > bytes.size() || count > bytes.size() - begin) {
            return damaged("an extent is damaged");
        }
        bytes.erase(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(begin));
        return bytes;
    }

    static Result<Bytes> unpacked(std::uint8_t compression, ByteView packed, std::uint64_t whole) {
        if (compression == 0) {
            return Bytes(packed.begin(), packed.end());
        }
        if (compression != 3) {
            return damaged(fmt::format("a file is compressed with {}, which is not read",
                                       compression == 1 ? "zlib" : "LZO"));
        }
        if (whole > kMaxCompressed) {
            return damaged("an extent is damaged");
        }
        // Sectors are filled up behind the end of the frame.
        const std::size_t frame = ::ZSTD_findFrameCompressedSize(packed.data(), packed.size());
        Bytes bytes(static_cast<std::size_t>(whole));
        const std::size_t got =
            ::ZSTD_isError(frame) != 0
                ? frame
                : ::ZSTD_decompress(bytes.data(), bytes.size(), packed.data(), frame);
        if (::ZSTD_isError(got) != 0) {
            return damaged("a compressed extent is damaged");
        }
        bytes.resize(got);
        return bytes;
    }

    btrfs::Disk disk_;
    Place top_;
};

}  // namespace

Result<std::unique_ptr<FileTree>> open_btrfs(std::uint64_t size_bytes, ReadAt read) {
    auto tree = std::make_unique<BtrfsTree>(size_bytes, std::move(read));
    TRY(tree->open());
    return std::unique_ptr<FileTree>(std::move(tree));
}

}  // namespace kiln::disks
