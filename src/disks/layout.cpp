// SPDX-License-Identifier: Apache-2.0
#include "disks/layout.h"

#include <algorithm>
#include <array>
#include <span>

#include "disks/fat_directory.h"

namespace kiln::disks {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::size_t kBootCode = 440;  // then the disk's id and the partition table
constexpr std::size_t kTable = 446;
constexpr std::size_t kTableEntry = 16;
constexpr std::uint8_t kTypeEfi = 0xef;
constexpr std::uint8_t kTypeGpt = 0xee;
// Tools make 128 entries of 128 bytes; whoever has more has no system partition among the rest.
constexpr std::uint32_t kMaxGptEntries = 1024;
constexpr std::uint32_t kMaxGptEntryBytes = 4096;
constexpr std::size_t kMaxEfiPartitions = 4;
constexpr std::size_t kMaxLogical = 32;
// C12A7328-F81F-11D2-BA4B-00A0C93EC93B as it lies on the disk.
constexpr std::array<std::uint8_t, 16> kEfiType{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
                                                0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};
// 21686148-6449-6E6F-744E-656564454649
constexpr std::array<std::uint8_t, 16> kBiosBootType{
    0x48, 0x61, 0x68, 0x21, 0x49, 0x64, 0x6f, 0x6e, 0x74, 0x4e, 0x65, 0x65, 0x64, 0x45, 0x46, 0x49};
// On a disk without any, the entry's type is zeros.
constexpr std::array<std::uint8_t, 16> kUnusedType{};

std::uint64_t first_sector(ByteView mbr_entry) {
    return get_le<std::uint32_t>(&mbr_entry[8]);
}
std::uint64_t sector_count(ByteView mbr_entry) {
    return get_le<std::uint32_t>(&mbr_entry[12]);
}
bool is_extended(std::uint8_t type) {
    return type == 0x05 || type == 0x0f || type == 0x85;
}
Partition::Use use_of(std::span<const std::uint8_t, 16> gpt_type) {
    if (std::equal(kEfiType.begin(), kEfiType.end(), gpt_type.begin())) {
        return Partition::Use::efi_system;
    }
    return std::equal(kBiosBootType.begin(), kBiosBootType.end(), gpt_type.begin())
               ? Partition::Use::bios_boot
               : Partition::Use::other;
}

class LayoutReader {
  public:
    LayoutReader(std::uint64_t size_bytes, const ReadAt& read) : size_(size_bytes), read_(read) {}

    Result<DiskLayout> run() {
        Bytes first(kSector);
        if (size_ < kSector) {
            return layout_;
        }
        TRY(read_(0, first));
        take_mbr(first);
        for (const std::uint64_t sector : {512U, 4096U}) {
            TRY_ASSIGN(const bool found, take_gpt(sector));
            if (found) {
                break;
            }
        }
        if (layout_.scheme == DiskLayout::Scheme::mbr) {
            TRY(take_mbr_partitions(first));
        }
        std::size_t looked_at = 0;
        for (const Partition& partition : layout_.partitions) {
            if (partition.use == Partition::Use::efi_system && looked_at++ < kMaxEfiPartitions) {
                layout_.efi_partition = true;
                TRY(look_for_loaders(partition));
            }
        }
        return layout_;
    }

  private:
    // A FAT or NTFS file system without partitions begins with a jump and has the same signature;
    // where partitions would be it has code.
    void take_mbr(ByteView sector) {
        if (get_le<std::uint16_t>(&sector[510]) != 0xaa55) {
            return;
        }
        const auto entry = [&](std::size_t i) {
            return sector.subspan(kTable + i * kTableEntry, kTableEntry);
        };
        std::size_t used = 0;
        for (std::size_t i = 0; i < 4; ++i) {
            const bool taken = entry(i)[4] != 0;
            // mtools writes a partition that holds its own table.
            if ((entry(i)[0] & 0x7f) != 0 || (taken && first_sector(entry(i)) == 0)) {
                return;  // no partition table
            }
            used += taken ? 1 : 0;
        }
        if (used == 0) {
            return;
        }
        layout_.scheme = DiskLayout::Scheme::mbr;
        layout_.bios_code = std::any_of(sector.begin(), sector.begin() + kBootCode,
                                        [](std::uint8_t byte) { return byte != 0; });
        for (std::size_t i = 0; i < 4; ++i) {
            gpt_announced_ = gpt_announced_ || entry(i)[4] == kTypeGpt;
        }
    }

    Status take_mbr_partitions(ByteView sector) {
        std::uint64_t extended = 0;
        for (std::uint32_t i = 0; i < 4; ++i) {
            const ByteView entry = sector.subspan(kTable + i * kTableEntry, kTableEntry);
            if (is_extended(entry[4])) {
                extended = first_sector(entry);
            } else if (entry[4] != 0 && entry[4] != kTypeGpt) {
                add(i + 1, first_sector(entry), sector_count(entry), kSector,
                    entry[4] == kTypeEfi ? Partition::Use::efi_system : Partition::Use::other);
            }
        }
        return extended == 0 ? ok() : take_logical(extended);
    }

