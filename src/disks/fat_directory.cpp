// SPDX-License-Identifier: Apache-2.0
#include "disks/fat_directory.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

namespace kiln::disks {
namespace {

constexpr std::size_t kEntryBytes = 32;
constexpr std::size_t kNameBytes = 11;
// The directories we look into have a handful of entries; a hostile chain of clusters ends here.
constexpr std::uint32_t kMaxBytes = 1U << 20;
constexpr std::uint64_t kMaxRootBytes = 64U << 10;

struct Fat {
    enum class Kind { fat12, fat16, fat32 };
    Kind kind = Kind::fat12;
    std::uint64_t table = 0;  // bytes from the beginning
    std::uint64_t table_bytes = 0;
    std::uint64_t root = 0;  // FAT12 and FAT16: bytes from the beginning
    std::uint64_t root_bytes = 0;
    std::uint32_t root_cluster = 0;  // FAT32
    std::uint64_t data = 0;
    std::uint32_t cluster_bytes = 0;
    std::uint32_t clusters = 0;
};

std::optional<Fat> parse_boot_sector(ByteView sector, std::uint64_t size_bytes) {
    const auto u16 = [&](std::size_t at) { return get_le<std::uint16_t>(&sector[at]); };
    const auto u32 = [&](std::size_t at) { return get_le<std::uint32_t>(&sector[at]); };
    const std::uint64_t sector_bytes = u16(11);
    const std::uint64_t per_cluster = sector[13];
    const std::uint64_t reserved = u16(14);
    const std::uint64_t tables = sector[16];
    const std::uint64_t root_entries = u16(17);
    const std::uint64_t sectors = u16(19) != 0 ? u16(19) : u32(32);
    const std::uint64_t table_sectors = u16(22) != 0 ? u16(22) : u32(36);
    if (u16(510) != 0xaa55 || sector_bytes < 512 || sector_bytes > 4096 ||
        !std::has_single_bit(sector_bytes) || !std::has_single_bit(per_cluster) || reserved == 0 ||
        tables == 0 || tables > 4 || table_sectors == 0 || sectors > size_bytes / sector_bytes) {
        return std::nullopt;
    }
    const std::uint64_t root_sectors =
        (root_entries * kEntryBytes + sector_bytes - 1) / sector_bytes;
    const std::uint64_t before = reserved + tables * table_sectors + root_sectors;
    if (before >= sectors) {
        return std::nullopt;
    }
    const std::uint64_t clusters = (sectors - before) / per_cluster;
    Fat fat;
    fat.kind = clusters < 4085    ? Fat::Kind::fat12
               : clusters < 65525 ? Fat::Kind::fat16
                                  : Fat::Kind::fat32;
    if ((fat.kind == Fat::Kind::fat32) != (root_entries == 0) || clusters > 0x0fff'fff5) {
        return std::nullopt;
    }
    fat.table = reserved * sector_bytes;
    fat.table_bytes = table_sectors * sector_bytes;
    fat.root = (reserved + tables * table_sectors) * sector_bytes;
    fat.root_bytes = std::min(root_entries * kEntryBytes, kMaxRootBytes);
    fat.root_cluster = fat.kind == Fat::Kind::fat32 ? u32(44) : 0;
    fat.data = before * sector_bytes;
    fat.cluster_bytes = static_cast<std::uint32_t>(per_cluster * sector_bytes);
    fat.clusters = static_cast<std::uint32_t>(clusters);
    return fat;
}

class Walk {
  public:
    Walk(const Fat& fat, const ReadAt& read) : fat_(fat), read_(read) {}

