// SPDX-License-Identifier: Apache-2.0
#include "cli/disk_layout.h"

#include <algorithm>
#include <array>

#include "cli/fat_directory.h"

namespace kiln::cli {
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
// C12A7328-F81F-11D2-BA4B-00A0C93EC93B as it lies on the disk.
constexpr std::array<std::uint8_t, 16> kEfiType{0x28, 0x73, 0x2a, 0xc1, 0x1f, 0xf8, 0xd2, 0x11,
                                                0xba, 0x4b, 0x00, 0xa0, 0xc9, 0x3e, 0xc9, 0x3b};

struct Partition {
    std::uint64_t offset = 0;
    std::uint64_t length = 0;
};

std::uint64_t first_sector(ByteView mbr_entry) {
    return get_le<std::uint32_t>(&mbr_entry[8]);
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
        layout_.efi_partition = !efi_.empty();
        for (const Partition& partition : efi_) {
            TRY(look_for_loaders(partition));
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
            if (entry(i)[4] == kTypeEfi) {
                add_efi(first_sector(entry(i)), get_le<std::uint32_t>(&entry(i)[12]), kSector);
            }
            gpt_announced_ = gpt_announced_ || entry(i)[4] == kTypeGpt;
        }
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
            if (std::equal(kEfiType.begin(), kEfiType.end(), entry.begin()) && last >= begin &&
                last < size_ / sector) {
                add_efi(begin, last - begin + 1, sector);
            }
        }
        return true;
    }

    // `begin` and `count` in sectors.
    void add_efi(std::uint64_t begin, std::uint64_t count, std::uint64_t sector) {
        const std::uint64_t sectors = size_ / sector;
        if (begin != 0 && count != 0 && begin < sectors && count <= sectors - begin &&
            efi_.size() < kMaxEfiPartitions) {
            efi_.push_back({begin * sector, count * sector});
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
    std::vector<Partition> efi_;
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

}  // namespace kiln::cli
