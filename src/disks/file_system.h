// SPDX-License-Identifier: Apache-2.0
// What kind of file system (or other content) a partition holds, by the marks that blkid knows
// them by. libblkid itself reads descriptors alone; here the bytes come through a function.
//
// Errors: those of `read` alone. Thread model: pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "disks/layout.h"
#include "disks/system.h"

namespace kiln::disks {

// A piece of the disk that may hold a file system. `read` sees it alone.
struct FileSystem {
    std::string type;   // blkid's name: "ext4", "xfs", "vfat", "LVM2_member"; empty: none known
    std::string label;  // printable
};
Result<FileSystem> probe_file_system(std::uint64_t size_bytes, const ReadAt& read);

// What the reader (reader.h) has to say of one of them.
struct FileSystemFindings {
    FileSystem file_system;
    bool read = false;    // its files could be looked at
    std::string why_not;  // if it should have been possible
    std::optional<System> system;
};

// Whether examine() can look into it.
bool has_readable_files(const FileSystem& file_system);
// In the reader only: with the libraries of file_tree.h.
FileSystemFindings examine(std::uint64_t size_bytes, const ReadAt& read);

// As the reader prints them: a JSON array. Decoding is strict: the reader met a stranger's bytes
// and may have been taken over by them, so that only `count` findings of the right form, with texts
// that are short and printable, are findings at all. invalid_argument.
std::string encode_findings(const std::vector<FileSystemFindings>& findings);
Result<std::vector<FileSystemFindings>> decode_findings(std::string_view text, std::size_t count);

}  // namespace kiln::disks
