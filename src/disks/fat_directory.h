// SPDX-License-Identifier: Apache-2.0
// Looks for a file on a FAT file system (12, 16 or 32), by its short names. Reads no more than
// 1 MiB of directories, whatever the file system says. Thread model: pure functions.
#pragma once

#include <string_view>
#include <vector>

#include "disks/layout.h"

namespace kiln::disks {

// Whether the files of a directory are there. `directories` are names from the root down; all names
// have the 11 bytes of a directory entry: "BOOTX64 EFI". Everything is absent from what is no FAT.
// `read` sees the file system alone, `size_bytes` long.
Result<std::vector<bool>> find_on_fat(std::uint64_t size_bytes, const ReadAt& read,
                                      const std::vector<std::string_view>& directories,
                                      const std::vector<std::string_view>& files);

}  // namespace kiln::disks
