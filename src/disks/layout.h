// SPDX-License-Identifier: Apache-2.0
// What a disk's own bytes say of how it boots: its partitions (MBR or GPT), boot code in the master
// boot record, and the loaders that firmware looks for in the EFI system partition,
// \EFI\BOOT\BOOTX64.EFI and BOOTAA64.EFI. The bytes are a stranger's: every size and offset is
// checked, every walk is bounded, and what makes no sense counts as absent.
//
// Errors: those of `read` alone. Thread model: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln::disks {

// Fills all of it from an offset inside the disk.
using ReadAt = std::function<Status(std::uint64_t offset, MutableByteView into)>;

struct Partition {
    enum class Use { other, efi_system, bios_boot };
    std::uint32_t number = 0;  // from 1, as Linux counts
    std::uint64_t offset = 0;  // in bytes, all of it inside the disk
    std::uint64_t length = 0;
    Use use = Use::other;
};

struct DiskLayout {
    enum class Scheme { none, mbr, gpt };
    Scheme scheme = Scheme::none;
    std::vector<Partition> partitions;  // the first kMaxPartitions
    // The table tells of what would lie beyond the disk's end: it is the beginning of a larger one.
    bool cut_short = false;
    bool bios_code = false;  // the first sector can be run by a BIOS
    bool efi_partition = false;
    bool efi_x64 = false;
    bool efi_arm64 = false;
};

// GPT has 128 by default, and no image of an operating system more than some 10.
constexpr std::size_t kMaxPartitions = 128;

Result<DiskLayout> read_layout(std::uint64_t size_bytes, const ReadAt& read);

// What follows for an image. Empty where nothing can be said.
struct BootFacts {
    std::string architecture;
    std::string boot_mode;
};
BootFacts boot_facts(const DiskLayout& layout);

// "GPT, boot code, EFI loader for x86_64", for a person.
std::string describe_layout(const DiskLayout& layout);

}  // namespace kiln::disks