    // The entries of a directory; cluster 0 is the root.
    Result<Bytes> directory(std::uint32_t cluster) {
        if (cluster == 0 && fat_.kind != Fat::Kind::fat32) {
            Bytes bytes(fat_.root_bytes);
            TRY(read_(fat_.root, bytes));
            return bytes;
        }
        cluster = cluster == 0 ? fat_.root_cluster : cluster;
        Bytes bytes;
        while (is_data(cluster) && left_ >= fat_.cluster_bytes) {
            left_ -= fat_.cluster_bytes;
            const std::size_t at = bytes.size();
            bytes.resize(at + fat_.cluster_bytes);
            const std::uint64_t offset =
                fat_.data + std::uint64_t{cluster - 2} * fat_.cluster_bytes;
            TRY(read_(offset, MutableByteView(bytes).subspan(at)));
            TRY_ASSIGN(cluster, next(cluster));
        }
        return bytes;
    }

  private:
    bool is_data(std::uint32_t cluster) const {
        return cluster >= 2 && cluster - 2 < fat_.clusters;
    }
    // 0 for the end of the chain, or a table that is too short.
    Result<std::uint32_t> next(std::uint32_t cluster) {
        std::array<std::uint8_t, 4> entry{};
        const std::size_t width = fat_.kind == Fat::Kind::fat32 ? 4 : 2;
        const std::uint64_t at = fat_.kind == Fat::Kind::fat12 ? std::uint64_t{cluster} * 3 / 2
                                                               : std::uint64_t{cluster} * width;
        if (at + width > fat_.table_bytes) {
            return 0U;
        }
        TRY(read_(fat_.table + at, MutableByteView(entry).first(width)));
        switch (fat_.kind) {
            case Fat::Kind::fat12: {
                const std::uint32_t both = get_le<std::uint16_t>(entry.data());
                return cluster % 2 == 0 ? both & 0xfffU : both >> 4;
            }
            case Fat::Kind::fat16:
                return std::uint32_t{get_le<std::uint16_t>(entry.data())};
            case Fat::Kind::fat32:
                return get_le<std::uint32_t>(entry.data()) & 0x0fff'ffffU;
        }
        return 0U;
    }

    const Fat& fat_;
    const ReadAt& read_;
    std::uint32_t left_ = kMaxBytes;
};

// The entry of that name, and of that kind.
std::optional<ByteView> find_entry(ByteView entries, std::string_view name, bool directory) {
    constexpr std::uint8_t kLabel = 0x08;  // also part of what marks a long name
    constexpr std::uint8_t kDirectory = 0x10;
    for (; entries.size() >= kEntryBytes && entries[0] != 0;
         entries = entries.subspan(kEntryBytes)) {
        const std::uint8_t attributes = entries[11];
        if ((attributes & kLabel) == 0 && ((attributes & kDirectory) != 0) == directory &&
            as_text(entries.first(kNameBytes)) == name) {
            return entries.first(kEntryBytes);
        }
    }
    return std::nullopt;
}

}  // namespace

Result<std::vector<bool>> find_on_fat(std::uint64_t size_bytes, const ReadAt& read,
                                      const std::vector<std::string_view>& directories,
                                      const std::vector<std::string_view>& files) {
    std::vector<bool> found(files.size(), false);
    Bytes sector(512);
    if (size_bytes < sector.size()) {
        return found;
    }
    TRY(read(0, sector));
    const auto fat = parse_boot_sector(sector, size_bytes);
    if (!fat) {
        return found;
    }
    Walk walk(*fat, read);
    TRY_ASSIGN(Bytes entries, walk.directory(0));
    for (const std::string_view name : directories) {
        const auto entry = find_entry(entries, name, true);
        if (!entry) {
            return found;
        }
        const std::uint32_t high = fat->kind == Fat::Kind::fat32
                                       ? get_le<std::uint16_t>(entry->data() + 20)
                                       : std::uint16_t{0};
        const std::uint32_t cluster = high << 16 | get_le<std::uint16_t>(entry->data() + 26);
        if (cluster == 0) {
            return found;
        }
        TRY_ASSIGN(entries, walk.directory(cluster));
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        found[i] = find_entry(entries, files[i], false).has_value();
    }
    return found;
}

}  // namespace kiln::disks