    // A chain of tables: the first entry is a partition, from the table on; the second leads to the
    // next table, from the extended partition's beginning on.
    Status take_logical(std::uint64_t extended) {
        std::uint64_t at = extended;
        for (std::uint32_t number = 5; number < 5 + kMaxLogical; ++number) {
            if (at >= size_ / kSector) {
                layout_.cut_short = true;
                return ok();
            }
            Bytes table(kSector);
            TRY(read_(at * kSector, table));
            const ByteView own = ByteView(table).subspan(kTable, kTableEntry);
            const ByteView next = ByteView(table).subspan(kTable + kTableEntry, kTableEntry);
            if (get_le<std::uint16_t>(&table[510]) != 0xaa55 || own[4] == 0) {
                return ok();
            }
            add(number, at + first_sector(own), sector_count(own), kSector, Partition::Use::other);
            if (!is_extended(next[4])) {
                return ok();
            }
            at = extended + first_sector(next);
        }
        return ok();
    }

    // By the header in the second sector; its checksums are the firmware's matter.
    Result<bool> take_gpt(std::uint64_t sector) {
        if (!gpt_announced_ || size_ < 2 * sector) {
            return false;
        }
        Bytes header(92);
        TRY(read_(sector, header));
        const auto table = get_le<std::uint64_t>(&header[72]);
        const std::uint32_t count = std::min(get_le<std::uint32_t>(&header[80]), kMaxGptEntries);
        const auto entry_bytes = get_le<std::uint32_t>(&header[84]);
        if (as_text(header).substr(0, 8) != "EFI PART" || entry_bytes < 128 ||
            entry_bytes > kMaxGptEntryBytes || table > size_ / sector ||
            std::uint64_t{count} * entry_bytes > size_ - table * sector) {
            return false;
        }
        layout_.scheme = DiskLayout::Scheme::gpt;
        Bytes entries(std::size_t{count} * entry_bytes);
        TRY(read_(table * sector, entries));
        for (std::uint32_t i = 0; i < count; ++i) {
            const ByteView entry = ByteView(entries).subspan(std::size_t{i} * entry_bytes, 48);
            const auto begin = get_le<std::uint64_t>(&entry[32]);
            const auto last = get_le<std::uint64_t>(&entry[40]);
            const auto type = entry.first<16>();
            if (last >= begin && !std::equal(type.begin(), type.end(), kUnusedType.begin())) {
                add(i + 1, begin, last - begin + 1, sector, use_of(type));
            }
        }
        // Where the second copy of the table lies, at the disk's end.
        const auto copy = get_le<std::uint64_t>(&header[32]);
        layout_.cut_short = layout_.cut_short || copy >= size_ / sector;
        return true;
    }

    // `begin` and `count` in sectors.
    void add(std::uint32_t number, std::uint64_t begin, std::uint64_t count, std::uint64_t sector,
             Partition::Use use) {
        const std::uint64_t sectors = size_ / sector;
        if (begin == 0 || count == 0) {
            return;
        }
        if (begin >= sectors || count > sectors - begin) {
            layout_.cut_short = true;
        } else if (layout_.partitions.size() < kMaxPartitions) {
            layout_.partitions.push_back({number, begin * sector, count * sector, use});
        }
    }

    Status look_for_loaders(const Partition& partition) {
        const ReadAt inside = [&](std::uint64_t offset, MutableByteView into) {
            return read_(partition.offset + offset, into);
        };
        TRY_ASSIGN(const auto found,
                   find_on_fat(partition.length, inside, {"EFI        ", "BOOT       "},
                               {"BOOTX64 EFI", "BOOTAA64EFI"}));
        layout_.efi_x64 = layout_.efi_x64 || found[0];
        layout_.efi_arm64 = layout_.efi_arm64 || found[1];
        return ok();
    }

    const std::uint64_t size_;
    const ReadAt& read_;
    DiskLayout layout_;
    bool gpt_announced_ = false;
};

}  // namespace

Result<DiskLayout> read_layout(std::uint64_t size_bytes, const ReadAt& read) {
    return LayoutReader(size_bytes, read).run();
}

BootFacts boot_facts(const DiskLayout& layout) {
    if (layout.efi_x64 && layout.efi_arm64) {
        return {"", "uefi"};
    }
    if (layout.efi_arm64) {
        return {"arm64", "uefi"};
    }
    if (layout.efi_x64) {
        return {"x86_64", layout.bios_code ? "uefi-preferred" : "uefi"};
    }
    if (layout.bios_code) {
        return {"x86_64", "legacy-bios"};
    }
    return {};
}

std::string describe_layout(const DiskLayout& layout) {
    std::string text;
    switch (layout.scheme) {
        case DiskLayout::Scheme::none:
            return "no partition table";
        case DiskLayout::Scheme::mbr:
            text = "MBR";
            break;
        case DiskLayout::Scheme::gpt:
            text = "GPT";
            break;
    }
    text += layout.bios_code ? ", boot code" : "";
    text += layout.efi_partition ? ", EFI partition" : "";
    text += layout.efi_x64 ? ", EFI loader for x86_64" : "";
    text += layout.efi_arm64 ? ", EFI loader for arm64" : "";
    return text;
}

}  // namespace kiln::disks
