// SPDX-License-Identifier: Apache-2.0
// What a disk's own bytes say of how it boots: its partition table (MBR or GPT), boot code in the
// master boot record, and the loaders that firmware looks for in the EFI system partition,
// \EFI\BOOT\BOOTX64.EFI and BOOTAA64.EFI. The bytes are a stranger's: every size and offset is
// checked, every walk is bounded, and what makes no sense counts as absent.
//
// Errors: those of `read` alone. Thread model: pure functions.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "util/bytes.h"
#include "util/result.h"

namespace kiln::cli {

// Fills all of it from an offset inside the disk.
using ReadAt = std::function<Status(std::uint64_t offset, MutableByteView into)>;

struct DiskLayout {
    enum class Scheme { none, mbr, gpt };
    Scheme scheme = Scheme::none;
    bool bios_code = false;  // the first sector can be run by a BIOS
    bool efi_partition = false;
    bool efi_x64 = false;
    bool efi_arm64 = false;
};

Result<DiskLayout> read_layout(std::uint64_t size_bytes, const ReadAt& read);

// What follows for an image. Empty where nothing can be said.
struct BootFacts {
    std::string architecture;
    std::string boot_mode;
};
BootFacts boot_facts(const DiskLayout& layout);

// "GPT, boot code, EFI loader for x86_64", for a person.
std::string describe_layout(const DiskLayout& layout);

}  // namespace kiln::cli
