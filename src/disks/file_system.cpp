// SPDX-License-Identifier: Apache-2.0
#include "disks/file_system.h"

#include <algorithm>
#include <array>

namespace kiln::disks {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kProbeBytes = (64U << 10) + 4096;  // btrfs has its mark behind 64 KiB
constexpr std::size_t kExt = 1024;                       // its superblock
constexpr std::size_t kBtrfs = 64U << 10;
constexpr std::uint32_t kExtJournal = 0x4;
// Extents, 64 bit, flexible groups: what mount takes for ext4 alone.
constexpr std::uint32_t kExt4 = 0x40 | 0x80 | 0x200;

struct Mark {
    std::size_t at;
    std::string_view bytes;
    const char* type;
    std::size_t label_at;
    std::size_t label_length;
};

// The first that fits counts. NTFS and exFAT look like FAT at the end of their first sector.
constexpr std::array kMarks{
    Mark{0, "LUKS\xba\xbe"sv, "crypto_LUKS", 0, 0},
    Mark{536, "LVM2 001"sv, "LVM2_member", 0, 0},
    Mark{4086, "SWAPSPACE2"sv, "swap", 1052, 16},
    Mark{0, "XFSB"sv, "xfs", 108, 12},
    Mark{kBtrfs + 64, "_BHRfS_M"sv, "btrfs", kBtrfs + 0x12b, 256},
    Mark{3, "NTFS    "sv, "ntfs", 0, 0},
    Mark{3, "EXFAT   "sv, "exfat", 0, 0},
    Mark{54, "FAT"sv, "vfat", 43, 11},
    Mark{82, "FAT32"sv, "vfat", 71, 11},
    Mark{0, "hsqs"sv, "squashfs", 0, 0},
    Mark{1024, "\xe2\xe1\xf5\xe0"sv, "erofs", 1088, 16},
    Mark{1024, "\x10\x20\xf5\xf2"sv, "f2fs", 0, 0},
    Mark{32769, "CD001"sv, "iso9660", 32808, 32},
};

std::string label_of(std::string_view bytes) {
    bytes = bytes.substr(0, bytes.find('\0'));
    const std::size_t end = bytes.find_last_not_of(' ');
    return end == std::string_view::npos ? std::string() : printable(bytes.substr(0, end + 1));
}

std::string ext_type(std::string_view head) {
    const auto* at = reinterpret_cast<const std::uint8_t*>(head.data()) + kExt;
    if (get_le<std::uint16_t>(at + 56) != 0xef53) {
        return {};
    }
    if ((get_le<std::uint32_t>(at + 96) & kExt4) != 0) {
        return "ext4";
    }
    return (get_le<std::uint32_t>(at + 92) & kExtJournal) != 0 ? "ext3" : "ext2";
}

}  // namespace

Result<FileSystem> probe_file_system(std::uint64_t size_bytes, const ReadAt& read) {
    Bytes bytes(kProbeBytes, 0);
    TRY(read(0, MutableByteView(bytes).first(
                    static_cast<std::size_t>(std::min<std::uint64_t>(kProbeBytes, size_bytes)))));
    const std::string_view head = as_text(bytes);
    for (const Mark& mark : kMarks) {
        if (head.substr(mark.at, mark.bytes.size()) == mark.bytes) {
            return FileSystem{mark.type, label_of(head.substr(mark.label_at, mark.label_length))};
        }
    }
    const std::string type = ext_type(head);
    return FileSystem{type, type.empty() ? "" : label_of(head.substr(kExt + 120, 16))};
}

bool has_readable_files(const FileSystem& file_system) {
    return file_system.type == "ext2" || file_system.type == "ext3" || file_system.type == "ext4" ||
           file_system.type == "xfs" || file_system.type == "btrfs";
}

namespace {

Result<std::unique_ptr<FileTree>> open_tree(const std::string& type, std::uint64_t size_bytes,
                                            const ReadAt& read) {
    if (type == "xfs") {
        return open_xfs(size_bytes, read);
    }
    return type == "btrfs" ? open_btrfs(size_bytes, read) : open_ext(size_bytes, read);
}

}  // namespace

FileSystemFindings examine(std::uint64_t size_bytes, const ReadAt& read) {
    FileSystemFindings findings;
    const auto probed = probe_file_system(size_bytes, read);
    if (!probed) {
        findings.why_not = printable(probed.error().message());
        return findings;
    }
    findings.file_system = *probed;
    if (!has_readable_files(*probed)) {
        return findings;
    }
    const auto tree = open_tree(probed->type, size_bytes, read);
    if (!tree) {
        findings.why_not = printable(tree.error().message());
        return findings;
    }
    auto system = find_system(**tree);
    if (!system) {
        findings.why_not = printable(system.error().message());
        return findings;
    }
    findings.read = true;
    findings.system = std::move(*system);
    return findings;
}

}  // namespace kiln::disks
