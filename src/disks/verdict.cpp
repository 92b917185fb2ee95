// SPDX-License-Identifier: Apache-2.0
// Whether a disk looks as if it could boot, in words for a person.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "disks/inspection.h"

namespace kiln::disks {
namespace {

using nlohmann::json;
using Scheme = DiskLayout::Scheme;

bool has_loader(const DiskLayout& layout) {
    return layout.bios_code || layout.efi_x64 || layout.efi_arm64;
}

// Nothing is left in it that could hold an operating system unseen.
bool is_read_or_empty(const FileSystemFindings& findings) {
    static constexpr std::array<std::string_view, 3> kEmpty{"", "swap", "vfat"};
    return findings.read ||
           (findings.why_not.empty() &&
            std::find(kEmpty.begin(), kEmpty.end(), findings.file_system.type) != kEmpty.end());
}

bool everything_was_read(const Inspection& disk) {
    return disk.parts.size() >= disk.layout.partitions.size() &&
           std::all_of(disk.parts.begin(), disk.parts.end(), [](const Inspection::Part& part) {
               return is_read_or_empty(part.findings);
           });
}

std::string without_table(const Inspection& disk) {
    const std::string type = disk.parts.empty() ? "" : disk.parts.front().findings.file_system.type;
    if (disk.system() != nullptr) {
        return fmt::format(
            "It is a file system ({}) without a partition table and a boot loader: "
            "make a disk of it, with both.",
            type);
    }
    if (!type.empty()) {
        return fmt::format(
            "It has no partition table, and is one whole {}: a data disk, as it "
            "seems, and no root device.",
            type);
    }
    return "It has no partition table and no known file system: it is empty, or of another format "
           "than was said.";
}

std::string without_loader(const DiskLayout& layout) {
    return layout.efi_partition
               ? "Its first sector has no boot code, and its EFI system partition no "
                 "\\EFI\\BOOT\\BOOTX64.EFI or BOOTAA64.EFI, which is what a new instance's "
                 "firmware "
                 "looks for: install the boot loader with --removable (grub-install)."
               : "It has partitions, but no boot code in the first sector and no EFI system "
                 "partition: it is a data disk, or no boot loader was installed.";
}

json part_json(const Inspection::Part& part) {
    const FileSystemFindings& findings = part.findings;
    json out{{"offset", part.partition.offset}, {"sizeBytes", part.partition.length}};
    if (part.partition.number != 0) {
        out["number"] = part.partition.number;
    }
    if (part.partition.use == Partition::Use::efi_system) {
        out["use"] = "EFI system";
    } else if (part.partition.use == Partition::Use::bios_boot) {
        out["use"] = "BIOS boot";
    }
    if (!findings.file_system.type.empty()) {
        out["fileSystem"] = findings.file_system.type;
        out["contentsRead"] = findings.read;
    }
    if (!findings.file_system.label.empty()) {
        out["label"] = findings.file_system.label;
    }
    if (!findings.why_not.empty()) {
        out["whyNot"] = findings.why_not;
    }
    return out;
}

std::string_view name_of(Scheme scheme) {
    switch (scheme) {
        case Scheme::none:
            return "none";
        case Scheme::mbr:
            return "mbr";
        case Scheme::gpt:
            return "gpt";
    }
    return "none";
}

}  // namespace

std::vector<std::string> boot_warnings(const Inspection& disk) {
    std::vector<std::string> warnings;
    if (disk.layout.cut_short) {
        warnings.emplace_back(
            "It is cut short: its partition table tells of more than there is. Fetch the file "
            "again, whole.");
    }
    if (disk.layout.scheme == Scheme::none) {
        warnings.push_back(without_table(disk));
        return warnings;
    }
    if (!has_loader(disk.layout)) {
        warnings.push_back(without_loader(disk.layout));
    }
    if (disk.system() == nullptr && everything_was_read(disk)) {
        warnings.emplace_back(
            "No operating system is on it: its file systems have neither an os-release nor "
            "programs.");
    }
    if (disk.system() != nullptr && disk.architecture().empty() &&
        !disk.system()->architecture.empty()) {
        warnings.push_back(fmt::format("Its programs are for {} processors, which no instance has.",
                                       disk.system()->architecture));
    }
    return warnings;
}

std::vector<std::string> claim_warnings(const Inspection& disk, const ImageClaims& claims) {
    std::vector<std::string> warnings;
    const std::string found = disk.architecture();
    if (!found.empty() && !claims.architecture.empty() && found != claims.architecture) {
        warnings.push_back(
            fmt::format("The image says {}, its disk is for {}.", claims.architecture, found));
    }
    if (!claims.hvm || !has_loader(disk.layout)) {
        return warnings;
    }
    const bool bios = claims.boot_mode.empty() || claims.boot_mode == "legacy-bios";
    const bool efi = disk.layout.efi_x64 || disk.layout.efi_arm64;
    if (bios && !disk.layout.bios_code) {
        warnings.push_back(
            fmt::format("{}, and its disk boots with UEFI alone: register it with "
                        "boot mode uefi.",
                        claims.boot_mode.empty() ? "The image has no boot mode, which means BIOS"
                                                 : "The image says legacy-bios"));
    }
    if (!bios && !efi) {
        warnings.push_back(
            fmt::format("The image says {}, and its disk has no EFI loader: "
                        "register it with boot mode legacy-bios.",
                        claims.boot_mode));
    }
    return warnings;
}

std::string describe_system(const Inspection& disk) {
    const System* system = disk.system();
    if (system != nullptr) {
        const Inspection::Part& part = disk.parts[static_cast<std::size_t>(disk.root)];
        return fmt::format(
            "{}, {}{}{}", system->name.empty() ? "a system without a name" : system->name,
            part.findings.file_system.type,
            part.partition.number == 0 ? ""
                                       : fmt::format(" in partition {}", part.partition.number),
            system->cloud_init ? ", cloud-init" : "");
    }
    if (!disk.why_not.empty()) {
        return "not told: " + disk.why_not;
    }
    std::string unread;
    for (const Inspection::Part& part : disk.parts) {
        const FileSystem& found = part.findings.file_system;
        if (!is_read_or_empty(part.findings)) {
            unread += fmt::format("{}{}{}", unread.empty() ? "" : ", ",
                                  found.type.empty() ? "something" : found.type,
                                  found.label.empty() ? "" : " \"" + found.label + "\"");
        }
    }
    return unread.empty() ? "none found" : "not told: files are not read from " + unread;
}

std::string inspection_json(const Inspection& disk) {
    json out{{"sizeBytes", disk.size_bytes},      {"partitionTable", name_of(disk.layout.scheme)},
             {"bootCode", disk.layout.bios_code}, {"efiLoaders", json::array()},
             {"partitions", json::array()},       {"bootWarnings", boot_warnings(disk)}};
    out["looksBootable"] = out["bootWarnings"].empty();
    if (disk.layout.efi_x64) {
        out["efiLoaders"].push_back("x86_64");
    }
    if (disk.layout.efi_arm64) {
        out["efiLoaders"].push_back("arm64");
    }
    for (const Inspection::Part& part : disk.parts) {
        out["partitions"].push_back(part_json(part));
    }
    if (!disk.why_not.empty()) {
        out["fileSystemsNotRead"] = disk.why_not;
    }
    if (const std::string architecture = disk.architecture(); !architecture.empty()) {
        out["architecture"] = architecture;
    }
    if (const BootFacts facts = boot_facts(disk.layout); !facts.boot_mode.empty()) {
        out["bootMode"] = facts.boot_mode;
    }
    if (const System* system = disk.system(); system != nullptr) {
        out["os"] = {{"id", system->id},
                     {"version", system->version},
                     {"name", system->name},
                     {"architecture", system->architecture},
                     {"cloudInit", system->cloud_init}};
        out["rootPartition"] = disk.parts[static_cast<std::size_t>(disk.root)].partition.number;
    }
    return out.dump();
}

}  // namespace kiln::disks
