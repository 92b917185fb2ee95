// SPDX-License-Identifier: Apache-2.0
// FileTree: the files of a file system that nobody mounted, as far as an inspection needs them.
// open_ext() reads ext2, ext3 and ext4 with libext2fs, open_xfs() XFS with libfsxfs, open_btrfs()
// the subvolume with the system, with our own code. The libraries are written in C and meet a
// stranger's bytes: all are called in the sandboxed reader (reader.h) and nowhere else but in
// tests.
//
// Errors: not_found for what is not there; anything else means the file system cannot be read.
// Thread model: one owner thread, blocking.
#pragma once

#include <memory>
#include <string>

#include "disks/layout.h"

namespace kiln::disks {

enum class NodeKind { none, file, directory, symlink, other };

class FileTree {
  public:
    virtual ~FileTree() = default;
    // Paths begin with '/' and have no symbolic link before their last name, which is not followed.
    virtual Result<NodeKind> kind(const std::string& path) = 0;
    // The file's first `limit` bytes.
    virtual Result<std::string> read(const std::string& path, std::size_t limit) = 0;
    virtual Result<std::string> link_target(const std::string& path) = 0;
};

// `read` sees the file system alone, `size_bytes` long.
Result<std::unique_ptr<FileTree>> open_ext(std::uint64_t size_bytes, ReadAt read);
Result<std::unique_ptr<FileTree>> open_xfs(std::uint64_t size_bytes, ReadAt read);
Result<std::unique_ptr<FileTree>> open_btrfs(std::uint64_t size_bytes, ReadAt read);

// The path without links, which are followed inside the tree; not_found also where they run in a
// circle or the way is too long.
Result<std::string> resolve(FileTree& tree, const std::string& path);

}  // namespace kiln::disks
